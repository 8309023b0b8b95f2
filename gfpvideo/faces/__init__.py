"""Shots, detection, tracking and alignment of faces."""
