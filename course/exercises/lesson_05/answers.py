"""Lesson 05, activation prompts: the right answers, and the inputs they are compared on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.backbone import Backbone, Spec

__all__ = [
    "ActivationDelta",
    "Counting",
    "cached_logits",
    "choose_layer",
    "fold_into_delta",
    "judge_cached",
    "plan",
    "random_delta",
    "to_channels",
    "toy_backbone",
]

SHAPES = ((2, 4, 5), (3, 4, 5), (3, 4, 5))


class ActivationDelta(nn.Module):
    """Add a learned tensor to the activations before one layer."""

    def __init__(self, shapes: Sequence[Sequence[int]], layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.delta = nn.Parameter(torch.zeros(1, *shapes[layer]))

    def forward(self, z: Tensor, layer: int) -> Tensor:
        """Return z, with delta added if this is the prompted layer."""
        return z + self.delta if layer == self.layer else z


def module_cases(rng: torch.Generator) -> list[Any]:
    return [(torch.randn(2, *SHAPES[layer], generator=rng), layer) for layer in (1, 2)]


def plan(prompted: Sequence[int], tuned: Sequence[int], depth: int) -> tuple[int, list[int]]:
    """Return where each step must start again, and the blocks that run once."""
    first = min([*prompted, *tuned], default=depth + 1)
    return first, [block for block in range(depth) if block < first]


def plan_cases(rng: torch.Generator) -> list[Any]:
    learned = [([2], []), ([-1], []), ([], [3]), ([5, 1], []), ([6], []), ([], []), ([4], [2]), ([1], [5]), ([], [-1])]
    return [(prompted, tuned, depth) for depth in (6, 7) for prompted, tuned in learned]


def cached_logits(backbone: Backbone, head: nn.Module, x: Tensor, layer: int, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Return the activations before a layer, which never change, and the logits computed from them."""
    with torch.no_grad():
        z = backbone.embed(x)
        for block in backbone.blocks[:layer]:
            z = block(z)
    y = z + delta
    for block in backbone.blocks[layer:]:
        y = block(y)
    return z, head(backbone.pool(y))


def toy_backbone(rng: torch.Generator) -> tuple[Backbone, nn.Module]:
    """Return a small network in float64 whose layers all have one shape, and a head for it."""
    convs = [nn.Conv2d(chans, 4, 3, padding=1).double() for chans in (3, 4, 4, 4)]
    head = nn.Linear(4, 2).double()
    with torch.no_grad():
        for module in (*convs, head):
            for tensor in module.parameters():
                tensor.copy_(0.4 * torch.randn(tensor.shape, generator=rng, dtype=torch.float64))
    blocks = [nn.Sequential(conv, nn.Tanh()) for conv in convs[1:]]
    pool = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Tanh())  # not the mean that a learner may write
    spec = Spec("toy", "cnn", 6, 3, 4, ((4, 6, 5),) * 4, (0.5,) * 3, (0.5,) * 3)
    return Backbone(convs[0], blocks, pool, spec), head.requires_grad_(False)


