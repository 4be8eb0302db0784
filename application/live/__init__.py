"""Live streams: prices, signals and facts, from where they are published to every client that may see them."""
