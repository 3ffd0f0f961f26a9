"""The cells of a grid as tasks of a Ray cluster."""
