"""Score a model on images."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from vpcore.data.loading import Source, as_batches
from vpcore.device import autocast, choose_device, choose_precision, evaluating, memory_named
from vpcore.train.records import Diverged, Evaluation


@torch.no_grad()
def evaluate(
    model: nn.Module,
    split: Source,
    *,
    batch_size: int = 500,
    precision: str | None = None,
    device: str | torch.device | None = None,
) -> Evaluation:
    """Classify a split in eval mode, without augmentation; the model's mode is put back afterwards.

    Args:
        model: maps images (B, C, H, W) in [0, 1] to logits.
        split: images and labels: a Split, a Dataset or a DataLoader, which keeps its own batch size.
        batch_size: images a step.
        precision: as in `fit`.
        device: where to run; None stays where the model is.

    Raises:
        ValueError: no images, or labels beyond the model's classes.
        Diverged: logits that are not finite.
        OutOfMemory: a batch does not fit into memory; a kind of ValueError.
        TypeError: something else than images and labels was given.
    """
    images = as_batches(split, batch_size)
    if not len(images):
        raise ValueError("evaluate needs at least one image, got an empty split")
    first = next(model.parameters(), None)
    device = choose_device(device if device is not None or first is None else first.device)
    precision = choose_precision(precision, device)
    logits, truths = [], []
    no_room = f"out of memory with {batch_size} images at once: give evaluate a smaller batch_size, or lower image_size"
    with evaluating(model.to(device)), memory_named(no_room):
        entry = images.entry(model)
        for batch, truth in images.batches(batch_size, device):
            with autocast(precision, device):
                logits.append(entry(batch).float())
            truths.append(truth.to(device))
    scores, labels = torch.cat(logits), torch.cat(truths)
    if int(labels.max()) >= scores.shape[1]:
        got = f"the model has {scores.shape[1]} classes, a label is {int(labels.max())}"
        raise ValueError(f"{got}: give the head more classes")
    if not scores.isfinite().all():
        raise Diverged("the model's logits are not finite: look for such values in the images or the weights")
    predictions = scores.argmax(1)
    accuracy = float((predictions == labels).double().mean())
    return Evaluation(accuracy, float(F.cross_entropy(scores, labels)), predictions.cpu(), labels.cpu())
