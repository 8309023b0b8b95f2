"""Restorations that survive an interruption: what is done is kept, segment by segment."""
