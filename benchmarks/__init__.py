"""Reproducible measurements beside their peers."""
