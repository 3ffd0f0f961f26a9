"""Methods × backbones × data sets × seeds, one run after the other."""
