"""The composition root and the command line; nobody imports it."""
