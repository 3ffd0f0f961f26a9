"""Methods × backbones × data sets × seeds as one command: `python -m vpcore.grid`."""
