"""Optimizers by name and learning rates by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

OPTIMIZERS = ("adamw", "adam", "sgd")
SLOTS = {  # what each keeps for a parameter, by name
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.Adam: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.SGD: {"momentum_buffer"},
}
SCHEDULES = ("cosine", "cosine_epoch", "constant")


def make_optimizer(
    model: nn.Module, name: str, lr: float | Mapping[str, float], weight_decay: float | Mapping[str, float]
) -> torch.optim.Optimizer:
    """Build an optimizer over what requires a gradient, one group per child of the model.

    A rate may be given for a child that learns nothing; parameters outside of any child form the group "model".

    Raises:
        ValueError: unknown name, a rate for no child of the model or none for one that learns, or nothing to learn.
    """
    return build_optimizer(name, parameter_groups(model, lr, weight_decay))


def build_optimizer(name: str, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
    """Build an optimizer over the parameters of `parameter_groups`.

    Raises:
        ValueError: unknown name.
    """
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=0.9)
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {name!r}")
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return kind(groups, fused=True)


def merged(groups: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put what learns alike into one group, which a GPU updates at once; optimizers work by element, so nothing mixes.

    Args:
        groups: of one model or of several, with tensors of their own.

    Returns:
        One group for each pair of peak rate and decay, in the order of their first use.
    """
    found: dict[tuple[float, float], dict[str, Any]] = {}
    for group in groups:
        alike = group["peak_lr"], group["weight_decay"]
        found.setdefault(alike, {**group, "params": []})["params"] += group["params"]
    return [*found.values()]


def parameter_groups(
    model: nn.Module, lr: float | Mapping[str, float], weight_decay: float | Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return what requires a gradient, a group per child; arguments and errors as `make_optimizer`."""
    learned = _learned_by_child(model)
    if not learned:
        raise ValueError("nothing to learn: no parameter of the model requires a gradient")
    for what in (lr, weight_decay):
        unknown = set(what) - {*dict(model.named_children()), "model"} if isinstance(what, Mapping) else set()
        missing = set(learned) - set(what) if isinstance(what, Mapping) else set()
        if unknown or missing:
            raise ValueError(f"rates must be given for {', '.join(learned)}, got {', '.join(what)}")  # type: ignore[arg-type]
    return [
        {
            "params": parameters,
            "lr": _of(lr, child),
            "peak_lr": _of(lr, child),
            "weight_decay": _of(weight_decay, child),
        }
        for child, parameters in learned.items()
    ]


def _learned_by_child(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return what learns, by child; a tensor that two children share belongs to the first."""
    learned: dict[str, list[nn.Parameter]] = {}
    taken: set[nn.Parameter] = set()
    for child, module in [*model.named_children(), ("model", model)]:
        mine = [p for p in module.parameters() if p.requires_grad and p not in taken]
        if mine:
            learned.setdefault(child, []).extend(mine)
            taken.update(mine)
    return learned


def _of(rate: float | Mapping[str, float], child: str) -> float:
    return float(rate[child] if isinstance(rate, Mapping) else rate)


def schedule_factor(name: str, epochs: int, steps: int, warmup_steps: int = 0) -> Callable[[int], float]:
    """Return the function from step (0 … epochs · steps - 1) to a factor in (0, 1] of the peak learning rate."""
    if name not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {name!r}")
    total = epochs * steps
    if not 0 <= warmup_steps < total:
        raise ValueError(f"warmup_steps must be in 0 … {total - 1} for {total} steps, got {warmup_steps}")

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        if name == "constant":
            return 1.0
        if name == "cosine_epoch":
            return 0.5 * (1 + math.cos(math.pi * (step // steps) / epochs))
        return 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / (total - warmup_steps)))

    return factor
