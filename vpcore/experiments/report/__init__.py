"""Tables and pictures of what a grid found."""
