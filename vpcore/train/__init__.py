"""The training loop: it sees a model, two splits and a schedule, and knows nothing of prompts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.data import Split
from vpcore.device import choose_device, choose_precision, own_random_stream, prefer_channels_last
from vpcore.train.checkpoint import read_run, write_run
from vpcore.train.optim import make_optimizer, schedule_factor
from vpcore.train.records import Diverged, EpochRecord, Evaluation, History
from vpcore.train.runstate import start_run
from vpcore.train.scoring import evaluate
from vpcore.train.steps import Loss, Step, choose_speedups

__all__ = ["Diverged", "EpochRecord", "Evaluation", "History", "Loss", "cross_entropy", "evaluate", "fit"]

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def cross_entropy(model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean cross-entropy of a batch, in nats; the default `loss` of `fit`."""
    return F.cross_entropy(model(images).float(), labels)


def fit(
    model: nn.Module,
    train: Split,
    valid: Split,
    *,
    epochs: int = 5,
    lr: float | Mapping[str, float] = 1e-2,
    weight_decay: float | Mapping[str, float] = 0.0,
    batch_size: int = 128,
    optimizer: str = "adamw",
    schedule: str = "cosine",
    warmup_steps: int = 0,
    augment: Augmentation | None = None,
    loss: Loss = cross_entropy,
    seed: int = 0,
    precision: str | None = None,
    device: str | torch.device | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    checkpoint: str | Path | None = None,
    compile: bool | None = None,
    cuda_graph: bool | None = None,
) -> History:
    """Train what requires a gradient, and leave the model with its best validation epoch.

    Batches, augmentation and dropout depend on `seed` alone, never on what else drew random numbers before.
    Images stay uint8 on the device; validation images are never augmented.

    Args:
        model: maps images (B, C, H, W) in [0, 1] to logits; moved to `device`.
        train: images and labels to learn from; also a split of `vpcore.cache.cached`, as `valid` may be.
        valid: images and labels that choose the epoch.
        epochs: passes over `train`, at least 1.
        lr: peak learning rate; or one per child of the model, for example {"prompt": 1e-1, "head": 1e-3}.
        weight_decay: decoupled for adamw, L2 for adam and sgd; or one per child of the model.
        batch_size: images a step; the last batch of an epoch may be smaller.
        optimizer: "adamw", "adam" or "sgd" (momentum 0.9).
        schedule: "cosine" (to 0, every step), "cosine_epoch" (to 0, once an epoch) or "constant".
        warmup_steps: steps of linear warm-up; the first step has a positive rate.
        augment: called with a float batch in [0, 1] and a generator.
        loss: called with the model, a float batch in [0, 1], its labels and a generator; returns a mean over images.
        seed: seed of batch order, augmentation and dropout.
        precision: "float32", "bfloat16" or "float16"; None chooses by profile and device.
        device: where to train; None takes CUDA if there is one.
        on_epoch: called with each epoch's record; what it draws at random does not change the run.
        checkpoint: a file to write after each epoch and, if it is there, to go on from, bit-identically on the CPU.
        compile: compile the model for full batches with torch.compile; None as `speedups` in steps.py says, else no.
        cuda_graph: record a step of a full batch and replay it, which spares the launches of small networks; the
            same default. Both round otherwise; the smaller last batch of an epoch runs plainly, none is dropped.

    Raises:
        ValueError: no epoch, no images, unknown option, labels beyond the model's classes, nothing to learn, a
            checkpoint of another run, or a step that no CUDA graph can replay.
        Diverged: the loss, or the logits on validation images, are not finite.
        OSError: the checkpoint cannot be written.
    """
    device = choose_device(device)
    precision = choose_precision(precision, device)
    _check_sizes(epochs, batch_size, train, valid)
    model, train, valid = prefer_channels_last(model.to(device)), train.to(device), valid.to(device)
    state = start_run(model, make_optimizer(model, optimizer, lr, weight_decay), seed, device, precision)
    settings = _plain(
        epochs=epochs, lr=lr, weight_decay=weight_decay, batch_size=batch_size, optimizer=optimizer, schedule=schedule,
        warmup_steps=warmup_steps, seed=seed, precision=precision, images=len(train),
    )  # fmt: skip
    wanted = choose_speedups(compile, cuda_graph, device, precision)
    step_on = Step(state, loss, precision, min(batch_size, len(train)), wanted)
    steps = math.ceil(len(train) / batch_size)
    factor = schedule_factor(schedule, epochs, steps, warmup_steps)
    _check_labels(model, train)
    history = History()
    with own_random_stream(seed, device):
        history.epochs += read_run(checkpoint, state, settings)
        for epoch in range(len(history.epochs), epochs):
            began = time.perf_counter()
            if hasattr(model, "head") and hasattr(model.head, "start_epoch"):
                model.head.start_epoch(model, train)  # type: ignore[operator]
            factors = [factor(epoch * steps + step) for step in range(steps)]
            train_loss = _train_epoch(step_on, train, batch_size, factors, augment)
            result = evaluate(model, valid, precision=precision, device=device)
            record = EpochRecord(epoch, train_loss, result.loss, result.accuracy, time.perf_counter() - began)
            history.epochs.append(record)
            if history.best is record:
                state.keep_best()
            write_run(checkpoint, state, history.epochs, settings)
            if on_epoch is not None:
                with own_random_stream(seed, device):
                    on_epoch(record)
    step_on.finish()
    state.restore_best()
    history.halved = step_on.plain.halved
    return history


def _check_sizes(epochs: int, batch_size: int, train: Split, valid: Split) -> None:
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size must be at least 1, got {epochs} and {batch_size}")
    if not len(train) or not len(valid):
        raise ValueError(f"fit needs images to train on and to choose with, got {len(train)} and {len(valid)}")


def _plain(**settings: Any) -> dict[str, Any]:
    """Return settings as JSON gives them back."""
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in settings.items()}


def _check_labels(model: nn.Module, train: Split) -> None:
    """Refuse labels that have no logit, by classifying one image."""
    one = Split(train.images[:1], train.labels.max()[None])
    with own_random_stream(0, train.images.device):
        evaluate(model, one, precision="float32")


def _train_epoch(
    step_on: Step, train: Split, batch_size: int, factors: list[float], augment: Augmentation | None
) -> float:
    state, device = step_on.state, train.images.device
    state.model.train()
    entry = train.entry(state.model)
    order = torch.randperm(len(train), generator=state.batches).to(device)
    total = torch.zeros((), device=device)
    for index, factor in zip(order.split(batch_size), factors, strict=True):
        images = train.batch(index, device, augment, state.noise)
        total += step_on(entry, images, train.labels[index], factor) * len(index)
    mean = float(total) / len(train)
    if not math.isfinite(mean):
        raise Diverged(f"the training loss became {mean}: lower the learning rate")
    return mean
