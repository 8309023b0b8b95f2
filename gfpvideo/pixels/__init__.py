"""Arithmetic on pixels that knows no film: colour, transfer curves, geometry."""
