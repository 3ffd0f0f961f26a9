"""Optimizers and learning rates by step: by name, or as torch makes them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from vpcore.rates import default_rate

OPTIMIZERS = ("adamw", "adam", "sgd")
SCHEDULES = ("cosine", "cosine_epoch", "constant")

Rate = float | Mapping[str, float]  # for all that a model learns, or one per child


def make_optimizer(
    model: nn.Module, kind: str | Callable[..., torch.optim.Optimizer], lr: Rate | None, weight_decay: Rate
) -> torch.optim.Optimizer:
    """Build an optimizer over what requires a gradient, one group per child of the model, each with its `peak_lr`.

    A rate may be given for a child that learns nothing; parameters outside of any child form the group "model".

    Args:
        model: what learns.
        kind: one of `OPTIMIZERS`, or a callable that makes an optimizer of parameter groups.
        lr: None takes `vpcore.default_rate(model)`, and leaves a callable its own.
        weight_decay: 0 leaves a callable its own.

    Raises:
        ValueError: unknown name, a rate for no child of the model, none for one that learns, or one that is no rate,
            no rate for sgd, or nothing to learn.
        TypeError: the callable makes no optimizer.
    """
    if isinstance(kind, str) and kind not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, or a callable, got {kind!r}")
    learned = _learned_by_child(model)
    if not learned:
        raise ValueError("nothing to learn: no parameter of the model requires a gradient")
    if lr is None and kind == "sgd":
        raise ValueError("sgd needs a learning rate, the published ones are for Adam: give lr, as 0.1")
    lr = default_rate(model) if lr is None and isinstance(kind, str) else lr
    children = {*dict(model.named_children()), "model"}
    for rates in (lr, weight_decay):
        if isinstance(rates, Mapping) and (set(rates) - children or set(learned) - set(rates)):
            raise ValueError(f"rates must be given for {', '.join(learned)}, got {', '.join(rates)}")
    groups: list[dict[str, Any]] = [{"params": parameters} for parameters in learned.values()]
    for group, child in zip(groups, learned, strict=True):
        if lr is not None:
            group["lr"] = _rate("lr", lr, child)
        if isinstance(kind, str) or weight_decay != 0:
            group["weight_decay"] = _rate("weight_decay", weight_decay, child)
    optimizer = _make(kind, groups)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer must make a torch.optim.Optimizer of parameter groups, got {optimizer!r}")
    for group in optimizer.param_groups:
        group["peak_lr"] = group["lr"]
    return optimizer


def _make(kind: str | Callable[..., torch.optim.Optimizer], groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    if not isinstance(kind, str):
        return kind(groups)
    if kind == "sgd":
        return torch.optim.SGD(groups, momentum=0.9)
    return (torch.optim.AdamW if kind == "adamw" else torch.optim.Adam)(groups, fused=True)


def _rate(name: str, rates: Rate, child: str) -> float:
    rate = rates[child] if isinstance(rates, Mapping) else rates
    if isinstance(rate, str) or not 0 <= float(rate) < math.inf:
        raise ValueError(f"{name} must be a finite number, 0 or more, got {rate!r}: try 1e-3")
    return float(rate)


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


def rate_setter(
    optimizer: torch.optim.Optimizer,
    scheduler: Callable[[torch.optim.Optimizer], LRScheduler] | None,
    factor: Callable[[int], float],
) -> Callable[[int], None]:
    """Return what sets the learning rates of a step: a scheduler of torch's, or the factor of the peak rates.

    A resumed run catches up with the scheduler, one step after the other.

    Raises:
        TypeError: it makes no scheduler that follows steps.
    """
    if scheduler is None:

        def set_factor(step: int) -> None:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * factor(step)

        return set_factor
    made = scheduler(optimizer)
    if not isinstance(made, LRScheduler) or isinstance(made, ReduceLROnPlateau):
        made_of = "scheduler must make a torch.optim.lr_scheduler of the optimizer, one that follows steps"
        raise TypeError(f"{made_of}, got {type(made).__name__}: try lambda o: OneCycleLR(o, 1e-2, total_steps=500)")

    done = 0

    def catch_up(step: int) -> None:
        nonlocal done
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, of a scheduler that steps before the optimizer
            while done < step:
                made.step()
                done += 1

    return catch_up
