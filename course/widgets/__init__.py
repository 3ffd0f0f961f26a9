"""Explorers: one a file, core ipywidgets only, no Output areas."""
