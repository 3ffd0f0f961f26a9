"""Lesson 05's conditions: how each is built, trained from cached activations, counted and described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore import ActivationPrompt, BitFit, LinearHead, NoPrompt, PadPrompt, Prompted, fit
from vpcore.backbone import Backbone
from vpcore.cache import cached, first_layer
from vpcore.data import Splits
from vpcore.flops import count_flops
from vpcore.inside.prompt_maps import delta_map

HEAD = 1e-2  # rate of a head beside something that learns
RECIPE: dict[str, Any] = {"epochs": 10, "batch_size": 64}


@dataclass(frozen=True)
class Condition:
    """One way to train: its kind ("ap", "channel", "bias", "random", "probe", "vp", "head" or "none") and its layer."""

    kind: str
    layer: int | None = None

    def __str__(self) -> str:
        return self.kind if self.layer is None else f"{self.kind}@{self.layer}"


class Shift(nn.Module):
    """Add a fixed tensor to what a module takes."""

    delta: Tensor

    def __init__(self, delta: Tensor, then: nn.Module) -> None:
        super().__init__()
        self.register_buffer("delta", delta)
        self.then = then

    def forward(self, z: Tensor) -> Tensor:
        """Shift, then run the module."""
        return self.then(z + self.delta)


def shifted(backbone: Backbone, layer: int, delta: Tensor) -> Backbone:
    """Return a frozen backbone that adds a fixed delta before block `layer`; it shares the given one's modules."""
    parts = [*backbone.blocks, backbone.pool]
    parts[layer] = Shift(delta, parts[layer])
    return Backbone(backbone.embed, parts[:-1], parts[-1], backbone.spec)


def random_delta(backbone: Backbone, layer: int, norm: float, seed: int) -> Tensor:
    """Return a random tensor of a layer's shape, (1, …), and of this norm."""
    draw = torch.randn(1, *backbone.spec.shapes[layer], generator=torch.Generator().manual_seed(seed))
    return draw * (norm / draw.norm())


def build(backbone: Backbone, condition: Condition, classes: int, seed: int, norm: float) -> Prompted:
    """Return the model of a condition before training; `norm` is the size of a random delta."""
    spec, tuning = backbone.spec, None
    if condition.kind == "probe":
        assert condition.layer is not None
        backbone = backbone.upto(condition.layer)
    elif condition.kind == "random":
        assert condition.layer is not None
        backbone = shifted(backbone, condition.layer, random_delta(backbone, condition.layer, norm, seed))
    prompt = NoPrompt(backbone.spec)
    if condition.kind in ("ap", "channel"):
        prompt = ActivationPrompt(spec, condition.layer, "full" if condition.kind == "ap" else "per_channel")
    elif condition.kind == "vp":
        prompt = PadPrompt(spec, width="full")
    elif condition.kind == "bias":
        tuning = BitFit(backbone, condition.layer)
    return Prompted(backbone, prompt, LinearHead(backbone.spec.dim, classes, seed=seed), tuning=tuning)


def train(model: Prompted, data: Splits, rate: float, seed: int, **recipe: Any) -> float:
    """Train from cached activations where that is exact; return the best validation accuracy."""
    learns = model.prompt.num_learned() > 0 or model.tuning is not None
    lr = {"prompt": rate, "tuning": rate, "head": HEAD if learns else rate}
    lr = {child: value for child, value in lr.items() if getattr(model, child) is not None}
    inside = first_layer(model) >= 0
    splits = [cached(model, split) if inside else split for split in (data.train, data.valid)]
    best = fit(model, *splits, lr=lr, seed=seed, **RECIPE | recipe).best
    return best.valid_accuracy


def step_cost(model: Prompted, images: Tensor) -> int:
    """Return operations per image of a training step that starts at the cache, forward and backward."""
    start = max(first_layer(model), 0) if first_layer(model) >= 0 else None
    wanted = [p for p in model.parameters() if p.requires_grad]
    x, depth = model.normalize(images), model.backbone.spec.depth
    if start is not None:
        x = model.backbone(x) if start > depth else model.backbone.activations(x, start)
    given, labels = images if start is None else x, torch.zeros(len(images), dtype=torch.int64)
    return count_flops(lambda: torch.autograd.grad(F.cross_entropy(model(given, start), labels), wanted)) // len(images)


@torch.no_grad()
def describe(model: Prompted, images: Tensor, picture: bool) -> dict[str, Any]:
    """Return delta's size against the activations it is added to, and a picture of it."""
    if not isinstance(model.prompt, ActivationPrompt):
        return {}
    layer = model.prompt.first_layer
    delta = model.prompt.delta(layer).expand(1, *model.backbone.spec.shapes[layer])
    z = model.backbone.activations(model.normalize(images), layer)
    found: dict[str, Any] = {
        "norm": float(delta.norm()),
        "relative": float(delta.norm() / z.flatten(1).norm(dim=1).mean()),
    }
    if picture:
        grid, prefix = delta_map(model.prompt)
        found |= {"grid": (grid * 1000).round().int().tolist(), "prefix": (prefix * 1000).round().int().tolist()}
    return found
