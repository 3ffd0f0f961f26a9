"""The course: lessons, checks, widgets and the machinery that builds notebooks from them."""
