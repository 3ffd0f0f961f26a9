"""The training loop: it sees a model, images to train on and to choose with, and knows nothing of prompts."""

from __future__ import annotations

import inspect
import math
import sys
import time
from collections.abc import Callable, Iterator
from numbers import Integral
from operator import index
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler

from vpcore.data.loading import Loaded, Source, as_batches, named
from vpcore.data.splits import Split
from vpcore.device import (
    at_least_float32,
    autocast,
    choose_device,
    choose_precision,
    evaluating,
    memory_named,
    own_random_stream,
    prefer_channels_last,
)
from vpcore.saved import fingerprint
from vpcore.train.checkpoint import keeps_best, read_run, start_run, write_run
from vpcore.train.optim import Rate, make_optimizer, rate_setter, schedule_factor
from vpcore.train.protocol import StartsEpochs, parts
from vpcore.train.records import Diverged, EpochRecord, Evaluation, History
from vpcore.train.scoring import evaluate
from vpcore.train.speedups import choose_speedups, faster

__all__ = ["Diverged", "EpochRecord", "Evaluation", "History", "Loss", "cross_entropy", "evaluate", "fit"]

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
Loss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


def cross_entropy(model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean cross-entropy of a batch, in nats; the default `loss` of `fit`."""
    return F.cross_entropy(at_least_float32(model(images)), labels)


def fit(
    model: nn.Module,
    train: Source,
    valid: Source,
    *,
    epochs: int = 5,
    lr: Rate | None = None,
    weight_decay: Rate = 0.0,
    batch_size: int = 128,
    accumulate: int = 1,
    optimizer: str | Callable[..., torch.optim.Optimizer] = "adamw",
    schedule: str = "cosine",
    warmup_steps: int = 0,
    scheduler: Callable[[torch.optim.Optimizer], LRScheduler] | None = None,
    clip_grad: float | None = None,
    augment: Augmentation | None = None,
    loss: Loss = cross_entropy,
    seed: int = 0,
    precision: str | None = None,
    device: str | torch.device | None = None,
    early_stopping: int | None = None,
    on_epoch: Callable[[EpochRecord], Any] | None = None,
    progress: bool | None = None,
    checkpoint: str | Path | None = None,
    compile: bool | None = None,
    cuda_graph: bool | None = None,
) -> History:
    """Train what requires a gradient, and leave the model with its best validation epoch.

    Batches, augmentation and dropout depend on `seed` alone, never on what else drew random numbers before; so do those
    of a DataLoader with a generator of its own. A prompt that draws, as `PatchPrompt(position="random")`, goes on with
    its own generators from where they stand.
    Validation images are never augmented. Whatever ends a run early, Ctrl-C too, the model gets its best epoch so far,
    or the weights it came with, and the error has the epochs so far as its attribute `history`.

    Images come as a Split, whose uint8 pixels stay on the device, or in host memory where that has no room; or as all
    that torch makes batches of, with transforms that end in uint8 or in floats in [0, 1], and not in `Normalize`::

        v2.Compose([v2.ToImage(), v2.RandomResizedCrop(224), v2.ToDtype(torch.float32, scale=True)])
        torchvision.datasets.ImageFolder("pets/train", transform=transform)  # a Dataset
        DataLoader(dataset, batch_size=64, shuffle=True, num_workers=8)  # its batch size and order hold
        datasets.load_dataset("pets", split="train").with_transform(  # Hugging Face; of more labels, select_columns
            lambda rows: {"image": [transform(image) for image in rows["image"]], "label": rows["label"]})

    Args:
        model: maps images (B, C, H, W) in [0, 1] to logits; moved to `device`.
        train: images and labels to learn from; also a split of `vpcore.cache.cached`, as `valid` may be.
        valid: images and labels that choose the epoch.
        epochs: passes over `train`, at least 1.
        lr: peak learning rate; or one per child of the model, for example {"prompt": 1e-1, "head": 1e-3}. None takes
            that of the method's paper, `vpcore.default_rate(model)`.
        weight_decay: decoupled for adamw, L2 for adam and sgd; or one per child of the model.
        batch_size: images a step; the last batch of an epoch may be smaller.
        accumulate: parts that a batch goes through in, one after the other, where the device has no room for the whole;
            their gradients, weighed by their images, add up to that of the batch. Rounding differs. Two things do see
            the parts: batch norms that learn, and what draws at random.
        optimizer: "adamw", "adam" or "sgd" (momentum 0.9); or a callable of parameter groups, one a child of the model,
            as torch.optim.NAdam, which with lr=None keeps its own rate.
        schedule: "cosine" (to 0, every step), "cosine_epoch" (to 0, once an epoch) or "constant".
        warmup_steps: steps of linear warm-up; the first step has a positive rate.
        scheduler: in place of these two, a callable that makes a scheduler of torch's from the optimizer, as
            lambda o: OneCycleLR(o, max_lr=1e-2, total_steps=500); it steps once a step, not once an epoch.
        clip_grad: largest norm of the gradient of all that learns.
        augment: called with a float batch in [0, 1] and a generator.
        loss: called with the model, a float batch in [0, 1], its labels and a generator; returns a mean over images.
        seed: seed of batch order, augmentation and dropout.
        precision: "float32", "bfloat16" or "float16"; None chooses by profile and device.
        device: where to train; None takes CUDA if there is one.
        early_stopping: epochs without a better validation accuracy after which to stop.
        on_epoch: called with each epoch's record; what it draws at random does not change the run. False stops it.
        progress: show a line that counts steps; None shows it in a terminal, and not in a test or a notebook.
        checkpoint: a file to write after each epoch and, if it is there, to go on from, bit-identically on the CPU. It
            takes the same images, frozen weights and options, and the same kind of device; epochs may become more, and
            a cosine then goes on where the longer one would be.
        compile: compile the model for full batches with torch.compile; None as `speedups` around says, else no.
        cuda_graph: compile it to CUDA graphs (torch.compile's "reduce-overhead"), which spares the launches of small
            networks; the same default. Both round otherwise; the smaller last batch of an epoch runs plainly, none is
            dropped.

    Raises:
        ValueError: no epoch, no images, unknown option, a rate that is none, labels beyond the model's classes, nothing
            to learn, a loss that is no single number, or a checkpoint of another run.
        TypeError: images, loss, optimizer or scheduler are of another kind.
        Diverged: the loss, or the logits on validation images, are not finite.
        OutOfMemory: a step does not fit into memory; a kind of ValueError.
        OSError: the checkpoint cannot be written.
    """
    device = choose_device(device)
    precision = choose_precision(precision, device)
    speedups = choose_speedups(compile, cuda_graph, device)
    _check(epochs, batch_size, accumulate, early_stopping, clip_grad, loss, speedups.cuda_graph)
    epochs, batch_size, accumulate, seed = map(index, (epochs, batch_size, accumulate, seed))  # of numpy, too
    feed, held_out = as_batches(train, batch_size, shuffle=True), as_batches(valid, batch_size)
    if not len(feed) or not len(held_out):
        raise ValueError(f"fit needs images to train on and to choose with, got {len(feed)} and {len(held_out)}")
    model, feed, held_out = prefer_channels_last(model.to(device)), feed.near(device), held_out.near(device)
    state = start_run(model, make_optimizer(model, optimizer, lr, weight_decay), seed, device, precision)
    settings = {
        "epochs": epochs, "lr": lr, "weight_decay": weight_decay, "batch_size": batch_size,
        "optimizer": named(optimizer), "schedule": schedule, "warmup_steps": warmup_steps, "seed": seed,
        "precision": precision, "images": len(feed), "scheduler": named(scheduler), "clip_grad": clip_grad,
        "augment": named(augment), "loss": named(loss),
    }  # fmt: skip
    if checkpoint is not None:
        settings |= {"training images": feed.fingerprint(), "validation images": held_out.fingerprint()}
        settings |= {"frozen weights": fingerprint(state.frozen())}
    steps = feed.steps(batch_size)
    set_rates = rate_setter(state.optimizer, scheduler, schedule_factor(schedule, epochs, steps, warmup_steps))
    _check_labels(model, feed, device)
    entry, full = feed.entry(model), min(batch_size, len(feed))
    fast: Any = faster(entry, speedups)
    history = History()
    sizes = f"batch_size={batch_size} and accumulate={accumulate}"
    no_room = f"out of memory with {sizes}: give fit a larger accumulate, or a smaller batch_size or image_size"
    with (
        keeps_best(state, history, release=fast is not None),
        own_random_stream(seed, device),
        memory_named(no_room),
        _bar(progress) as bar,
    ):
        history.epochs += read_run(checkpoint, state, settings)
        for epoch in range(len(history.epochs), epochs):
            if early_stopping is not None and history.stale() >= early_stopping:
                break
            began = time.perf_counter()
            for _, part in parts(model, StartsEpochs):
                part.start_epoch(model, feed)
            model.train()
            bar.reset(steps)
            bar.set_description(f"epoch {epoch + 1} of {epochs}")
            total, seen = torch.zeros((), device=device), 0
            batches = feed.batches(batch_size, device, state.batches, augment, state.noise)
            for step, (images, labels) in enumerate(batches, start=epoch * steps):
                run = entry if fast is None or len(labels) < full else fast
                state.optimizer.zero_grad(set_to_none=True)
                for x, y in _pieces(images, labels, accumulate):
                    with autocast(precision, device):
                        value = _one_number(loss(run, x, y, state.noise))
                    state.scaler.scale(value * (len(y) / len(labels))).backward()
                    total += value.detach() * len(y)
                set_rates(step)
                state.step(clip_grad)
                seen += len(labels)
                bar.update()
            train_loss = float(total) / seen
            if not math.isfinite(train_loss):
                raise Diverged(f"the training loss became {train_loss}: lower the learning rate")
            result = evaluate(model, held_out, precision=precision, device=device)
            record = EpochRecord(epoch, train_loss, result.loss, result.accuracy, time.perf_counter() - began)
            history.epochs.append(record)
            if history.best is record:
                state.keep_best()
            bar.set_postfix(valid=f"{result.accuracy:.1%}", best=f"{history.best.valid_accuracy:.1%}")
            write_run(checkpoint, state, history.epochs, settings)
            if on_epoch is not None:
                with own_random_stream(seed, device):
                    if on_epoch(record) is False:
                        break
    return history


def _check(
    epochs: int, batch_size: int, accumulate: int, early_stopping: int | None, clip_grad: float | None, loss: Loss,
    cuda_graph: bool,
) -> None:  # fmt: skip
    counts = {"epochs": epochs, "batch_size": batch_size, "accumulate": accumulate, "early_stopping": early_stopping}
    for name, count in counts.items():
        if name == "early_stopping" and count is None:
            continue
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:  # type: ignore[operator]
            raise ValueError(f"{name} must be a whole number, at least 1, got {count!r}")
    if clip_grad is not None and not 0 < clip_grad < math.inf:
        raise ValueError(f"clip_grad must be a positive number, the largest norm, got {clip_grad!r}: try 1.0")
    if accumulate > 1 and cuda_graph:  # pytorch/pytorch#169545
        raise ValueError("a CUDA graph overwrites the gradients that accumulate adds up: leave one of the two out")
    takes = list(inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters)
    if takes[:1] == ["input"]:  # as all of torch's own
        fix = "loss=lambda model, images, labels, generator: criterion(model(images), labels)"
        raise TypeError(f"loss is called with the model and a batch, got a function of logits: give {fix}")


def _check_labels(model: nn.Module, train: Any, device: torch.device) -> None:
    """Refuse labels that have no logit, by classifying one image; those of a loader as they come."""
    with own_random_stream(0, device), evaluating(model), torch.no_grad():
        if isinstance(train, Loaded):
            train.classes = model(train.first(device)).shape[1]
        else:
            evaluate(model, Split(train.images[:1], train.labels.max()[None]), precision="float32", device=device)


def _pieces(images: Tensor, labels: Tensor, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut a batch into parts, no more than it has images."""
    pieces = min(count, len(labels))
    return zip(images.tensor_split(pieces), labels.tensor_split(pieces), strict=True)


def _bar(progress: bool | None) -> Any:
    """Return the line that counts steps; it is silent where nobody looks at a terminal."""
    from tqdm.auto import tqdm

    kernel = type(sys.stderr).__module__.startswith("ipykernel")  # its streams say that they are terminals
    shown = sys.stderr.isatty() and not kernel if progress is None else progress
    return tqdm(disable=not shown, unit="step", leave=False)


def _one_number(value: Tensor) -> Tensor:
    if value.dim():
        raise ValueError(f"a loss must be one number, a mean over images, got shape {tuple(value.shape)}: average it")
    return value
