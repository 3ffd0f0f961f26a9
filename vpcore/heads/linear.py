"""Heads map features to class logits."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from vpcore.built import Built
from vpcore.device import own_random_stream


def _check_classes(num_classes: int) -> None:
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")


class LinearHead(Built, nn.Module):
    """A linear layer from features to logits: on frozen features, a linear probe.

    Weights start at N(0, 0.01²), the bias at zero. dim · num_classes + num_classes numbers are learned.

    Args:
        dim: size of the features.
        num_classes: number of classes, at least 2.
        seed: seed of the initial weights.
    """

    def __init__(self, dim: int, num_classes: int, seed: int = 0) -> None:
        super().__init__()
        _check_classes(num_classes)
        self.dim, self.num_classes = dim, num_classes
        with own_random_stream(seed):
            self.linear = nn.Linear(dim, num_classes)
            nn.init.normal_(self.linear.weight, std=0.01)
            nn.init.zeros_(self.linear.bias)

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch classes"]:
        """Map features to logits."""
        return self.linear(features)


class MLPHead(Built, nn.Module):
    """Linear layers with ReLU between them: the MLP-3 rows of Jia et al. (2022, arXiv:2203.12119) with three of them.

    With hidden width h and three layers, dim · h + h + h² + h + h · num_classes + num_classes numbers are learned.
    Hidden weights start as He et al. (2015) draw them, the last layer as in `LinearHead`.

    Args:
        dim: size of the features.
        num_classes: number of classes, at least 2.
        hidden: width of the hidden layers; by default `dim`.
        num_layers: linear layers, at least 2; with 1, take `LinearHead`.
        seed: seed of the initial weights.

    Raises:
        ValueError: too few classes, layers or hidden units.
    """

    def __init__(
        self, dim: int, num_classes: int, hidden: int | None = None, num_layers: int = 3, seed: int = 0
    ) -> None:
        super().__init__()
        _check_classes(num_classes)
        width = dim if hidden is None else hidden
        if width < 1 or num_layers < 2:
            raise ValueError(f"hidden must be at least 1 and num_layers at least 2, got {width} and {num_layers}")
        self.dim, self.num_classes = dim, num_classes
        sizes = [dim, *[width] * (num_layers - 1)]
        with own_random_stream(seed):
            hidden_layers = [nn.Linear(sizes[i], sizes[i + 1]) for i in range(num_layers - 1)]
            for layer in hidden_layers:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
            self.hidden = nn.ModuleList(hidden_layers)
            self.last = LinearHead(width, num_classes, seed)

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch classes"]:
        """Map features to logits."""
        for layer in self.hidden:
            features = layer(features).relu()
        return self.last(features)
