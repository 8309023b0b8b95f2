"""Plumbing that knows no picture: measure stages, run them in threads, look at items with their neighbours."""
