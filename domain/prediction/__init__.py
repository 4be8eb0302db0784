"""Models of how fixtures end: what prices say, what goals say, and what a bet at a price is worth. Pure mathematics."""
