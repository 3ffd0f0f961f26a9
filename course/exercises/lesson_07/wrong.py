"""Lesson 07, do the pictures explain: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor


def agreement_with(
    own: bool = False, far: bool = False, vote: bool = False, angle: bool = False, unit: bool = False
) -> Any:
    """Return a wrong agreement of neighbors."""

    def wrong(features: Tensor, labels: Tensor, k: int) -> float:
        features = torch.nn.functional.normalize(features, dim=1) if unit else features
        distances = -(features @ features.T) if angle else torch.cdist(features, features)
        if not own:
            distances.fill_diagonal_(-torch.inf if far else torch.inf)
        nearest = labels[distances.topk(k, largest=far).indices]
        if vote:
            return float((nearest.mode(1).values == labels).double().mean())
        return float((nearest == labels[:, None]).double().mean())

    return wrong


def total(features: Tensor, labels: Tensor, k: int) -> float:
    """Divide by the number of points only."""
    return k * agreement_with()(features, labels, k)


def one_more(features: Tensor, labels: Tensor, k: int) -> float:
    """Take k + 1 with the point itself."""
    return agreement_with(own=True)(features, labels, k + 1)


def one_less(features: Tensor, labels: Tensor, k: int) -> float:
    """Take k with the point itself, and drop it."""
    return agreement_with()(features, labels, k - 1)


def disagreement(features: Tensor, labels: Tensor, k: int) -> float:
    """Count the others."""
    return 1 - agreement_with()(features, labels, k)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) if a.std() and b.std() else 0.0


def on_values(first: np.ndarray, second: np.ndarray) -> float:
    """Correlate values instead of ranks."""
    return _pearson(first, second)


def ordinal(first: np.ndarray, second: np.ndarray) -> float:
    """Give equal values different ranks."""
    return _pearson(*(stats.rankdata(values, method="ordinal") for values in (first, second)))


def sorted_twice(first: np.ndarray, second: np.ndarray) -> float:
    """Give equal values different ranks, in whatever order a sort leaves them."""
    return _pearson(*(values.ravel().argsort().argsort() for values in (first, second)))


def on_values_unguarded(first: np.ndarray, second: np.ndarray) -> float:
    """Correlate values instead of ranks, and return no number where they are all equal."""
    return _pearson(first, second) if first.std() and second.std() else float("nan")


def places(first: np.ndarray, second: np.ndarray) -> float:
    """Take the order for the ranks."""
    return _pearson(first.ravel().argsort(), second.ravel().argsort())


def short_formula(first: np.ndarray, second: np.ndarray) -> float:
    """Use the formula for ranks without ties."""
    d, n = stats.rankdata(first) - stats.rankdata(second), first.size
    return float(1 - 6 * (d * d).sum() / (n * (n * n - 1)))


def unguarded(first: np.ndarray, second: np.ndarray) -> float:
    """Return no number for a map without order."""
    if not first.std() or not second.std():
        return float("nan")
    return _pearson(stats.rankdata(first), stats.rankdata(second))


def smallest_rank(first: np.ndarray, second: np.ndarray) -> float:
    """Give equal values the smallest of their ranks."""
    return _pearson(*(stats.rankdata(values, method="min") for values in (first, second)))


def in_percent(x: np.ndarray, y: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    """Take quantiles for percentiles."""
    found = [_pearson(stats.rankdata(x[draw]), stats.rankdata(y[draw])) for draw in draws]
    low, high = np.percentile(found, (0.025, 0.975))
    return float(low), float(high)


def absolute(first: np.ndarray, second: np.ndarray) -> float:
    """Drop the sign."""
    return abs(_pearson(stats.rankdata(first), stats.rankdata(second)))


def bootstrap_with(pairs: bool = True, level: float = 0.95, ranks: bool = True, normal: bool = False) -> Any:
    """Return a wrong bootstrap interval."""

    def wrong(x: np.ndarray, y: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
        found = []
        for draw in draws:
            a, b = x[draw], y[draw] if pairs else y
            found.append(_pearson(stats.rankdata(a), stats.rankdata(b)) if ranks else _pearson(a, b))
        if normal:
            middle, spread = np.mean(found), 1.96 * np.std(found)
            return float(middle - spread), float(middle + spread)
        low, high = np.quantile(found, ((1 - level) / 2, (1 + level) / 2))
        return float(low), float(high)

    return wrong


def ranked_once(x: np.ndarray, y: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    """Rank all pairs once, and draw ranks."""
    return bootstrap_with(ranks=False)(stats.rankdata(x), stats.rankdata(y), draws)


def extremes(x: np.ndarray, y: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    """Return the whole range."""
    return bootstrap_with(level=1.0)(x, y, draws)


def distance_with(rescale: bool = True, power: int = 1, norm: float = 2.0, keys: bool = False) -> Any:
    """Return a wrong mean attention distance."""

    def wrong(weights: Tensor, places: Tensor) -> Tensor:
        among = weights[:, 1:, 1:]
        if rescale:
            among = among / among.sum(-2 if keys else -1, keepdim=True)
        return (among * torch.cdist(places, places, p=norm) ** power).sum(-1).mean(-1)

    return wrong


def unmeaned(weights: Tensor, places: Tensor) -> Tensor:
    """Average over keys as well."""
    return distance_with()(weights, places) / len(places)


def softmax_twice(weights: Tensor, places: Tensor) -> Tensor:
    """Scale the rows by a softmax."""
    return (weights[:, 1:, 1:].softmax(-1) * torch.cdist(places, places)).sum(-1).mean(-1)


def one_sum(weights: Tensor, places: Tensor) -> Tensor:
    """Divide by one sum for all rows."""
    among = weights[:, 1:, 1:]
    return (among / among.sum((-1, -2), keepdim=True) * torch.cdist(places, places)).sum((-1, -2))


def last_token(weights: Tensor, places: Tensor) -> Tensor:
    """Cut off the last token instead of the first."""
    among = weights[:, :-1, :-1]
    among = among / among.sum(-1, keepdim=True)
    return (among * torch.cdist(places, places)).sum(-1).mean(-1)
