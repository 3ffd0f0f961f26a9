"""LoRA: a low-rank change of the attention's weights, or of convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.tuning.base import Tuning, modules_of, slot


class LoRA(Tuning):
    """Add (alpha / rank) · B A to chosen weights (Hu et al. 2021, arXiv:2106.09685, section 4).

    A (rank, inputs) starts at U(±1/√inputs), B (outputs, rank) at zero. timm keeps query, key and value in one
    matrix: each chosen one gets its own A and B, which act on its third of the rows; this is the paper's LoRA, not
    one A for the fused matrix. With "qv", 4 · dim · rank numbers a block. Differences: the product is added to the
    weight, not to the output, which is the same function, so there is no dropout on the input; "conv" (ours, after
    common libraries) takes A as a convolution into rank channels and B as a 1×1 convolution out of them,
    rank · (inputs · k² + outputs) numbers each.

    Args:
        backbone: a ViT or Swin; any network with convolutions for "conv".
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
        super().__init__(backbone, _find(backbone, targets))
        self.rank, self.alpha, self.targets = rank, float(alpha), targets
        self.down, self.up = nn.ParameterDict(), nn.ParameterDict()
        draw = torch.Generator().manual_seed(seed)
        for name in self.names:
            weight = backbone.get_parameter(name)
            for part in [part for part in self._rows(name) if part[1:] in targets]:
                rows = len(weight) // 3 if part else len(weight)
                inputs = weight[0].numel()
                start = (2 * torch.rand(rank, inputs, generator=draw, device="cpu") - 1) / inputs**0.5
                self.down[slot(name) + part] = start.to(weight)
                self.up[slot(name) + part] = torch.zeros(rows, rank).to(weight)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return the chosen weights with their low-rank change."""
        changed = {}
        for name in self.names:
            weight = backbone.get_parameter(name)
            third = (len(weight) // 3, weight.shape[1])  # the rows of one of query, key, value; zero if no target
            keys = [slot(name) + part for part in self._rows(name)]
            rows = [self.up[key] @ self.down[key] if key in self.up else weight.new_zeros(third) for key in keys]
            delta = torch.cat(rows)
            changed[name] = weight + self.alpha / self.rank * delta.view_as(weight)
        return changed

    def extra_repr(self) -> str:
        """Say what shapes do not show."""
        return f"rank={self.rank}, alpha={self.alpha}, targets={self.targets!r}"

    def _rows(self, name: str) -> tuple[str, ...]:
        return (":q", ":k", ":v") if name.endswith("attn.qkv.weight") and self.targets != "conv" else ("",)


def _find(backbone: Backbone, targets: str) -> list[str]:
    if targets == "conv":
        return [f"{name}.weight" for name in modules_of(backbone, (nn.Conv2d,))]
    ends = (("attn.qkv",) if set(targets) & set("qkv") else ()) + (("attn.proj",) if "o" in targets else ())
    found = [f"{name}.weight" for name in modules_of(backbone, (nn.Linear,)) if name.endswith(ends)]
    if not found:
        raise ValueError(f"{backbone.spec.name} has no attention for LoRA on {targets!r}: use targets='conv' on a CNN")
    return found
