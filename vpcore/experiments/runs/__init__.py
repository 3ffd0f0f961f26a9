"""Results in files: one run a line, the machine it ran on, and the search for a rate."""
