"""What people see: one file a model."""
