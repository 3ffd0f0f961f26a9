"""Lesson 04, instance feature prompts: the right answers, and the inputs they are compared on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vpcore.prompts.parts.sequence import insert_tokens, strip_tokens

Block = Callable[[Tensor], Tensor]


def run_blocks(z: Tensor, blocks: Sequence[Block], tokens: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Run z (B, 1 + N, D) through blocks; the first blocks get tokens (B, L_p, D), which are thrown away behind them.

    Returns the last sequence (B, 1 + N, D), and the length of what each block got.
    """
    lengths = []
    for layer, block in enumerate(blocks):
        extra = tokens[layer] if layer < len(tokens) else z[:, :0]
        z = insert_tokens(z, extra, 1)
        lengths.append(z.shape[1])
        z = strip_tokens(block(z), extra.shape[1], 1)
    return z, lengths


def mixing_block(weight: Tensor) -> Block:
    """Return a stand-in for a block in which every token sees the others, and its own place."""

    def block(z: Tensor) -> Tensor:
        seen = 0.3 * z.cumsum(1) + z.mean(1, keepdim=True)
        return z + torch.tanh(seen @ weight.to(z))

    return block


def run_cases(rng: torch.Generator) -> list[Any]:
    """Return sequences, blocks and tokens."""

    def case(batch: int, patches: int, dim: int, depth: int, prompted: int, count: int) -> Any:
        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=rng)

        blocks = [mixing_block(draw(dim, dim)) for _ in range(depth)]
        return draw(batch, 1 + patches, dim), blocks, [draw(batch, count, dim) for _ in range(prompted)]

    return [case(3, 5, 7, 4, 4, 2), case(2, 6, 5, 4, 2, 3), case(2, 6, 3, 2, 0, 1)]


def to_tokens(maps: Tensor, dim: int) -> Tensor | None:
    """Cut maps (B, K, h, w) into tokens (B, p, dim) of whole channels; None where no whole number of them fits."""
    batch, chans, height, width = maps.shape
    each, rest = divmod(dim, height * width)  # channels a token
    if rest or chans % each:
        return None
    return maps.reshape(batch, chans // each, dim)


def reshape_cases(rng: torch.Generator) -> list[Any]:
    """Return maps and widths, two of which do not fit."""
    shapes = (((2, 6, 4, 4), 48), ((2, 12, 8, 4), 96), ((3, 4, 2, 2), 4), ((2, 6, 4, 4), 24), ((2, 4, 4, 4), 48))
    return [(torch.randn(shape, generator=rng), dim) for shape, dim in shapes]


def count_tokens(tokens: int, dim: int, depth: int, chans: int, kernels: Sequence[int]) -> tuple[int, int]:
    """Count what the common tokens and G_s learn for L_p = tokens."""
    widths = (chans, tokens, 3 * tokens, 3 * tokens)
    specific = sum(widths[i] * widths[i + 1] * kernels[i] ** 2 + widths[i + 1] for i in range(3))
    return depth * tokens * dim, specific


def count_cases(rng: torch.Generator) -> list[Any]:
    """Return sizes."""
    return [
        (tokens, dim, depth, chans, kernels)
        for tokens, kernels in ((9, (9, 5, 3)), (16, (7, 9, 3)), (1, (3, 3, 3)), (4, (1, 3, 5)))
        for dim, depth, chans in ((768, 12, 3), (96, 6, 1))
    ]


def rescale(common: Tensor, weight: Tensor, bias: Tensor, beta: float, other: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return p^c and G_s' last layer that give at beta = other the tokens these give at beta."""
    grow = (1 - beta) / (1 - other)
    return common * (beta / other), weight * grow, bias * grow


def rescale_cases(rng: torch.Generator) -> list[Any]:
    """Return tokens, a last layer and two betas."""

    def case(beta: float, other: float) -> Any:
        shapes = ((4, 6), (6, 5), (6,))
        return (*(torch.randn(shape, generator=rng, dtype=torch.float64) for shape in shapes), beta, other)

    return [case(0.5, 0.9), case(0.3, 0.7), case(0.9, 0.1)]


def never_learned(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[list[str], list[str]]:
    """Name the trainable tensors that no group of the optimizer holds, and those it holds without a gradient."""
    held = {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}
    trainable = {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
    missing = [name for name, tensor in trainable.items() if id(tensor) not in held]
    silent = [name for name, tensor in trainable.items() if id(tensor) in held and tensor.grad is None]
    return missing, silent


class Suspect(nn.Module):
    """A small model with a frozen backbone, a prompter, common tokens and a head, in which something may not learn."""

    def __init__(self, unused: bool = False) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(0)

        def linear(inner: int, outer: int) -> nn.Linear:
            layer: Any = nn.utils.skip_init(nn.Linear, inner, outer)
            for tensor in layer.parameters():
                nn.init.uniform_(tensor, -0.5, 0.5, generator=draw)
            return layer

        self.backbone = linear(4, 4).requires_grad_(False)
        self.specific = nn.ModuleDict({"first": linear(4, 3), "last": linear(3, 4)})
        self.common = nn.Parameter(torch.zeros(1))
        self.scale = nn.Parameter(torch.zeros(1))  # equal to `common` in value, and another tensor
        self.head = linear(4, 2)
        self.unused = unused

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 4) to (B, 2)."""
        tokens = torch.relu(self.specific["first"](x))
        prompt = x if self.unused else self.specific["last"](tokens)
        return self.head(self.backbone(x + prompt) + 0 * self.scale + self.common)  # scale: a gradient, and it is zero


@dataclass(frozen=True)
class Training:
    """One training step up to the optimizer's own: what it is about, and how to build model and optimizer."""

    words: str
    groups: tuple[tuple[str, ...], ...]  # starts of the names of each optimizer group's tensors
    unused: bool = False

    def build(self) -> tuple[Suspect, torch.optim.Optimizer]:
        """Return the model after a backward pass, and its optimizer."""
        model = Suspect(self.unused)
        named = dict(model.named_parameters())
        groups = [
            {"params": [tensor for name, tensor in named.items() if name.startswith(starts)]} for starts in self.groups
        ]
        with torch.enable_grad():
            model(torch.ones(3, 4)).square().sum().backward()
        return model, torch.optim.SGD(groups, lr=0.1)


ALL = ("specific", "common", "scale", "head")
TRAININGS = (
    Training("nothing is wrong", (ALL,)),
    Training("two groups, and nothing is wrong", (("specific", "head"), ("common", "scale"))),
    Training("the prompter is in no group", (("common", "scale", "head"),)),
    Training("two tensors of equal values, one of them in no group", (("specific", "common", "head"),)),
    Training("a layer that forward never uses", (ALL,), unused=True),
    Training("a layer that forward never uses and no group holds", (("common", "scale", "head"),), unused=True),
    Training("both faults at once", (("specific", "scale"), ("head",)), unused=True),
)
