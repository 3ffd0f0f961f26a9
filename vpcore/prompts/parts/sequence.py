"""Extra tokens in a ViT's sequence: hold them, insert them after the prefix tokens, take them out again."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.backbone import Spec

Sequences = Float[Tensor, "batch tokens dim"]


def insert_tokens(z: Sequences, tokens: Float[Tensor, "batch extra dim"], prefix: int) -> Sequences:
    """Return the sequence with extra tokens between its first `prefix` tokens and its patch tokens."""
    return torch.cat([z[:, :prefix], tokens, z[:, prefix:]], dim=1)


def strip_tokens(z: Sequences, count: int, prefix: int) -> Sequences:
    """Return the sequence without the `count` tokens behind its first `prefix` tokens."""
    return torch.cat([z[:, :prefix], z[:, prefix + count :]], dim=1)


def drop(x: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Zero entries with a probability and scale up the rest, drawing from a generator of the prompt's own."""
    if probability == 0:
        return x
    keep = torch.rand(x.shape, generator=generator, device=x.device) >= probability
    return x * keep / (1 - probability)


def require_vit(spec: Spec, method: str, instead: str) -> None:
    """Refuse backbones without a token sequence, or with one of a fixed length, and say what works there."""
    if spec.kind != "vit":
        raise ValueError(f"{method} needs a ViT's token sequence, {spec.name} is a {spec.kind}: use {instead}")
    if not spec.free_tokens:
        sized = f"the blocks of {spec.name} take no more tokens than the image has"
        raise ValueError(f"{method} inserts tokens, and {sized}: use {instead}")


class TokenBank(nn.Module):
    """Hold `num_tokens` learned tokens for each of `layers` blocks, and hand them out a batch at a time.

    Tokens start uniform in ±√(6 / (3·patch² + width)) (Jia et al. 2022, arXiv:2203.12119), or in ±`bound`.
    Learned numbers: layers·num_tokens·width, plus width·dim + dim with a projection.

    Args:
        spec: the sizes of a ViT.
        layers: how many blocks get tokens of their own.
        num_tokens: tokens a block.
        generator: where the initial values are drawn from.
        dropout: probability, 0 … 1, per entry and per image, on the projected tokens.
        project: width q of the stored tokens, mapped to `dim` by one linear layer shared by all blocks; None
            stores them at `dim`.
        bound: largest initial value, if not the one above.

    Raises:
        ValueError: no token, a dropout outside 0 … 1, or a projection from nothing.
    """

    def __init__(
        self,
        spec: Spec,
        layers: int,
        num_tokens: int,
        generator: torch.Generator,
        *,
        dropout: float = 0.0,
        project: int | None = None,
        bound: float | None = None,
    ) -> None:
        super().__init__()
        if num_tokens < 1:
            raise ValueError(f"num_tokens must be at least 1, got {num_tokens}: use NoPrompt for none")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be a probability below 1, got {dropout}: 0 switches it off")
        if project is not None and project < 1:
            raise ValueError(f"project must be at least 1, got {project}: None leaves the projection out")
        dim = spec.shapes[0][-1]
        width = project or dim
        limit = bound if bound is not None else (6 / (3 * (spec.patch_size or 1) ** 2 + width)) ** 0.5
        self.dropout = dropout
        self.values = nn.Parameter((torch.rand(layers, num_tokens, width, generator=generator) * 2 - 1) * limit)
        if project is not None:
            self.weight = nn.Parameter(torch.randn(dim, width, generator=generator) * (2 / dim) ** 0.5)  # fan_out = dim
            self.bias = nn.Parameter((torch.rand(dim, generator=generator) * 2 - 1) * width**-0.5)
        self.projected = project is not None

    def forward(self, index: int, batch: int, generator: torch.Generator) -> Sequences:
        """Return the tokens of the `index`-th prompted block for `batch` images; dropout only while training."""
        tokens = self.values[index]
        if self.projected:
            tokens = F.linear(tokens, self.weight, self.bias)
        return drop(tokens.expand(batch, -1, -1), self.dropout if self.training else 0.0, generator)
