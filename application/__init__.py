"""What happens: the ledger, its group-commit writer and the settlement process."""
