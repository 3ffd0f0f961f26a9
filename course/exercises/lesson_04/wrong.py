"""Lesson 04, instance feature prompts: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from course.exercises.lesson_04.answers import Block, count_tokens, run_blocks


def run_with(
    join: Callable[[Tensor, Tensor], Tensor] | None = None, part: Callable[[Tensor, int], Tensor] | None = None
) -> Any:
    """Return a wrong way to insert tokens, or to throw them away."""
    join = join or (lambda z, extra: torch.cat([z[:, :1], extra, z[:, 1:]], 1))
    part = part or (lambda z, count: torch.cat([z[:, :1], z[:, 1 + count :]], 1))

    def wrong(z: Tensor, blocks: Sequence[Block], tokens: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
        lengths = []
        for layer, block in enumerate(blocks):
            extra = tokens[layer] if layer < len(tokens) else z[:, :0]
            z = join(z, extra)
            lengths.append(z.shape[1])
            z = part(block(z), extra.shape[1])
        return z, lengths

    return wrong


def first_token(z: Tensor, extra: Tensor) -> Tensor:
    """Put the prompt in front of the class token."""
    return torch.cat([extra, z], 1)


def last_token(z: Tensor, extra: Tensor) -> Tensor:
    """Put the prompt behind the patches."""
    return torch.cat([z, extra], 1)


def overwrite(z: Tensor, extra: Tensor) -> Tensor:
    """Put the prompt in the place of patches."""
    return torch.cat([z[:, :1], extra, z[:, 1 + extra.shape[1] :]], 1)


def drop_patches(z: Tensor, count: int) -> Tensor:
    """Throw away the last tokens, which are patches."""
    return z[:, : z.shape[1] - count]


def keep_all(z: Tensor, count: int) -> Tensor:
    """Throw nothing away."""
    return z


def shallow(z: Tensor, blocks: Sequence[Block], tokens: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Insert the first block's tokens only, and let the blocks carry them along."""
    extra = tokens[0] if tokens else z[:, :0]
    z = torch.cat([z[:, :1], extra, z[:, 1:]], 1)
    lengths = []
    for block in blocks:
        lengths.append(z.shape[1])
        z = block(z)
    return torch.cat([z[:, :1], z[:, 1 + extra.shape[1] :]], 1), lengths


def batch_for_length(z: Tensor, blocks: Sequence[Block], tokens: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Throw away as many tokens as there are images in the batch."""
    return run_with(None, lambda z, count: torch.cat([z[:, :1], z[:, 1 + (len(z) if count else 0) :]], 1))(
        z, blocks, tokens
    )


def zipped(z: Tensor, blocks: Sequence[Block], tokens: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Run the prompted blocks only."""
    return run_blocks(z, blocks[: len(tokens)], tokens)


def first_tokens(z: Tensor, blocks: Sequence[Block], tokens: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Give every prompted block the tokens of the first."""
    return run_blocks(z, blocks, [*tokens[:1]] * len(tokens))


def left_in(z: Tensor, blocks: Sequence[Block], tokens: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Replace tokens as long as there are new ones, and never take out the last."""
    lengths, count = [], 0
    for layer, block in enumerate(blocks):
        if layer < len(tokens):
            z = torch.cat([z[:, :1], tokens[layer], z[:, 1 + count :]], 1)
            count = tokens[layer].shape[1]
        lengths.append(z.shape[1])
        z = block(z)
    return torch.cat([z[:, :1], z[:, 1 + count :]], 1), lengths


def lengths_behind(z: Tensor, blocks: Sequence[Block], tokens: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Note the lengths without the prompt."""
    out, lengths = run_blocks(z, blocks, tokens)
    return out, [z.shape[1]] * len(lengths)


def positions_first(maps: Tensor, dim: int) -> Tensor | None:
    """Put the channels of one position side by side, as a patch embedding's tokens are."""
    return _cut(maps, dim, maps.permute(0, 2, 3, 1))


def interleaved(maps: Tensor, dim: int) -> Tensor | None:
    """Give token t the channels t, t + p, t + 2p."""
    batch, chans, height, width = maps.shape
    each = dim // (height * width) or 1
    if chans % each:
        return None
    return _cut(maps, dim, maps.view(batch, each, chans // each, height, width).transpose(1, 2))


def columns_first(maps: Tensor, dim: int) -> Tensor | None:
    """Read each channel column by column."""
    return _cut(maps, dim, maps.transpose(2, 3))


def _cut(maps: Tensor, dim: int, ordered: Tensor) -> Tensor | None:
    batch, chans, height, width = maps.shape
    if dim % (height * width) or chans % (dim // (height * width)):
        return None
    return ordered.reshape(batch, -1, dim)


def any_cut(maps: Tensor, dim: int) -> Tensor | None:
    """Ask only that the numbers come out even."""
    return None if maps[0].numel() % dim else maps.reshape(len(maps), -1, dim)


def count_with(change: Callable[..., tuple[int, int]]) -> Any:
    """Return a wrong count, from the right one and what it was made of."""

    def wrong(tokens: int, dim: int, depth: int, chans: int, kernels: Sequence[int]) -> tuple[int, int]:
        common, specific = count_tokens(tokens, dim, depth, chans, kernels)
        return change(common, specific, tokens, depth, chans, kernels)

    return wrong


def plain_kernels(common: int, specific: int, p: int, depth: int, chans: int, kernels: Sequence[int]) -> Any:
    """Take a kernel for k entries instead of k × k."""
    a, b, c = kernels
    return common, chans * p * a + p + 3 * p * p * b + 3 * p + 9 * p * p * c + 3 * p


def linear_width(common: int, specific: int, p: int, depth: int, chans: int, kernels: Sequence[int]) -> Any:
    """Let only one side of the inner convolutions grow with p."""
    a, b, c = kernels
    return common, chans * p * a**2 + p + 3 * p * b**2 + 3 * p + 9 * p * c**2 + 3 * p


def rescale_with(common: Callable[..., float], last: Callable[..., float], bias: bool = True) -> Any:
    """Return a wrong way to rescale: factors of p^c and of the last layer, and whether its bias grows."""

    def wrong(values: Tensor, weight: Tensor, shift: Tensor, beta: float, other: float) -> tuple[Tensor, ...]:
        grow = last(beta, other)
        return values * common(beta, other), weight * grow, shift * grow if bias else shift

    return wrong
