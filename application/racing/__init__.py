"""Racing models at work: trained from races, asked about cards, and held against the market."""
