"""Train several models in one pass over the frozen backbone they share."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vpcore.data.splits import Split
from vpcore.device import autocast, own_random_stream
from vpcore.prompted import Prompted
from vpcore.train import Augmentation
from vpcore.train.optim import make_optimizer, schedule_factor
from vpcore.train.records import EpochRecord, History
from vpcore.train.runstate import RunState, start_run
from vpcore.train.together import forward_together, start_layer


@dataclass(frozen=True)
class Run:
    """One of the models that `fit_seeds` was given: its place among them, its seed and its peak learning rate."""

    place: int
    model: Prompted
    seed: int
    rate: float


def train_together(
    runs: Sequence[Run], train: Split, valid: Split, *, epochs: int, weight_decay: float, batch_size: int,
    optimizer: str, schedule: str, warmup_steps: int, augment: Augmentation | None, precision: str,
    device: torch.device,
) -> list[History]:  # fmt: skip
    """Train models in one pass and return a history each; options and errors are those of `fit_seeds`."""
    states = {
        run.place: start_run(
            run.model, make_optimizer(run.model, optimizer, run.rate, weight_decay), run.seed, device, precision
        )
        for run in runs
    }
    steps = math.ceil(len(train) / batch_size)
    factor = schedule_factor(schedule, epochs, steps, warmup_steps)
    histories = [History() for _ in runs]
    with own_random_stream(runs[0].seed, device):
        for epoch in range(epochs):
            factors = [factor(epoch * steps + step) for step in range(steps)]
            _run_epoch(epoch, states, histories, train, valid, batch_size, factors, augment, precision)
    for state in states.values():
        state.restore_best()
    return histories


def _run_epoch(
    epoch: int, states: Mapping[int, RunState], histories: Sequence[History], train: Split, valid: Split,
    batch_size: int, factors: Sequence[float], augment: Augmentation | None, precision: str,
) -> None:  # fmt: skip
    """Train and validate the models once, and keep the weights of those that are at their best."""
    began = time.perf_counter()
    models: dict[int, Any] = {place: state.model for place, state in states.items()}
    for model in models.values():
        if hasattr(model.head, "start_epoch"):
            model.head.start_epoch(model, train)
    losses = _train_epoch(states, train, batch_size, factors, augment, precision)
    scores = _validate(models, valid, precision)
    seconds = (time.perf_counter() - began) / len(models)
    for state, history, loss, score in zip(states.values(), histories, losses, scores, strict=True):
        history.epochs.append(EpochRecord(epoch, loss, *score, seconds))
        if history.best is history.epochs[-1]:
            state.keep_best()


def _train_epoch(
    states: Mapping[int, RunState], train: Split, batch_size: int, factors: Sequence[float],
    augment: Augmentation | None, precision: str,
) -> list[float]:  # fmt: skip
    own: list[RunState] = [*states.values()]
    models: list[Any] = [state.model.train() for state in own]
    device, start = train.images.device, start_layer(models, train)
    orders = [torch.randperm(len(train), generator=state.batches).to(device).split(batch_size) for state in own]
    totals = torch.zeros(len(own), device=device)
    for indices, factor in zip(zip(*orders, strict=True), factors, strict=True):
        batches = [train.batch(index, device, augment, state.noise) for index, state in zip(indices, own, strict=True)]
        with autocast(precision, device):
            logits = forward_together(models, batches, start)
        losses = torch.stack([
            own_loss(scores, train.labels[index]) for scores, index in zip(logits, indices, strict=True)
        ])  # fmt: skip
        _step(own, losses.sum(), factor)
        totals += losses.detach().float() * len(indices[0])
    means = [float(total) / len(train) for total in totals]
    for place, mean in zip(states, means, strict=True):
        if not math.isfinite(mean):
            raise ValueError(f"the training loss of model {place} became {mean}: lower its learning rate")
    return means


def own_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy, in nats; logits in double precision stay so."""
    return F.cross_entropy(logits if logits.dtype == torch.float64 else logits.float(), labels)


def _step(states: Sequence[RunState], loss: Tensor, factor: float) -> None:
    """Take one step of every optimizer; the sum's gradient for a model is that of its own loss."""
    for state in states:
        for group in state.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor
        state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    for state in states:
        state.optimizer.step()


@torch.no_grad()
def _validate(
    by_place: Mapping[int, Prompted], valid: Split, precision: str, batch_size: int = 500
) -> list[tuple[float, float]]:
    """Return (loss, accuracy) of each model on the same images."""
    models = [model.eval() for model in by_place.values()]
    start, device = start_layer(models, valid), valid.images.device
    logits: list[list[Tensor]] = [[] for _ in models]
    for first in range(0, len(valid), batch_size):
        batch = valid.batch(slice(first, first + batch_size), device)
        with autocast(precision, device):
            for kept, scores in zip(logits, forward_together(models, [batch] * len(models), start), strict=True):
                kept.append(scores.float())
    scores = [torch.cat(kept) for kept in logits]
    labels = valid.labels
    for place, found in zip(by_place, scores, strict=True):
        if not found.isfinite().all():
            raise ValueError(f"the logits of model {place} are not finite: look for such values in images and weights")
    return [(float(F.cross_entropy(s, labels)), float((s.argmax(1) == labels).double().mean())) for s in scores]
