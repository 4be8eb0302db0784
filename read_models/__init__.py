"""What people see: one file a model = rows, tables, queries, projection. All of it can be built again from the log."""
