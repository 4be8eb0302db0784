"""What happens: the ledger, its writer and its process managers."""
