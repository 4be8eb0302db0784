"""NATS JetStream: streams, consumers with dead letters, publishers, and the ledger's facts."""
