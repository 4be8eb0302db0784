"""The price handler: prices come in, snapshots go into the ledger, arbitrages are found and signalled."""
