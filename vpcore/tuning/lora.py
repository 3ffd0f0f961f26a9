"""LoRA: a low-rank change of the attention's weights, or of convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.tuning.base import Tuning, modules_of, slot


class LoRA(Tuning):
    """Add (alpha / rank) · B A to chosen weights (Hu et al. 2021, arXiv:2106.09685, section 4).

    A (rank, inputs) starts at U(±1/√inputs), B (outputs, rank) at zero. Most of timm's networks keep query, key and
    value in one matrix: each chosen one gets its own A and B, which act on its part of the rows; this is the paper's
    LoRA, not one A for the fused matrix. Layers of their own ("q_proj", "kv", …) are found by name as well. With "qv",
    4 · dim · rank numbers a block of a ViT. Differences: the product is added to the weight, not to the output, which
    is the same function, so there is no dropout on the input; "conv" (ours, after common libraries) takes A as a
    convolution into rank channels and B as a 1×1 convolution out of them, rank · (inputs · k² + outputs) numbers each.

    Args:
        backbone: a network with attention; any with convolutions for "conv".
        rank: r, at least 1.
        alpha: numerator of the scale; divided as a real number, so alpha < rank works.
        targets: any of the letters "q", "k", "v" and "o" (the projection after attention), or "conv".
        seed: seed of A.

    Raises:
        ValueError: a rank or alpha out of range, unknown targets, or none of them in this backbone.
    """

    def __init__(
        self, backbone: Backbone, rank: int = 8, alpha: float = 8.0, targets: str = "qv", seed: int = 0
    ) -> None:
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        if not alpha > 0:
            raise ValueError(f"alpha must be positive, got {alpha}: alpha=rank leaves the change unscaled")
        letters = set(targets)
        if targets != "conv" and (not letters or len(letters) < len(targets) or letters - set("qkvo")):
            raise ValueError(f"targets must be 'conv' or different letters of 'qkvo', got {targets!r}: try 'qv'")
        self.parts = _find(backbone, targets)
        super().__init__(backbone, list(self.parts))
        self.rank, self.alpha, self.targets = rank, float(alpha), targets
        self.down, self.up = nn.ParameterDict(), nn.ParameterDict()
        draw = torch.Generator().manual_seed(seed)
        for name, parts in self.parts.items():
            weight = backbone.get_parameter(name)
            inputs = weight[0].numel()
            for part, (groups, start, stop) in parts.items():
                low = (2 * torch.rand(rank, inputs, generator=draw, device="cpu") - 1) / inputs**0.5
                self.down[slot(name) + part] = low.to(weight)
                self.up[slot(name) + part] = torch.zeros(groups * (stop - start), rank).to(weight)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return the chosen weights with their low-rank change."""
        changed = {}
        for name, parts in self.parts.items():
            weight = backbone.get_parameter(name)
            delta = weight.new_zeros(weight.shape)  # contiguous, whatever the weight is
            for part, (groups, start, stop) in parts.items():
                product = self.up[slot(name) + part] @ self.down[slot(name) + part]
                rows = delta.view(groups, len(weight) // groups, -1)[:, start:stop]
                rows.copy_(product.reshape(rows.shape))
            changed[name] = weight + self.alpha / self.rank * delta
        return changed

    def extra_repr(self) -> str:
        """Say what shapes do not show."""
        return f"rank={self.rank}, alpha={self.alpha}, targets={self.targets!r}"


Rows = tuple[int, int, int]  # a layer's outputs in so many equal groups, of each of which rows start … stop - 1


def _find(backbone: Backbone, targets: str) -> dict[str, dict[str, Rows]]:
    """Return the weights that change, by name, and which of their rows: all of them (""), or one letter's (":q")."""
    found: dict[str, dict[str, Rows]] = {}
    for name, layer in modules_of(backbone, nn.Conv2d if targets == "conv" else nn.Linear).items():
        path, _, leaf = name.rpartition(".")
        if targets == "conv":
            found[f"{name}.weight"] = {"": (1, 0, layer.out_channels)}
            continue
        rows = _rows(backbone.get_submodule(path), leaf, layer.out_features)
        chosen = {f":{key}" if len(rows) > 1 else "": place for key, place in rows.items() if key in targets}
        found |= {f"{name}.weight": chosen} if chosen else {}
    if not found:
        what = f"has no attention for LoRA on {targets!r}" if targets != "conv" else "has no convolutions for LoRA"
        raise ValueError(f"{backbone.spec.name} {what}: use targets='conv' on a CNN, 'qv' on a ViT or Swin")
    return found


def _rows(attention: Any, leaf: str, count: int) -> dict[str, Rows]:
    """Return which rows of an attention's layer make what, as its name says; nothing where that is not certain.

    Rows of "qkv", "qk" or "kv" follow one another, in timm's attentions with `key_dim` or `head_first` head by head.
    Values must be as many as the projection takes.
    """
    last = getattr(attention, "proj", getattr(attention, "out_proj", None))
    if leaf in ("proj", "out_proj"):
        return {"o": (1, 0, count)} if any(hasattr(attention, name) for name in ("qkv", "kv", "v", "v_proj")) else {}
    letters = leaf.removesuffix("_proj")
    if letters not in ("q", "k", "v", "qk", "kv", "qkv"):
        return {}
    by_head = len(letters) > 1 and (hasattr(attention, "key_dim") or getattr(attention, "head_first", False))
    groups = attention.num_heads if by_head else 1
    width, share = count // groups, count // groups // len(letters)
    share = getattr(attention, "key_dim", share) if by_head else share
    starts = [share * i for i in range(len(letters))]
    values = groups * (width - starts[-1])
    if "v" in letters and getattr(last, "in_features", values) != values:
        return {}
    return {key: (groups, a, b) for key, a, b in zip(letters, starts, [*starts[1:], width], strict=True)}
