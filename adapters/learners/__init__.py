"""Kinds of members of the racing model; those that need a library import it when they learn or read."""
