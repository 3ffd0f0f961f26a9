"""Train several prompts with seeds of their own on one frozen backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from vpcore.data.splits import Split
from vpcore.device import choose_device, choose_precision, prefer_channels_last
from vpcore.prompted import Prompted
from vpcore.train import Augmentation, fit
from vpcore.train.one_pass import Run, own_loss, train_together
from vpcore.train.records import History
from vpcore.train.steps import Speedups, choose_speedups
from vpcore.train.together import Rate, check_splits, check_together, naming, passes


def fit_seeds(
    models: Sequence[Prompted],
    train: Split,
    valid: Split,
    *,
    seeds: Sequence[int],
    epochs: int = 5,
    lr: Rate | Sequence[Rate] = 1e-2,
    weight_decay: Rate = 0.0,
    batch_size: int = 128,
    optimizer: str = "adamw",
    schedule: str = "cosine",
    warmup_steps: int = 0,
    augment: Augmentation | None = None,
    precision: str | None = None,
    device: str | torch.device | None = None,
    compile: bool | None = None,
    cuda_graph: bool | None = None,
) -> list[History]:
    """Do what `fit` does for each model with its seed, with one run of the backbone a step for several of them.

    Every model sees the batches, the augmentation and the optimizer steps of its own `fit`; the results agree up to the
    rounding of a larger batch. A frozen backbone treats each image on its own, so nothing passes between models. On a
    GPU all models run as one, meant for a card that one model leaves idle: a step of five launches 1.2 times the
    kernels of one with an activation prompt, 1.4 times with a multiscale one, 3 times with InsVP; not timed yet. On a
    CPU as many share a pass as a small one holds, which pays for small batches; with larger ones `fit` runs for one
    model after the other.

    Args:
        models: K models on the *same* backbone object, frozen; each with its own prompt and head.
        train: images and labels; also a cached split, if all models begin at its layer or above.
        valid: chooses the epoch of each model on its own.
        seeds: of batches and augmentation, one a model.
        epochs: passes over `train`, at least 1.
        lr: peak learning rate as in `fit`, for all or one a model.
        weight_decay: as in `fit`, for all.
        batch_size: images a step *for each model*.
        optimizer: as in `fit`.
        schedule: as in `fit`.
        warmup_steps: as in `fit`.
        augment: as in `fit`.
        precision: "float32" or "bfloat16"; None chooses by profile and device.
        device: as in `fit`.
        compile: as in `fit`.
        cuda_graph: as in `fit`; spares most where small networks share a pass, which has more to launch.

    Returns:
        One history a model; each model is left with its best validation epoch.

    Raises:
        ValueError: no model, other numbers of seeds or rates, backbones that differ or learn, weights tuned per model,
            models that share what they learn or have a forward of their own, dropout (its masks come from one stream),
            float16 (one loss scale), no images, labels beyond a model's classes, prompts of different numbers of
            tokens in one pass, a loss or logits that are not finite, or a step that no CUDA graph can replay.
    """
    device = choose_device(device)
    precision = choose_precision(precision, device)
    rates = [lr] * len(models) if isinstance(lr, int | float | Mapping) else [*lr]
    wanted = choose_speedups(compile, cuda_graph, device, precision)
    check_together(models, seeds, rates, precision)
    if epochs < 1 or batch_size < 1 or not len(train) or not len(valid):
        raise ValueError("fit_seeds needs an epoch, a batch size, and images to train on and to choose with")
    for model in models:
        prefer_channels_last(model.to(device))
    train, valid = train.to(device), valid.to(device)
    check_splits(models, train, valid)
    options = {
        "epochs": epochs, "weight_decay": weight_decay, "batch_size": batch_size, "optimizer": optimizer,
        "schedule": schedule, "warmup_steps": warmup_steps, "augment": augment, "precision": precision,
        "device": device, "wanted": wanted,
    }  # fmt: skip
    runs = [Run(*each) for each in zip(range(len(models)), models, seeds, rates, strict=True)]
    histories = []
    for part in passes(models, min(batch_size, len(train)), device):
        train_them = train_together if len(runs[part]) > 1 else _train_alone
        histories += train_them(runs[part], train, valid, **options)
    return histories


def _train_alone(runs: Sequence[Run], train: Split, valid: Split, *, wanted: Speedups, **options: Any) -> list[History]:
    """Call `fit`, the faster way for one model: nothing is put together and taken apart."""
    (run,) = runs
    options |= {"lr": run.rate, "seed": run.seed, "loss": _loss, **asdict(wanted)}
    with naming(run.place):
        return [fit(run.model, train, valid, **options)]


def _loss(model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return `own_loss`, in nats, in the form that `fit` calls."""
    return own_loss(model(images), labels)
