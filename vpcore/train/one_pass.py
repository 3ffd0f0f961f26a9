"""Train several models in one pass over the frozen backbone they share."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.data.splits import Split
from vpcore.device import own_random_stream
from vpcore.prompted import Prompted
from vpcore.train import Augmentation, evaluate
from vpcore.train.optim import build_optimizer, merged, parameter_groups, schedule_factor
from vpcore.train.records import EpochRecord, Evaluation, History
from vpcore.train.runstate import RunState, start_run
from vpcore.train.steps import Speedups, Step
from vpcore.train.together import Rate, Several, naming, start_layer


@dataclass(frozen=True)
class Run:
    """One of the models that `fit_seeds` was given: its place among them, its seed and its peak learning rate."""

    place: int
    model: Prompted
    seed: int
    rate: Rate


def train_together(
    runs: Sequence[Run], train: Split, valid: Split, *, epochs: int, weight_decay: Rate, batch_size: int,
    optimizer: str, schedule: str, warmup_steps: int, augment: Augmentation | None, precision: str,
    device: torch.device, wanted: Speedups,
) -> list[History]:  # fmt: skip
    """Train models in one pass and return a history each; options and errors are those of `fit_seeds`."""
    models = [run.model for run in runs]
    joint = _joint_optimizer(runs, optimizer, weight_decay)
    states = [start_run(run.model, joint, run.seed, device, precision) for run in runs]
    all_models = start_run(Several(models), joint, runs[0].seed, device, precision)
    step_on = Step(all_models, own_losses, precision, min(batch_size, len(train)), wanted, (len(runs),))
    steps = math.ceil(len(train) / batch_size)
    factor = schedule_factor(schedule, epochs, steps, warmup_steps)
    histories = [History() for _ in runs]
    with own_random_stream(runs[0].seed, device):
        for epoch in range(epochs):
            began = time.perf_counter()
            factors = [factor(epoch * steps + step) for step in range(steps)]
            losses = _train_epoch(step_on, runs, states, train, batch_size, factors, augment)
            results = [_validate(run, valid, precision, device) for run in runs]
            seconds = (time.perf_counter() - began) / len(runs)
            for state, history, loss, result in zip(states, histories, losses, results, strict=True):
                history.epochs.append(EpochRecord(epoch, loss, result.loss, result.accuracy, seconds))
                if history.best is history.epochs[-1]:
                    state.keep_best()
    step_on.finish()
    for state, history in zip(states, histories, strict=True):
        state.restore_best()
        history.halved = step_on.plain.halved
    return histories


def _joint_optimizer(runs: Sequence[Run], name: str, weight_decay: Rate) -> torch.optim.Optimizer:
    """Return one optimizer over all models, which does to each what its own would."""
    groups: list[dict[str, Any]] = []
    for run in runs:
        with naming(run.place):
            groups += parameter_groups(run.model, run.rate, weight_decay)
    return build_optimizer(name, merged(groups))


def _train_epoch(
    step_on: Step, runs: Sequence[Run], states: Sequence[RunState], train: Split, batch_size: int,
    factors: Sequence[float], augment: Augmentation | None,
) -> list[float]:  # fmt: skip
    """Take the steps of an epoch and return the mean loss of each model, in nats."""
    for run in runs:
        if hasattr(run.model.head, "start_epoch"):
            run.model.head.start_epoch(run.model, train)  # type: ignore[operator]
    device, start = train.images.device, start_layer([run.model for run in runs], train)
    entry = step_on.state.model.train()
    entry = entry if start is None else partial(entry, start=start)
    orders = [torch.randperm(len(train), generator=state.batches) for state in states]
    totals = torch.zeros(len(runs), device=device)
    for index, factor in zip(torch.stack(orders, 1).to(device).split(batch_size), factors, strict=True):
        images = _batch(train, index, states, augment)
        totals += step_on(entry, images, train.labels[index], factor) * len(index)
    means = (totals / len(train)).tolist()
    for run, mean in zip(runs, means, strict=True):
        if not math.isfinite(mean):
            raise ValueError(f"the training loss of model {run.place} became {mean}: lower its learning rate")
    return means


def _batch(train: Split, index: Tensor, states: Sequence[RunState], augment: Augmentation | None) -> Tensor:
    """Return the images (B, K, …) that `index` (B, K) names; each model augments its own."""
    if augment is None:
        return train.batch(index.flatten(), index.device).unflatten(0, index.shape)
    chosen = zip(index.unbind(1), states, strict=True)
    return torch.stack([train.batch(own, index.device, augment, state.noise) for own, state in chosen], 1)


def own_losses(several: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean cross-entropy of each model (K,), in nats.

    Args:
        several: maps images to K logits (B, classes).
        images: as in `Several.forward`.
        labels: (B, K), column k for model k.
        generator: not used; every loss that `Step` calls takes one.
    """
    logits = several(images)
    if len({scores.shape for scores in logits}) > 1:  # of different classes
        return torch.stack([own_loss(scores, own) for scores, own in zip(logits, labels.unbind(1), strict=True)])
    each = own_loss(torch.stack(logits, 1).flatten(0, 1), labels.flatten(), "none")
    return each.unflatten(0, labels.shape).mean(0)


def own_loss(logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    """Return the cross-entropy of logits (B, classes), in nats; those in double precision stay so."""
    return F.cross_entropy(logits if logits.dtype == torch.float64 else logits.float(), labels, reduction=reduction)


def _validate(run: Run, valid: Split, precision: str, device: torch.device) -> Evaluation:
    with naming(run.place):
        return evaluate(run.model, valid, precision=precision, device=device)
