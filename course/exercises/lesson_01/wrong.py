"""Lesson 01, pixel prompts: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course.exercises.lesson_01.answers import add_frame
from vpcore.heads.label_mapping import assign_greedily, assign_optimally


def frame_alone(images: Tensor, *strips: Tensor) -> Tensor:
    """Return the frame without the images."""
    return add_frame(torch.zeros_like(images), *strips)


def covers_images(images: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Put the frame in place of the image's border."""
    p = top.shape[2]
    inner = torch.zeros_like(images)
    inner[:, :, p:-p, p:-p] = images[:, :, p:-p, p:-p]
    return add_frame(inner, top, bottom, left, right)


def swapped(first: int, second: int) -> Callable[..., Tensor]:
    """Exchange two strips."""

    def wrong(images: Tensor, *strips: Tensor) -> Tensor:
        order = list(strips)
        order[first], order[second] = order[second], order[first]
        return add_frame(images, *order)

    return wrong


def subtracts(images: Tensor, *strips: Tensor) -> Tensor:
    """Subtract the frame."""
    return 2 * images - add_frame(images, *strips)


def without(*left_out: int) -> Callable[..., Tensor]:
    """Leave some strips at zero."""

    def wrong(images: Tensor, *strips: Tensor) -> Tensor:
        return add_frame(images, *[s * 0 if place in left_out else s for place, s in enumerate(strips)])

    return wrong


def count_with(formula: Callable[[int, int, int], int]) -> Callable[[int, int, int, int], int]:
    """Count one channel by a formula of H, W and p."""
    return lambda chans, height, width, p: chans * formula(height, width, p)


def one_channel(chans: int, height: int, width: int, p: int) -> int:
    """Forget the channels."""
    return 2 * p * (height + width - 2 * p)


def square_only(chans: int, height: int, width: int, p: int) -> int:
    """Take the height for the width."""
    return 4 * chans * p * (height - p)


def each_alone(counts: Tensor) -> Tensor:
    """Let classes share a source class."""
    return counts.argmax(0)


def best_sum(counts: Tensor) -> Tensor:
    """Make the sum of all counts the largest possible."""
    return assign_optimally(counts)


def in_order(counts: Tensor) -> Tensor:
    """Give class 0 its favorite, then class 1, and so on."""
    free, mapping = counts.clone(), []
    for target in range(counts.shape[1]):
        mapping.append(int(free[:, target].argmax()))
        free[mapping[-1]] = -1
    return torch.tensor(mapping)


def source_first(counts: Tensor) -> Tensor:
    """Return the target class of each of the first K source classes, the mapping the wrong way round."""
    mapping = assign_greedily(counts)
    return mapping.argsort()


def marks_with_zero(counts: Tensor) -> Tensor:
    """Strike rows and columns with zeros, which are counts too."""
    left, classes = counts.clone(), counts.shape[1]
    mapping = torch.zeros(classes, dtype=torch.long)
    for _ in range(classes):
        source, target = divmod(int(left.argmax()), classes)
        mapping[target] = source
        left[source], left[:, target] = 0, 0
    return mapping


def smallest_first(counts: Tensor) -> Tensor:
    """Take the smallest counts."""
    return assign_greedily(-counts)


def by_share(counts: Tensor) -> Tensor:
    """Divide each class's column by its sum first."""
    return assign_greedily(counts / counts.sum(0).clamp(min=1))


def patches_with(
    last: int = 1,
    same: bool = False,
    exchange: bool = False,
    replace: bool = False,
    whole: Callable[[float], int] = int,
) -> Any:
    """Return a wrong way to add a square at random places."""

    def wrong(images: Tensor, patch: Tensor, draws: Tensor) -> Tensor:
        p, prompted = patch.shape[-1], images.clone()
        height, width = images.shape[-2:]
        for place, image in enumerate(prompted):
            down, right = draws[0 if same else place].flip(0) if exchange else draws[0 if same else place]
            row, column = whole(float(down * (height - p + last))), whole(float(right * (width - p + last)))
            part = image[:, row : row + p, column : column + p]
            part.copy_(patch if replace else part + patch)
        return prompted

    return wrong


def epochs_with(
    reset: bool = True, shift: int = 0, first: bool = False, shared: bool = False, once: bool = False
) -> Any:
    """Return a wrong series of mappings."""

    def wrong(predictions: Tensor, labels: Tensor, num_source: int, num_classes: int) -> Tensor:
        mappings, counts = [], torch.zeros(num_source, num_classes, dtype=torch.long)
        for epoch in range(len(predictions)):
            said = predictions[0 if first else max(0, epoch + shift)]
            fresh = torch.bincount(said * num_classes + labels, minlength=counts.numel()).view_as(counts)
            fresh = fresh.clamp(max=1) if once else fresh
            counts = fresh if reset else counts + fresh
            mappings.append(counts.argmax(0) if shared else assign_greedily(counts))
        return torch.stack(mappings)

    return wrong


def rate_with(sgd: Callable[[Tensor], Tensor], adam: Callable[[Tensor], Tensor]) -> Any:
    """Return a wrong rate: by what the rate is multiplied for each optimizer."""
    return lambda rate, std, optimizer: rate * (sgd(std) if optimizer == "sgd" else adam(std))


def learn_with(
    training: Any, *, zero: bool = True, new: bool = False, sign: float = 1.0, reduction: str = "mean",
    optimizer: Any = torch.optim.Adam, after: bool = False, first: bool = False,
) -> list[float]:  # fmt: skip
    """Run a training loop with a fault; with none, the right one."""

    def loss_of(batch: tuple[Tensor, Tensor]) -> Tensor:
        logits = training.head(training.network(batch[0] + sign * training.delta))
        return F.cross_entropy(logits, batch[1], reduction=reduction)

    training.network.requires_grad_(False).eval()
    learned = [training.delta, *training.head.parameters()]
    stepper, losses = optimizer(learned, lr=training.rate), []
    for batch in training.batches:
        chosen = training.batches[0] if first else batch
        stepper = optimizer(learned, lr=training.rate) if new else stepper
        loss = loss_of(chosen)
        if zero:
            stepper.zero_grad()
        loss.backward()
        stepper.step()
        losses.append((loss_of(chosen) if after else loss).item())
    return losses
