"""Mirrors the packages; everything runs on the real embedded servers."""
