"""What is true: events, commands, state and rules, pure."""
