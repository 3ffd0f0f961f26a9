"""Train several prompts with seeds of their own in one pass over one frozen backbone."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vpcore.data.splits import Split
from vpcore.device import autocast, choose_device, choose_precision, own_random_stream, prefer_channels_last
from vpcore.prompted import Prompted
from vpcore.train import Augmentation
from vpcore.train.optim import make_optimizer, schedule_factor
from vpcore.train.records import EpochRecord, History
from vpcore.train.runstate import RunState, start_run
from vpcore.train.together import check_labels, check_together, forward_together, start_layer


def fit_seeds(
    models: Sequence[Prompted],
    train: Split,
    valid: Split,
    *,
    seeds: Sequence[int],
    epochs: int = 5,
    lr: float | Sequence[float] = 1e-2,
    weight_decay: float = 0.0,
    batch_size: int = 128,
    optimizer: str = "adamw",
    schedule: str = "cosine",
    warmup_steps: int = 0,
    augment: Augmentation | None = None,
    precision: str | None = None,
    device: str | torch.device | None = None,
) -> list[History]:
    """Do what `fit` does for each model with its seed, with one run of the backbone a step for all of them.

    Every model sees the batches, the augmentation and the optimizer steps of its own `fit`; the results agree up to the
    rounding of a larger batch. A frozen backbone treats each image on its own, so nothing passes between models. It is
    meant for a GPU that one model leaves idle (not measured yet); on a CPU it takes about as long as K runs.

    Args:
        models: K models on the *same* backbone object, frozen; each with its own prompt and head.
        train: images and labels; also a cached split, if all models begin at its layer or above.
        valid: chooses the epoch of each model on its own.
        seeds: of batches and augmentation, one a model.
        epochs: passes over `train`, at least 1.
        lr: peak learning rate, for all or one a model.
        weight_decay: as in `fit`, for all.
        batch_size: images a step *for each model*.
        optimizer: as in `fit`; every model has its own.
        schedule: as in `fit`.
        warmup_steps: as in `fit`.
        augment: as in `fit`.
        precision: "float32" or "bfloat16"; None chooses by profile and device.
        device: as in `fit`.

    Returns:
        One history a model; each model is left with its best validation epoch.

    Raises:
        ValueError: no model, other numbers of seeds or rates, backbones that differ or learn, weights tuned per model,
            dropout (its masks come from one stream), float16 (one loss scale), no images, labels beyond a model's
            classes, or a loss or logits that are not finite.
    """
    device = choose_device(device)
    precision = choose_precision(precision, device)
    rates = [float(lr)] * len(models) if isinstance(lr, int | float) else [float(rate) for rate in lr]
    check_together(models, seeds, rates, precision)
    if epochs < 1 or batch_size < 1 or not len(train) or not len(valid):
        raise ValueError("fit_seeds needs an epoch, a batch size, and images to train on and to choose with")
    for model in models:
        prefer_channels_last(model.to(device))
    train, valid = train.to(device), valid.to(device)
    with own_random_stream(0, device):
        check_labels(models, train, valid)
    states = [
        start_run(model, make_optimizer(model, optimizer, rate, weight_decay), seed, device, precision)
        for model, rate, seed in zip(models, rates, seeds, strict=True)
    ]
    steps = math.ceil(len(train) / batch_size)
    factor = schedule_factor(schedule, epochs, steps, warmup_steps)
    histories = [History() for _ in models]
    with own_random_stream(seeds[0], device):
        for epoch in range(epochs):
            factors = [factor(epoch * steps + step) for step in range(steps)]
            _run_epoch(epoch, states, histories, train, valid, batch_size, factors, augment, precision)
    for state in states:
        state.restore_best()
    return histories


def _run_epoch(
    epoch: int, states: Sequence[RunState], histories: Sequence[History], train: Split, valid: Split, batch_size: int,
    factors: Sequence[float], augment: Augmentation | None, precision: str,
) -> None:  # fmt: skip
    """Train and validate all models once, and keep the weights of those that are at their best."""
    began = time.perf_counter()
    models: list[Any] = [state.model for state in states]
    for model in models:
        if hasattr(model.head, "start_epoch"):
            model.head.start_epoch(model, train)
    losses = _train_epoch(states, train, batch_size, factors, augment, precision)
    scores = _validate(models, valid, precision)
    seconds = (time.perf_counter() - began) / len(models)
    for state, history, loss, score in zip(states, histories, losses, scores, strict=True):
        history.epochs.append(EpochRecord(epoch, loss, *score, seconds))
        if history.best is history.epochs[-1]:
            state.keep_best()


def _train_epoch(
    states: Sequence[RunState], train: Split, batch_size: int, factors: Sequence[float], augment: Augmentation | None,
    precision: str,
) -> list[float]:  # fmt: skip
    models: list[Any] = [state.model.train() for state in states]
    device, start = train.images.device, start_layer(models, train)
    orders = [torch.randperm(len(train), generator=state.batches).to(device).split(batch_size) for state in states]
    totals = torch.zeros(len(states), device=device)
    for indices, factor in zip(zip(*orders, strict=True), factors, strict=True):
        batches = [
            train.batch(index, device, augment, state.noise) for index, state in zip(indices, states, strict=True)
        ]
        with autocast(precision, device):
            logits = forward_together(models, batches, start)
        losses = torch.stack([
            F.cross_entropy(scores.float() if scores.dtype != torch.float64 else scores, train.labels[index])
            for scores, index in zip(logits, indices, strict=True)
        ])  # fmt: skip
        _step(states, losses.sum(), factor)
        totals += losses.detach().float() * len(indices[0])
    means = [float(total) / len(train) for total in totals]
    for place, mean in enumerate(means):
        if not math.isfinite(mean):
            raise ValueError(f"the training loss of model {place} became {mean}: lower its learning rate")
    return means


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
    models: Sequence[Prompted], valid: Split, precision: str, batch_size: int = 500
) -> list[tuple[float, float]]:
    """Return (loss, accuracy) of each model on the same images."""
    start, device = start_layer(models, valid), valid.images.device
    for model in models:
        model.eval()
    logits: list[list[Tensor]] = [[] for _ in models]
    for first in range(0, len(valid), batch_size):
        batch = valid.batch(slice(first, first + batch_size), device)
        with autocast(precision, device):
            for kept, scores in zip(logits, forward_together(models, [batch] * len(models), start), strict=True):
                kept.append(scores.float())
    scores = [torch.cat(kept) for kept in logits]
    labels = valid.labels
    for place, found in enumerate(scores):
        if not found.isfinite().all():
            raise ValueError(f"the logits of model {place} are not finite: look for such values in images and weights")
    return [(float(F.cross_entropy(s, labels)), float((s.argmax(1) == labels).double().mean())) for s in scores]
