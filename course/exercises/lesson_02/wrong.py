"""Lesson 02, multiscale prompts: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional as F

from course.exercises.lesson_02.answers import LEVEL, additive_rank, average_maps, interval, seeds_needed


def average_with(**options: Any) -> Any:
    """Return an average of maps that were stretched in another way."""

    def wrong(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        chosen = {"size": size, "mode": "bilinear", "align_corners": False, **options}
        return torch.stack([F.interpolate(prompt_map, **chosen) for prompt_map in maps]).mean(0)

    return wrong


def count_with(concat: Any, gated: Any, numbers: Any = lambda scale: scale**2) -> Any:
    """Return a wrong count: what concat and gated add, and how many numbers a map of a scale has."""

    def wrong(chans: int, scales: Sequence[int], fusion: str) -> int:
        extra = {"concat": concat, "gated": gated}.get(fusion, lambda chans, n: 0)
        return chans * sum(map(numbers, scales)) + extra(chans, len(scales))

    return wrong


def concat_right(chans: int, n: int) -> int:
    """Count the weights of concat's convolution."""
    return (n + 1) * chans**2


def gated_right(chans: int, n: int) -> int:
    """Count the weights and biases of the gate's convolution."""
    return chans**2 + chans


def fold_with(bias_too: bool = False, order: str = "rows", sign: int = 1, first: int = 1, keep: bool = True) -> Any:
    """Return a wrong way to fold a map into a position embedding."""

    def wrong(weight: Tensor, bias: Tensor, position: Tensor, added: Tensor) -> Tensor:
        grid = F.conv2d(added, weight, bias if bias_too else None, stride=weight.shape[-1])
        grid = grid.transpose(2, 3) if order == "columns" else grid
        flat = grid.flatten(2)
        tokens = flat.reshape(1, flat.shape[2], flat.shape[1]) if order == "reshaped" else flat.transpose(1, 2)
        folded = position.clone()
        folded[:, 1:] *= keep
        folded[:, first : first + tokens.shape[1]] += sign * tokens
        return folded

    return wrong


def interval_with(quantile: Any = None, ddof: int = 1, root: bool = True, sign: int = 1, unit: float = 100) -> Any:
    """Return a wrong paired interval."""

    def wrong(baseline: np.ndarray, msvp: np.ndarray) -> tuple[float, float]:
        differences = sign * unit * (msvp - baseline)
        seeds = len(differences)
        error = differences.std(ddof=ddof) / (math.sqrt(seeds) if root else 1)
        half = (quantile or (lambda n: stats.t.ppf(LEVEL, n - 1)))(seeds) * error
        return differences.mean() - half, differences.mean() + half

    return wrong


def interval_as_half(baseline: np.ndarray, msvp: np.ndarray) -> tuple[float, float]:
    """Return the mean and half the interval's length."""
    low, high = interval(baseline, msvp)
    return (low + high) / 2, (high - low) / 2


def interval_unpaired(freedom: Any) -> Any:
    """Return an interval that treats the two lists as unrelated; `freedom` gives its degrees of freedom."""

    def wrong(baseline: np.ndarray, msvp: np.ndarray) -> tuple[float, float]:
        seeds = len(msvp)
        error = 100 * math.sqrt((msvp.var(ddof=1) + baseline.var(ddof=1)) / seeds)
        mean, half = 100 * (msvp.mean() - baseline.mean()), stats.t.ppf(LEVEL, freedom(seeds)) * error
        return mean - half, mean + half

    return wrong


def settle_with(quantile: Any, start: int = 2, factor: float = 1.0, root: bool = True) -> Any:
    """Return a wrong number of seeds."""

    def wrong(spread: float, effect: float) -> int:
        seeds = start
        while factor * quantile(seeds) * spread / (math.sqrt(seeds) if root else seeds) >= effect:
            seeds += 1
        return seeds

    return wrong


def student(seeds: int) -> float:
    """Return the two-sided 95 % quantile of Student's t for a number of seeds."""
    return float(stats.t.ppf(LEVEL, seeds - 1))


def off_by_one(spread: float, effect: float) -> int:
    """Stop one seed early."""
    return seeds_needed(spread, effect) - 1


def rank_with(**options: Any) -> Any:
    """Return the rank of maps that were stretched in another way."""

    def wrong(scales: Sequence[int], size: int) -> int:
        rows = []
        for scale in scales:
            units = torch.eye(scale * scale, dtype=torch.float64).view(-1, 1, scale, scale)
            rows.append(F.interpolate(units, size=(size, size), **options).flatten(1))
        return int(torch.linalg.matrix_rank(torch.cat(rows)))

    return wrong


def rank_last(scales: Sequence[int], size: int) -> int:
    """Keep the rows of the last scale only."""
    return additive_rank(scales[-1:], size)


def gate_sees_image(images: Tensor, average: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Let the gate read the image."""
    return images + torch.sigmoid(F.conv2d(images, weight, bias)) * average


def gate_on_image(images: Tensor, average: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Gate the image instead of the map."""
    return images * torch.sigmoid(F.conv2d(average, weight, bias)) + average


def gate_blends(images: Tensor, average: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Go from the image to the map as the gate opens."""
    return torch.lerp(images, average.expand_as(images), torch.sigmoid(F.conv2d(average, weight, bias)))


def gate_is_map(images: Tensor, average: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Add the gate itself."""
    return images + torch.sigmoid(F.conv2d(average, weight, bias))


def gate_open(images: Tensor, average: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Leave out the sigmoid."""
    return images + F.conv2d(average, weight, bias) * average


def gate_no_bias(images: Tensor, average: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Leave out the bias."""
    return images + torch.sigmoid(F.conv2d(average, weight)) * average


def sum_maps(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Sum instead of averaging."""
    return average_maps(maps, size) * len(maps)


def average_turned(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Take the size for (W, H)."""
    return average_maps(maps, (size[1], size[0]))


def last_map(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Keep the last map only."""
    return average_maps(maps[-1:], size)


def images_with(
    factor: float = 1.96, disagree_only: bool = False, twice: bool = False, rounding: Any = math.ceil
) -> Any:
    """Return a wrong count of test images."""

    def wrong(disagree: float, effect: float) -> int:
        variance = disagree * (1 - disagree) if disagree_only else disagree - effect**2
        return rounding((2 if twice else 1) * factor**2 * variance / effect**2)

    return wrong


def count_numbers(scales: Sequence[int], size: int) -> int:
    """Count the learned numbers instead of the independent maps."""
    return sum(scale**2 for scale in scales)


def one_less(scales: Sequence[int], size: int) -> int:
    """Take away one redundant number, however many scales there are."""
    return sum(scale**2 for scale in scales) - 1


def less_by_scales(scales: Sequence[int], size: int) -> int:
    """Take away one number for each scale after the first."""
    return sum(scale**2 for scale in scales) - (len(scales) - 1)


def images_without_effect(disagree: float, effect: float) -> int:
    """Leave the effect out of the variance, as the standard error of lesson 00 does."""
    return math.ceil(1.96**2 * disagree / effect**2)
