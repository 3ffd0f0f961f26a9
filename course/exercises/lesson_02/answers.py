"""Lesson 02, multiscale prompts: the right answers, and the inputs they are compared on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional as F

from vpcore.prompts.multiscale import average_maps
from vpcore.statistics import paired_interval

__all__ = [
    "additive_rank",
    "average_maps",
    "count_learned",
    "fold",
    "gated",
    "images_needed",
    "interval",
    "seeds_needed",
]

LEVEL = 0.975  # upper quantile of a two-sided 95 % interval


def average_cases(rng: torch.Generator) -> list[Any]:
    def maps(chans: int, scales: Sequence[int]) -> list[Tensor]:
        return [torch.randn(1, chans, scale, scale, generator=rng) for scale in scales]

    return [(maps(3, (1, 4, 8)), (28, 20)), (maps(1, (4, 8)), (12, 32)), (maps(2, (4,)), (9, 7))]


def count_learned(chans: int, scales: Sequence[int], fusion: str) -> int:
    """Count what a multiscale prompt learns for C channels, scales and a fusion."""
    count = chans * sum(scale**2 for scale in scales)
    if fusion == "concat":
        count += (len(scales) + 1) * chans * chans
    elif fusion == "gated":
        count += chans * chans + chans
    return count


def count_cases(rng: torch.Generator) -> list[Any]:
    scales = ((1, 4, 8), (1, 4), (1,), (2, 5))
    return [(chans, some, fusion) for chans in (3, 1) for some in scales for fusion in ("add", "concat", "gated")]


def fold(weight: Tensor, bias: Tensor, position: Tensor, added: Tensor) -> Tensor:
    """Return the position embedding (1, 1 + N, D) that does the work of an added map (1, C, H, W)."""
    patch = weight.shape[-1]
    tokens = F.conv2d(added, weight, stride=patch)  # (1, D, H/p, W/p), without the bias
    tokens = tokens.flatten(2).transpose(1, 2)  # (1, N, D)
    folded = position.clone()
    folded[:, 1:] = folded[:, 1:] + tokens
    return folded


def fold_cases(rng: torch.Generator) -> list[Any]:
    def case(chans: int, patch: int, rows: int, columns: int, dim: int) -> Any:
        picture = (1, chans, patch * rows, patch * columns)
        shapes = ((dim, chans, patch, patch), (dim,), (1, 1 + rows * columns, dim), picture)
        return tuple(torch.randn(shape, generator=rng, dtype=torch.float64) for shape in shapes)

    return [case(1, 7, 4, 3, 6), case(3, 4, 2, 5, 9)]


def interval(baseline: np.ndarray, msvp: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval, in points, of the mean paired difference of accuracies in 0 … 1."""
    found = paired_interval(list(baseline), list(msvp))
    return 100 * found.low, 100 * found.high


def interval_cases(rng: torch.Generator) -> list[Any]:
    def case(seeds: int) -> Any:
        shared = 0.9 + 0.02 * torch.randn(seeds, generator=rng, dtype=torch.float64)
        gain = 0.005 + 0.01 * torch.randn(seeds, generator=rng, dtype=torch.float64)
        return shared.numpy(), (shared + gain).numpy()

    return [case(5), case(12)]


def seeds_needed(spread: float, effect: float) -> int:
    """Return the smallest number of seeds whose 95 % interval has a half-width below an effect."""
    seeds = 2
    while stats.t.ppf(LEVEL, seeds - 1) * spread / math.sqrt(seeds) >= effect:
        seeds += 1
    return seeds


def images_needed(disagree: float, effect: float) -> int:
    """Return how many test images put 1.96 standard errors of the accuracy difference at or below an effect."""
    variance = disagree - effect**2  # of one image's difference, which is −1, 0 or 1
    return math.ceil(1.96**2 * variance / effect**2)


def additive_rank(scales: Sequence[int], size: int) -> int:
    """Return how many independent maps of size × size the upsampled scales can make."""
    pictures = []
    for scale in scales:
        units = torch.eye(scale * scale, dtype=torch.float64).view(-1, 1, scale, scale)
        grown = F.interpolate(units, size=(size, size), mode="bilinear", align_corners=False)
        pictures.append(grown.flatten(1))
    return int(torch.linalg.matrix_rank(torch.cat(pictures)))


def gated(images: Tensor, average: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x + sigmoid(conv1x1(M)) · M for images (B, C, H, W) and an averaged map M (1, C, H, W)."""
    gate = torch.sigmoid(F.conv2d(average, weight, bias))
    return images + gate * average


def gated_cases(rng: torch.Generator) -> list[Any]:
    def case(batch: int, chans: int, height: int, width: int) -> Any:
        shapes = ((batch, chans, height, width), (1, chans, height, width), (chans, chans, 1, 1), (chans,))
        return tuple(torch.randn(shape, generator=rng) for shape in shapes)

    return [case(4, 3, 6, 5), case(2, 1, 9, 7)]
