"""Heads map features to class logits."""

from vpcore.heads.label_mapping import LabelMapping
from vpcore.heads.linear import LinearHead, MLPHead

__all__ = ["LabelMapping", "LinearHead", "MLPHead"]
