"""The ledger's store in PostgreSQL: codec, log, projections' connection and readers."""
