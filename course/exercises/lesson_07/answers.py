"""Lesson 07, do the pictures explain: the right answers, and the inputs they are compared on."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

__all__ = ["agreement", "bootstrap_interval", "mean_distance", "rank_correlation", "shuffle_top"]


def agreement(features: Tensor, labels: Tensor, k: int) -> float:
    """Return the share of the k nearest other points with the same label, mean over all points."""
    distances = torch.cdist(features, features)
    distances.fill_diagonal_(torch.inf)
    nearest = distances.topk(k, largest=False).indices  # (N, k)
    return float((labels[nearest] == labels[:, None]).double().mean())


def agreement_cases(rng: torch.Generator) -> list[Any]:
    def case(count: int, dim: int, classes: int, k: int) -> Any:
        labels = torch.randint(classes, (count,), generator=rng)
        centers = torch.randn(classes, dim, generator=rng)
        noise = torch.randn(count, dim, generator=rng)
        return 3 + (centers[labels] + noise) * (1 + torch.rand(count, 1, generator=rng)), labels, k

    return [case(60, 4, 3, 5), case(40, 2, 4, 1), case(80, 6, 2, 8)]


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's rank correlation of two arrays of one shape; 0 where one of them has no order at all."""
    ranks = [stats.rankdata(values) for values in (first, second)]  # flattens; equal values share their mean rank
    a, b = (rank - rank.mean() for rank in ranks)
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 0 else 0.0


def rank_cases(rng: torch.Generator) -> list[Any]:
    def draw(*shape: int) -> np.ndarray:
        return torch.randn(*shape, generator=rng, dtype=torch.float64).numpy()

    x, z = draw(12), draw(5, 5)
    kept = np.maximum(draw(5, 5) + z - 0.5, 0)  # many zeros, as in a Grad-CAM map
    return [
        (x, np.exp(2 * x) + draw(12)),
        (np.maximum(z, 0), kept),
        (np.round(draw(20)), np.round(draw(20))),
        (draw(3, 4), np.zeros((3, 4))),
    ]


def shuffle_top(parts: nn.ModuleList, count: int, seed: int) -> nn.ModuleList:
    """Return a copy of a list of modules; in its last `count`, the entries of each parameter are shuffled."""
    shuffled = copy.deepcopy(parts)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in list(shuffled)[len(parts) - count :]:
            for values in part.parameters():
                order = torch.randperm(values.numel(), generator=draw)
                values.copy_(values.flatten()[order].view_as(values))
    return shuffled


@dataclass(frozen=True)
class Cascade:
    """One list of modules, and how many of them from the end are to be shuffled."""

    parts: nn.ModuleList
    count: int
    seed: int


def cascades(rng: torch.Generator) -> list[Cascade]:
    """Return lists of small modules with random weights."""

    def net() -> nn.ModuleList:
        parts = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(3, 13, 3), nn.BatchNorm2d(13)), nn.Conv2d(13, 15, 3), nn.BatchNorm2d(15),
             nn.Linear(15, 14)]  # 13 entries or more: no order drawn at random leaves them as they were
        )  # fmt: skip
        with torch.no_grad():
            for values in parts.parameters():
                values.copy_(torch.randn(values.shape, generator=rng))
            for name, means in parts.named_buffers():
                if name.endswith("running_mean"):
                    means.copy_(torch.randn(means.shape, generator=rng))
        return parts

    return [Cascade(net(), count, seed) for count, seed in ((2, 3), (1, 5), (4, 0), (0, 7))]


def bootstrap_interval(x: np.ndarray, y: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the rank correlation of n pairs; draws (R, n) are indices of pairs."""
    found = [rank_correlation(x[draw], y[draw]) for draw in draws]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def bootstrap_cases(rng: torch.Generator) -> list[Any]:
    def case(count: int, draws: int) -> Any:
        x = torch.randn(count, generator=rng, dtype=torch.float64)
        y = torch.exp(x + 0.7 * torch.randn(count, generator=rng, dtype=torch.float64))
        rows = [row for row in torch.randint(count, (draws, count), generator=rng) if len(row.unique()) > 2]
        return x.numpy(), y.numpy(), torch.stack(rows).numpy()

    return [case(7, 150), case(20, 60)]


def mean_distance(weights: Tensor, places: Tensor) -> Tensor:
    """Return how far each head looks: weights (heads, 1 + N, 1 + N) with the class token first, places (N, 2)."""
    among = weights[:, 1:, 1:]
    among = among / among.sum(-1, keepdim=True)
    return (among * torch.cdist(places, places)).sum(-1).mean(-1)


def distance_cases(rng: torch.Generator) -> list[Any]:
    def case(heads: int, side: int, patch: int) -> Any:
        count = 1 + side * side
        weights = torch.randn(heads, count, count, generator=rng, dtype=torch.float64).mul(2).softmax(-1)
        steps = torch.arange(side, dtype=torch.float64) * patch
        return weights, torch.cartesian_prod(steps, steps)

    return [case(3, 4, 8), case(5, 3, 4)]
