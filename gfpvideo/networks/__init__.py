"""Networks and their weights: what they are made of, where their files lie, how they are read."""
