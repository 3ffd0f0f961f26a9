"""Methods, data sets and backbones as text."""
