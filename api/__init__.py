"""How people ask: routes, problems, who may do what."""
