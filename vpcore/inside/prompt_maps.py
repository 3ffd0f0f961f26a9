"""What a prompt has learned, as a picture of where it acts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vpcore.prompts.activation import ActivationPrompt


class DeltaMap(NamedTuple):
    """How strongly an activation prompt acts at each place, and at a ViT's prefix tokens, which have none."""

    grid: Tensor  # (h, w)
    prefix: Tensor  # (prefix tokens,), empty without any


@torch.no_grad()
def delta_map(prompt: ActivationPrompt, layer: int | None = None) -> DeltaMap:
    """Return the size of what is added at every place: the norm over channels, in the activations' units.

    Args:
        prompt: an activation prompt of any shape, on a CNN, Swin or ViT.
        layer: one of its layers; by default its first.

    Raises:
        ValueError: a layer that is not prompted.
    """
    layer = prompt.first_layer if layer is None else layer
    spec, delta = prompt.spec, prompt.delta(layer)
    z = delta.expand(1, *spec.shapes[layer])[0]
    if spec.kind == "cnn":
        return DeltaMap(z.norm(dim=0), z.new_zeros(0))
    norms = z.norm(dim=-1)
    if spec.kind == "swin":
        return DeltaMap(norms, z.new_zeros(0))
    return DeltaMap(norms[-spec.num_tokens :].view(spec.grid), norms[: -spec.num_tokens])
