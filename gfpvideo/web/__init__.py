"""A page in the browser for people without a terminal; it drives jobs and shows their events, nothing else."""
