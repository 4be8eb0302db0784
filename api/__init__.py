"""How people ask: routes, live streams, problem responses, authorisation."""
