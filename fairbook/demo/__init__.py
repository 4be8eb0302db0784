"""`fairbook demo`: a season of football, a dozen traders and tens of thousands of bets through the HTTP API."""
