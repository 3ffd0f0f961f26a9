"""The training loop: it sees a model, two splits and a schedule, and knows nothing of prompts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.checkpoint import RunState, read_run, write_run
from vpcore.data import Split
from vpcore.device import autocast, choose_device, choose_precision, own_random_stream
from vpcore.optim import make_optimizer, schedule_factor

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
Loss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


def cross_entropy(model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean cross-entropy of a batch, in nats; the default `loss` of `fit`."""
    return F.cross_entropy(model(images).float(), labels)


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch gave; losses in nats, accuracies in 0 … 1, seconds of wall clock."""

    epoch: int
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


@dataclass
class History:
    """One record an epoch; `best` is the one whose weights the model holds after `fit`."""

    epochs: list[EpochRecord] = field(default_factory=list)

    @property
    def best(self) -> EpochRecord:
        """The epoch of the highest validation accuracy, the earliest among equals."""
        return max(self.epochs, key=lambda record: record.valid_accuracy)


@dataclass(frozen=True)
class Evaluation:
    """Predictions on a split and what follows from them."""

    accuracy: float  # 0 … 1
    loss: float  # mean cross-entropy in nats
    predictions: Tensor  # (N,) class indices, on the CPU
    labels: Tensor  # (N,) true classes, on the CPU

    @property
    def standard_error(self) -> float:
        """Standard error of the accuracy from the size of the test set alone."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / len(self.labels))


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
) -> History:
    """Train what requires a gradient, and leave the model with its best validation epoch.

    Batches, augmentation and dropout depend on `seed` alone, never on what else drew random numbers before.
    Images stay uint8 on the device; validation images are never augmented.

    Args:
        model: maps images (B, C, H, W) in [0, 1] to logits; moved to `device`.
        train: images and labels to learn from.
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
        on_epoch: called with each epoch's record.
        checkpoint: a file to write after each epoch and, if it is there, to go on from, bit-identically on the CPU.

    Raises:
        ValueError: no epoch, unknown option, labels beyond the model's classes, nothing to learn, or a loss that is
            not finite.
    """
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size must be at least 1, got {epochs} and {batch_size}")
    device = choose_device(device)
    precision = choose_precision(precision, device)
    model, train, valid = model.to(device), train.to(device), valid.to(device)
    steps = math.ceil(len(train) / batch_size)
    state = RunState(
        model, make_optimizer(model, optimizer, lr, weight_decay),
        batches=torch.Generator().manual_seed(seed), noise=torch.Generator(device).manual_seed(seed + 1),
        scaler=torch.amp.GradScaler(device.type, enabled=precision == "float16"),
    )  # fmt: skip
    factor = schedule_factor(schedule, epochs, steps, warmup_steps)
    history = History()
    with own_random_stream(seed, device):
        history.epochs += [EpochRecord(**record) for record in read_run(checkpoint, state)]
        for epoch in range(len(history.epochs), epochs):
            began = time.perf_counter()
            if hasattr(model, "head") and hasattr(model.head, "start_epoch"):
                model.head.start_epoch(model, train)  # type: ignore[operator]
            step_factor = lambda step, e=epoch: factor(e * steps + step)  # noqa: E731
            train_loss = _train_epoch(state, train, batch_size, step_factor, augment, loss, precision)
            result = evaluate(model, valid, precision=precision, device=device)
            record = EpochRecord(epoch, train_loss, result.loss, result.accuracy, time.perf_counter() - began)
            history.epochs.append(record)
            if history.best is record:
                state.keep_best()
            write_run(checkpoint, state, [asdict(r) for r in history.epochs])
            if on_epoch is not None:
                on_epoch(record)
    state.restore_best()
    return history


def _train_epoch(
    state: RunState, train: Split, batch_size: int, factor: Callable[[int], float], augment: Augmentation | None,
    loss: Loss, precision: str,
) -> float:
    state.model.train()
    device = train.images.device
    order = torch.randperm(len(train), generator=state.batches).to(device)
    total = torch.zeros((), device=device)
    for step, index in enumerate(order.split(batch_size)):
        images = train.images[index].float() / 255
        if augment is not None:
            images = augment(images, state.noise)
        with autocast(precision, device):
            value = loss(state.model, images, train.labels[index], state.noise)
        state.step(value, factor(step))
        total += value.detach() * len(index)
    mean = float(total) / len(train)
    if not math.isfinite(mean):
        raise ValueError(f"the training loss became {mean}: lower the learning rate")
    return mean


@torch.no_grad()
def evaluate(
    model: nn.Module,
    split: Split,
    *,
    batch_size: int = 500,
    precision: str | None = None,
    device: str | torch.device | None = None,
) -> Evaluation:
    """Classify a split in eval mode, without augmentation; the model's mode is put back afterwards.

    Args:
        model: maps images (B, C, H, W) in [0, 1] to logits.
        split: images and labels.
        batch_size: images a step.
        precision: as in `fit`.
        device: where to run; None stays where the model is.
    """
    first = next(model.parameters(), None)
    device = choose_device(device if device is not None or first is None else first.device)
    precision = choose_precision(precision, device)
    was_training = model.training
    model.to(device).eval()
    logits = []
    for images in split.images.split(batch_size):
        with autocast(precision, device):
            logits.append(model(images.to(device).float() / 255).float())
    model.train(was_training)
    scores, labels = torch.cat(logits), split.labels.to(device)
    if int(labels.max()) >= scores.shape[1]:
        raise ValueError(f"the model has {scores.shape[1]} classes, a label is {int(labels.max())}: give the head more classes")
    predictions = scores.argmax(1)
    accuracy = float((predictions == labels).double().mean())
    return Evaluation(accuracy, float(F.cross_entropy(scores, labels)), predictions.cpu(), labels.cpu())
