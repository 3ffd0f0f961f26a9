"""Heads map features to class logits."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from vpcore.models.scratch import seeded


class LinearHead(nn.Module):
    """A linear layer from features to logits: on frozen features, a linear probe.

    Weights start at N(0, 0.01²), the bias at zero. dim · num_classes + num_classes numbers are learned.

    Args:
        dim: size of the features.
        num_classes: number of classes, at least 2.
        seed: seed of the initial weights.
    """

    def __init__(self, dim: int, num_classes: int, seed: int = 0) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        self.num_classes = num_classes
        with seeded(seed):
            self.linear = nn.Linear(dim, num_classes)
            nn.init.normal_(self.linear.weight, std=0.01)
            nn.init.zeros_(self.linear.bias)

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch classes"]:
        """Map features to logits."""
        return self.linear(features)
