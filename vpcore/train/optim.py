"""Optimizers by name and learning rates by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import nn

OPTIMIZERS = ("adamw", "adam", "sgd")
SLOTS = {  # what each keeps for a parameter, by name
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.Adam: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.SGD: {"momentum_buffer"},
}
SCHEDULES = ("cosine", "cosine_epoch", "constant")

Rate = float | Mapping[str, float]  # for all that a model learns, or one per child


def make_optimizer(model: nn.Module, name: str, lr: Rate, weight_decay: Rate) -> torch.optim.Optimizer:
    """Build an optimizer over what requires a gradient, one group per child of the model, each with its `peak_lr`.

    A rate may be given for a child that learns nothing; parameters outside of any child form the group "model".

    Raises:
        ValueError: unknown name, a rate for no child of the model or none for one that learns, or nothing to learn.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {name!r}")
    learned = _learned_by_child(model)
    if not learned:
        raise ValueError("nothing to learn: no parameter of the model requires a gradient")
    children = {*dict(model.named_children()), "model"}
    for rates in (lr, weight_decay):
        if isinstance(rates, Mapping) and (set(rates) - children or set(learned) - set(rates)):
            raise ValueError(f"rates must be given for {', '.join(learned)}, got {', '.join(rates)}")
    groups = []
    for child, parameters in learned.items():
        rate, decay = (float(each[child] if isinstance(each, Mapping) else each) for each in (lr, weight_decay))
        groups.append({"params": parameters, "lr": rate, "peak_lr": rate, "weight_decay": decay})
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=0.9)
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return kind(groups, fused=True)


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
