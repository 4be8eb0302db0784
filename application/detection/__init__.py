"""The search for arbitrages in the prices of the board, as they change."""
