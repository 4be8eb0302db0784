"""What racing models learn from and say: races, what was known before them, chances of orders of finish."""
