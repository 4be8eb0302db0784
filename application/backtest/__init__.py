"""What a bankroll would have become, had a model's bets been placed."""
