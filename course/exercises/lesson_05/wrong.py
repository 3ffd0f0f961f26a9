"""Lesson 05, activation prompts: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.exercises.lesson_05.answers import ActivationDelta, choose_layer, fold_into_delta
from vpcore.backbone import Backbone


class EveryLayer(ActivationDelta):
    """Adds delta wherever it is called."""

    def forward(self, z: Tensor, layer: int) -> Tensor:
        """Ignore the layer."""
        return z + self.delta


class OneLater(ActivationDelta):
    """Adds delta one layer too late."""

    def forward(self, z: Tensor, layer: int) -> Tensor:
        """Act after the block."""
        return z + self.delta if layer == self.layer + 1 else z


class Scales(ActivationDelta):
    """Multiplies instead of adding."""

    def forward(self, z: Tensor, layer: int) -> Tensor:
        """Scale z."""
        return z * (1 + self.delta) if layer == self.layer else z


class Replaces(ActivationDelta):
    """Forgets the activations."""

    def forward(self, z: Tensor, layer: int) -> Tensor:
        """Return delta alone."""
        return self.delta.expand_as(z) if layer == self.layer else z


class Channels(ActivationDelta):
    """Learns one number a channel."""

    def __init__(self, shapes: Sequence[Sequence[int]], layer: int) -> None:
        super().__init__(shapes, layer)
        self.delta = nn.Parameter(torch.zeros(1, shapes[layer][0], 1, 1))


class FirstShape(ActivationDelta):
    """Takes the shape of layer 0."""

    def __init__(self, shapes: Sequence[Sequence[int]], layer: int) -> None:
        super().__init__(shapes, layer)
        self.delta = nn.Parameter(torch.zeros(1, *shapes[0]))


def plan_with(
    choose: Callable[..., int] = min, empty: int = 1, extra: int = 0, prompts: bool = True, weights: bool = True
) -> Any:
    """Return a wrong plan."""

    def wrong(prompted: Sequence[int], tuned: Sequence[int], depth: int) -> tuple[int, list[int]]:
        learned = [*(prompted if prompts else ()), *(tuned if weights else ())]
        first = choose(learned, default=depth + empty)
        return first, [block for block in range(depth) if block < first + extra]

    return wrong


def cached_with(
    below: int = 0, above: int = 0, after: int = 0, into_cache: bool = False, scale: float = 1.0, own_pool: bool = False
) -> Any:
    """Return a wrong cached step: cut elsewhere, delta added elsewhere or inside the cache, or pooled by hand."""

    def wrong(backbone: Backbone, head: nn.Module, x: Tensor, layer: int, delta: Tensor) -> tuple[Tensor, Tensor]:
        z = backbone.embed(x)
        for block in backbone.blocks[: layer + below]:
            z = block(z)
        y = z + scale * delta if not after else z
        for place, block in enumerate(backbone.blocks[max(0, layer + above) :]):
            y = block(y) + (delta if after and place == 0 else 0)
        return (z + delta if into_cache else z), head(y.mean((2, 3)) if own_pool else backbone.pool(y))

    return wrong


def choose_with(pick: Callable[[np.ndarray], int], best: Callable[[np.ndarray], float] | None = None) -> Any:
    """Return a wrong choice of the layer, or a wrong loss."""

    def wrong(valid: np.ndarray, tests: Mapping[str, np.ndarray]) -> Any:
        layer = pick(valid)
        rows = {name: (float(runs.mean(1)[layer]), runs) for name, runs in tests.items()}
        top = best or (lambda runs: float(runs.mean(1).max()))
        return layer, {name: (mean, top(runs) - mean) for name, (mean, runs) in rows.items()}

    return wrong


def by_median(valid: np.ndarray) -> int:
    """Choose by the middle run of each layer."""
    return int(np.median(valid, axis=1).argmax())


def by_mean(valid: np.ndarray) -> int:
    """Choose right."""
    return int(valid.mean(1).argmax())


def choose_on_test(valid: np.ndarray, tests: Mapping[str, np.ndarray]) -> Any:
    """Choose on the set that is reported."""
    return choose_layer(next(iter(tests.values())), tests)


def choose_for_each(valid: np.ndarray, tests: Mapping[str, np.ndarray]) -> Any:
    """Report the best layer of each set."""
    best = {name: float(runs.mean(1).max()) for name, runs in tests.items()}
    return by_mean(valid), {name: (value, 0.0) for name, value in best.items()}


def negative_loss(valid: np.ndarray, tests: Mapping[str, np.ndarray]) -> Any:
    """Subtract the wrong way round."""
    layer, report = choose_layer(valid, tests)
    return layer, {name: (mean, -lost) for name, (mean, lost) in report.items()}


def fold_with(bias_too: bool = False, order: str = "rows", sign: int = 1) -> Any:
    """Return a wrong delta for a picture."""

    def wrong(weight: Tensor, bias: Tensor, added: Tensor) -> Tensor:
        grid = F.conv2d(added, weight, bias if bias_too else None, stride=weight.shape[-1])
        grid = grid.transpose(2, 3) if order == "columns" else grid
        flat = grid.flatten(2)
        return sign * (flat.reshape(1, flat.shape[2], flat.shape[1]) if order == "reshaped" else flat.transpose(1, 2))

    return wrong


def fold_mean(weight: Tensor, bias: Tensor, added: Tensor) -> Tensor:
    """Give every token the mean."""
    delta = fold_into_delta(weight, bias, added)
    return delta.mean(1, keepdim=True).expand_as(delta)


def channels_with(reduce: Callable[[Tensor, tuple[int, ...]], Tensor], keep: Callable[[Tensor], Tensor]) -> Any:
    """Return a wrong per-channel part."""

    def wrong(delta: Tensor) -> Tensor:
        delta = keep(delta)
        return reduce(delta, (2, 3) if delta.dim() == 4 else (1,))

    return wrong


def mean(delta: Tensor, places: tuple[int, ...]) -> Tensor:
    """Average and keep the dimensions."""
    return delta.mean(places, keepdim=True)


def random_with(draw: Callable[..., Tensor] = torch.randn, size: Callable[[Tensor, Tensor], Any] | None = None) -> Any:
    """Return a wrong random delta."""

    def wrong(delta: Tensor, seed: int) -> Tensor:
        made = draw(delta.shape, generator=torch.Generator().manual_seed(seed))
        return made * (size(delta, made) if size else delta.norm() / made.norm())

    return wrong


def shuffled(delta: Tensor, seed: int) -> Tensor:
    """Shuffle the entries of delta."""
    order = torch.randperm(delta.numel(), generator=torch.Generator().manual_seed(seed))
    return delta.flatten()[order].view_as(delta)
