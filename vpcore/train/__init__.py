"""The training loop: it sees a model, two splits and a schedule, and knows nothing of prompts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.data import Split
from vpcore.device import (
    autocast,
    choose_device,
    choose_precision,
    memory_named,
    own_random_stream,
    prefer_channels_last,
)
from vpcore.train.checkpoint import read_run, start_run, write_run
from vpcore.train.optim import Rate, make_optimizer, schedule_factor
from vpcore.train.protocol import StartsEpochs, parts
from vpcore.train.records import Diverged, EpochRecord, Evaluation, History
from vpcore.train.scoring import evaluate
from vpcore.train.speedups import choose_speedups, faster

__all__ = ["Diverged", "EpochRecord", "Evaluation", "History", "Loss", "cross_entropy", "evaluate", "fit"]

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
Loss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


def cross_entropy(model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean cross-entropy of a batch, in nats; the default `loss` of `fit`."""
    logits = model(images)
    return F.cross_entropy(logits if logits.dtype == torch.float64 else logits.float(), labels)


def fit(
    model: nn.Module,
    train: Split,
    valid: Split,
    *,
    epochs: int = 5,
    lr: Rate = 1e-2,
    weight_decay: Rate = 0.0,
    batch_size: int = 128,
    accumulate: int = 1,
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
        accumulate: parts that a batch goes through in, one after the other, where the device has no room for the whole;
            their gradients, weighed by their images, add up to that of the batch. Rounding differs. Two things do see
            the parts: batch norms that learn, and what draws at random.
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
        compile: compile the model for full batches with torch.compile; None as `speedups` around says, else no.
        cuda_graph: compile it to CUDA graphs (torch.compile's "reduce-overhead"), which spares the launches of small
            networks; the same default. Both round otherwise; the smaller last batch of an epoch runs plainly, none is
            dropped.

    Raises:
        ValueError: no epoch, no images, unknown option, labels beyond the model's classes, nothing to learn, a loss
            that is no single number, or a checkpoint of another run.
        Diverged: the loss, or the logits on validation images, are not finite.
        OutOfMemory: a step does not fit into memory; a kind of ValueError.
        OSError: the checkpoint cannot be written.
    """
    device = choose_device(device)
    precision = choose_precision(precision, device)
    speedups = choose_speedups(compile, cuda_graph, device)
    _check(epochs, batch_size, accumulate, speedups.cuda_graph, train, valid)
    model, train, valid = prefer_channels_last(model.to(device)), train.to(device), valid.to(device)
    state = start_run(model, make_optimizer(model, optimizer, lr, weight_decay), seed, device, precision)
    settings = {
        "epochs": epochs, "lr": lr, "weight_decay": weight_decay, "batch_size": batch_size, "optimizer": optimizer,
        "schedule": schedule, "warmup_steps": warmup_steps, "seed": seed, "precision": precision, "images": len(train),
    }  # fmt: skip
    steps = math.ceil(len(train) / batch_size)
    factor = schedule_factor(schedule, epochs, steps, warmup_steps)
    _check_labels(model, train)
    entry, full = train.entry(model), min(batch_size, len(train))
    fast: Any = faster(entry, speedups)
    history = History()
    sizes = f"batch_size={batch_size} and accumulate={accumulate}"
    no_room = f"out of memory with {sizes}: give fit a larger accumulate, or a smaller batch_size or image_size"
    with own_random_stream(seed, device), memory_named(no_room):
        history.epochs += read_run(checkpoint, state, settings)
        for epoch in range(len(history.epochs), epochs):
            began = time.perf_counter()
            for _, part in parts(model, StartsEpochs):
                part.start_epoch(model, train)
            model.train()
            total = torch.zeros((), device=device)
            order = torch.randperm(len(train), generator=state.batches).to(device)
            for step, index in enumerate(order.split(batch_size), start=epoch * steps):
                batch, labels = train.batch(index, device, augment, state.noise), train.labels[index]
                run = entry if fast is None or len(index) < full else fast
                state.optimizer.zero_grad(set_to_none=True)
                pieces = min(accumulate, len(index))
                for x, y in zip(batch.tensor_split(pieces), labels.tensor_split(pieces), strict=True):
                    with autocast(precision, device):
                        value = _one_number(loss(run, x, y, state.noise))
                    state.scaler.scale(value * (len(x) / len(index))).backward()
                    total += value.detach() * len(x)
                for group in state.optimizer.param_groups:
                    group["lr"] = group["peak_lr"] * factor(step)
                state.scaler.step(state.optimizer)
                state.scaler.update()
            train_loss = float(total) / len(train)
            if not math.isfinite(train_loss):
                raise Diverged(f"the training loss became {train_loss}: lower the learning rate")
            result = evaluate(model, valid, precision=precision, device=device)
            record = EpochRecord(epoch, train_loss, result.loss, result.accuracy, time.perf_counter() - began)
            history.epochs.append(record)
            if history.best is record:
                state.keep_best()
            write_run(checkpoint, state, history.epochs, settings)
            if on_epoch is not None:
                with own_random_stream(seed, device):
                    on_epoch(record)
    if fast is not None:
        state.optimizer.zero_grad(set_to_none=True)  # gradients may lie in the memory of CUDA graphs, and would hold it
    state.restore_best()
    return history


def _check(epochs: int, batch_size: int, accumulate: int, cuda_graph: bool, train: Split, valid: Split) -> None:
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size must be at least 1, got {epochs} and {batch_size}")
    if not isinstance(accumulate, int) or accumulate < 1:
        raise ValueError(f"accumulate must be a whole number, at least 1, got {accumulate!r}")
    if accumulate > 1 and cuda_graph:  # pytorch/pytorch#169545
        raise ValueError("a CUDA graph overwrites the gradients that accumulate adds up: leave one of the two out")
    if not len(train) or not len(valid):
        raise ValueError(f"fit needs images to train on and to choose with, got {len(train)} and {len(valid)}")


def _check_labels(model: nn.Module, train: Split) -> None:
    """Refuse labels that have no logit, by classifying one image."""
    one = Split(train.images[:1], train.labels.max()[None])
    with own_random_stream(0, train.images.device):
        evaluate(model, one, precision="float32")


def _one_number(value: Tensor) -> Tensor:
    if value.dim():
        raise ValueError(f"a loss must be one number, a mean over images, got shape {tuple(value.shape)}: average it")
    return value
