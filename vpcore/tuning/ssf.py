"""SSF: scale and shift what every layer puts out."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vpcore.backbone import Backbone
from vpcore.tuning.base import Tuning, is_norm, modules_of, slot


class SSF(Tuning):
    """Replace each layer's output y by scale · y + shift, one pair a channel (Lian et al. 2022, arXiv:2210.08823).

    After every linear layer, convolution and norm: (22 · depth + 4) · dim numbers in a ViT. It is computed in
    the weights, W ← scale · W and b ← scale · b + shift, which is the paper's re-parameterization and exact. After a
    convolution in front of a frozen batch norm, it can do what tuning that norm can do, and nothing else.
    Differences: the start is exactly neutral, while the paper draws from N(1, 0.02²) and N(0, 0.02²)
    (`init="normal"`); batch norms are left out by default, because the convolutions before them have a pair already;
    an RMSNorm, which adds nothing, is scaled alone (the next layer's shift does the rest), and a convolution that
    standardizes its weights is scaled by its gain, or shifted alone where it has none.

    Args:
        backbone: the network to tune.
        init: "identity" or "normal".
        batch_norms: scale and shift after batch norms too.
        seed: seed of the normal start.

    Raises:
        ValueError: unknown init.
    """

    def __init__(self, backbone: Backbone, init: str = "identity", batch_norms: bool = False, seed: int = 0) -> None:
        if init not in ("identity", "normal"):
            raise ValueError(f"init must be identity or normal, got {init!r}")
        self.layers = {n: _places(backbone, n, m) for n, m in modules_of(backbone).items() if _takes(m, batch_norms)}
        super().__init__(backbone, [name for place in self.layers.values() for name in (*place.scaled, *place.shifted)])
        draw = torch.Generator().manual_seed(seed)
        std = 0.02 if init == "normal" else 0.0
        self.scale, self.shift = nn.ParameterDict(), nn.ParameterDict()
        for name, place in self.layers.items():
            weight = backbone.get_parameter(f"{name}.weight")
            noise = std * torch.randn(2, len(weight), generator=draw, device="cpu")
            if place.scaled:
                self.scale[slot(name)] = (1 + noise[0]).to(weight)
            if place.shifted:
                self.shift[slot(name)] = noise[1].to(weight)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return the scaled weights and the scaled and shifted biases."""
        changed = {}
        for key, place in ((slot(name), place) for name, place in self.layers.items()):
            for name in place.scaled:
                weight = backbone.get_parameter(name)
                changed[name] = self.scale[key].view(-1, *[1] * (weight.dim() - 1)) * weight
            for name, rows in place.shifted.items():
                owner, _, leaf = name.rpartition(".")
                bias, shift = getattr(backbone.get_submodule(owner), leaf), self.shift[key][rows]
                scaled = self.scale[key][rows] * bias if place.scaled and bias is not None else bias
                changed[name] = shift if scaled is None else scaled + shift
        return changed


class Place(NamedTuple):
    """Where the two halves of a layer's pair act: the parameters scaled, and those shifted, by which rows of it."""

    scaled: list[str]
    shifted: dict[str, slice]


def _takes(layer: Any, batch_norms: bool) -> bool:
    if not isinstance(getattr(layer, "weight", None), Tensor) or (isinstance(layer, _BatchNorm) and not batch_norms):
        return False
    return isinstance(layer, (nn.Linear, nn.Conv2d)) or is_norm(layer)


def _places(backbone: Backbone, name: str, layer: Any) -> Place:
    owner = name.rpartition(".")[0]
    apart = getattr(backbone.get_submodule(owner), "q_bias", None)  # some attentions add these behind their "qkv"
    if isinstance(apart, Tensor) and layer.bias is None:
        width = len(apart)
        shifted = {f"{owner}.q_bias": slice(width), f"{owner}.v_bias": slice(-width, None)}
    else:
        shifted = {f"{name}.bias": slice(None)} if "bias" in layer._parameters else {}
    if "StdConv" in type(layer).__name__:
        return Place([f"{name}.gain"] if hasattr(layer, "gain") else [], shifted)
    return Place([f"{name}.weight"], shifted)
