"""The way of a frame, and everything that drives it: films, photographs, folders, pipes."""
