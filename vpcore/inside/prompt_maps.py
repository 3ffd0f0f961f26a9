"""What a prompt has learned, as numbers and as a picture of where it acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

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
    side = round(spec.num_tokens**0.5)
    return DeltaMap(norms[-spec.num_tokens :].view(side, side), norms[: -spec.num_tokens])


@dataclass(frozen=True)
class TensorStatistics:
    """One learned tensor in numbers; `norm` is over all entries, `zeros` the share of entries that are exactly zero."""

    name: str
    shape: tuple[int, ...]
    mean: float
    std: float  # population standard deviation
    norm: float
    largest: float  # absolute value
    zeros: float  # 0 … 1

    def __str__(self) -> str:
        shape = "×".join(map(str, self.shape))
        numbers = f"mean {self.mean:+.3g}, std {self.std:.3g}, norm {self.norm:.3g}, largest {self.largest:.3g}"
        return f"{self.name} ({shape}): {numbers}, {self.zeros:.0%} zeros"


@torch.no_grad()
def prompt_statistics(prompt: nn.Module) -> list[TensorStatistics]:
    """Describe every tensor that learns, of a prompt or of any module."""
    return [_describe(name, tensor) for name, tensor in prompt.named_parameters() if tensor.requires_grad]


def _describe(name: str, tensor: Tensor) -> TensorStatistics:
    x = tensor.double()
    std, mean = torch.std_mean(x, correction=0)
    zeros = float((x == 0).double().mean())
    return TensorStatistics(name, tuple(x.shape), float(mean), float(std), float(x.norm()), float(x.abs().max()), zeros)
