"""The value handler: prices that beat what the active models say are found, sized, recorded and signalled."""
