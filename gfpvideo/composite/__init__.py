"""Putting restored faces back into their frames."""
