"""What is true: events, commands, state and rules. Pure: no clock, no randomness, no I/O, no framework."""
