"""SSF: scale and shift what every layer puts out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vpcore.backbone import Backbone
from vpcore.tuning.base import Tuning, modules_of, slot

LAYERS = (nn.Linear, nn.Conv2d, nn.LayerNorm, _BatchNorm)


class SSF(Tuning):
    """Replace each layer's output y by scale · y + shift, one pair a channel (Lian et al. 2022, arXiv:2210.08823).

    After every linear layer, convolution and layer norm: (22 · depth + 4) · dim numbers in a ViT. It is computed in
    the weights, W ← scale · W and b ← scale · b + shift, which is the paper's re-parameterization and exact. After a
    convolution in front of a frozen batch norm, it can do what tuning that norm can do, and nothing else.
    Differences: the start is exactly neutral, while the paper draws from N(1, 0.02²) and N(0, 0.02²)
    (`init="normal"`); batch norms are left out by default, because the convolutions before them have a pair already.

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
        kinds = LAYERS if batch_norms else LAYERS[:-1]
        found = {n: m.weight for n, m in modules_of(backbone, kinds).items() if isinstance(m.weight, Tensor)}
        super().__init__(backbone, [f"{name}.{leaf}" for name in found for leaf in ("weight", "bias")])
        draw = torch.Generator().manual_seed(seed)
        std = 0.02 if init == "normal" else 0.0
        self.layers = tuple(found)
        self.scale, self.shift = nn.ParameterDict(), nn.ParameterDict()
        for name, weight in found.items():
            noise = std * torch.randn(2, len(weight), generator=draw, device="cpu")
            self.scale[slot(name)], self.shift[slot(name)] = (1 + noise[0]).to(weight), noise[1].to(weight)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return the scaled weights and the scaled and shifted biases."""
        changed = {}
        for name in self.layers:
            scale, shift = self.scale[slot(name)], self.shift[slot(name)]
            layer: Any = backbone.get_submodule(name)
            weight, bias = layer.weight, layer.bias
            changed[f"{name}.weight"] = scale.view(-1, *[1] * (weight.dim() - 1)) * weight
            changed[f"{name}.bias"] = shift if bias is None else scale * bias + shift
        return changed