def images_and_delta(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return images for the small network, and a delta for any of its layers."""
    x, delta = (torch.randn(*size, 6, 5, generator=rng, dtype=torch.float64) for size in ((7, 3), (1, 4)))
    return x, delta


def cached_cases(rng: torch.Generator) -> list[Any]:
    backbone, head = toy_backbone(rng)
    x, delta = images_and_delta(rng)
    return [(backbone, head, x, layer, delta) for layer in (1, 0, 2, 3)]


class Counting(nn.Module):
    """Run a module and count how often, a copy's runs with its own: as the grader counts them."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.calls = module, 0

    def forward(self, x: Tensor) -> Tensor:
        """Run it once more."""
        self.calls += 1
        return self.module(x)

    def __deepcopy__(self, memo: Any) -> Counting:
        return self


def judge_cached(answer: Any) -> str | None:
    """Say what is wrong with a cached step whose numbers are right: a part runs twice, or delta cannot learn."""
    rng = torch.Generator().manual_seed(5)
    backbone, head = toy_backbone(rng)
    backbone.embed = Counting(backbone.embed)
    backbone.blocks = nn.ModuleList(Counting(block) for block in backbone.blocks)
    x, delta = images_and_delta(rng)
    _, logits = answer(backbone, head, x, 2, delta.requires_grad_())
    parts = {"embed": backbone.embed, **{f"block {place}": block for place, block in enumerate(backbone.blocks)}}
    for name, part in parts.items():
        if part.calls > 1:
            return f"you run {name} more than once: the logits must start from z, or nothing is saved"
    if not logits.requires_grad:
        return "no gradient reaches delta: leave torch.no_grad() before you add it"
    return None


def choose_layer(valid: np.ndarray, tests: Mapping[str, np.ndarray]) -> tuple[int, dict[str, tuple[float, float]]]:
    """Return the layer that validation chooses, and what it gives and loses on other sets."""
    layer = int(valid.mean(1).argmax())
    report = {}
    for name, accuracies in tests.items():
        means = accuracies.mean(1)
        report[name] = (float(means[layer]), float(means.max() - means[layer]))
    return layer, report


def choose_cases(rng: torch.Generator) -> list[Any]:
    def table(layers: int, seeds: int) -> np.ndarray:
        return torch.rand(layers, seeds, generator=rng, dtype=torch.float64).numpy()

    def case(layers: int, seeds: int, others: int) -> Any:
        return table(layers, seeds), {"digits": table(layers, others), "clothes": table(layers, others + 1)}

    cases = [case(8, 5, 3), case(7, 4, 6), case(8, 3, 5), case(7, 5, 4)]
    cases[0][0][2] = (3.0, 3.0, 0.0, 0.0, 0.0)  # here the mean decides otherwise than the middle run
    return cases


def fold_into_delta(weight: Tensor, bias: Tensor, added: Tensor) -> Tensor:
    """Return delta (1, N, D), which does at the patch tokens what an added picture does at the pixels."""
    return F.conv2d(added, weight, stride=weight.shape[-1]).flatten(2).transpose(1, 2)


def fold_cases(rng: torch.Generator) -> list[Any]:
    def case(chans: int, patch: int, rows: int, columns: int, dim: int) -> Any:
        shapes = ((dim, chans, patch, patch), (dim,), (1, chans, patch * rows, patch * columns))
        return tuple(torch.randn(shape, generator=rng, dtype=torch.float64) for shape in shapes)

    return [case(3, 4, 3, 2, 8), case(1, 2, 4, 7, 5)]


def to_channels(delta: Tensor) -> Tensor:
    """Return the part of a delta that is the same at every place: its mean over places or tokens."""
    places = (2, 3) if delta.dim() == 4 else (1,)
    return delta.mean(places, keepdim=True)


def channel_cases(rng: torch.Generator) -> list[Any]:
    return [torch.randn(shape, generator=rng) for shape in ((1, 6, 4, 4), (1, 5, 8), (1, 3, 2, 5))]


def random_delta(delta: Tensor, seed: int) -> Tensor:
    """Return a random tensor with the shape and the norm of delta."""
    draw = torch.randn(delta.shape, generator=torch.Generator().manual_seed(seed))
    return draw * delta.norm() / draw.norm()


def judge_random(answer: Any) -> str | None:
    """Say so if a random delta is drawn from the global stream, which other code then finds moved."""
    before = torch.random.get_rng_state()
    answer(torch.ones(1, 3, 2, 5), 11)
    if not torch.equal(before, torch.random.get_rng_state()):
        return "you draw from the global random stream: make a torch.Generator with the seed, and draw from it"
    return None


def random_cases(rng: torch.Generator) -> list[Any]:
    return [
        (3 * torch.randn(shape, generator=rng), seed)
        for seed, shape in enumerate(((1, 6, 4, 4), (1, 5, 8), (1, 2, 3, 5)))
    ]
