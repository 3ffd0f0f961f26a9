"""Lesson 08, bug museum: right and faulty implementations that a learner's test must tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from course.check import Specimen
from course.show.museum import (
    Prompter,
    full_batches_assumed,
    mean_of_means,
    shares,
    short_batch_dropped,
    train_head,
)


def learns_specimens(rng: torch.Generator) -> list[Specimen]:
    """Return prompters that learn, and prompters of which a part never does."""
    return [
        Specimen(partial(Prompter, "none"), True, "both layers start at random"),
        Specimen(
            partial(Prompter, "last"), True,
            "its last layer starts at zero, so the first one gets its gradient from the second step on",
        ),
        Specimen(
            partial(Prompter, "none", dead=True), True,
            "one of its hidden units never fires, so some entries of a gradient are zero, and not all of them",
        ),
        Specimen(partial(Prompter, idle=True), False, "holds a learned scale that it never uses"),
        Specimen(partial(Prompter, "both"), False, "starts both layers at zero, so that only the last bias moves"),
        Specimen(partial(Prompter, cut=True), False, "cuts the gradient off behind its first layer"),
        Specimen(partial(Prompter, fixed=True), False, "keeps one bias at requires_grad=False"),
    ]  # fmt: skip


def frozen_specimens(rng: torch.Generator) -> list[Specimen]:
    """Return training runs that leave a network alone, and runs that change it."""
    return [
        Specimen(train_head, True, "eval mode, and no weight requires a gradient"),
        Specimen(partial(train_head, restore=True), True, "the same, and the mode is put back at the end"),
        Specimen(partial(train_head, frozen=False, still=False), False, "trains the network as well"),
        Specimen(partial(train_head, frozen=False), False, "hands the network's weights to the optimizer"),
        Specimen(partial(train_head, still=False), False, "leaves batch norm in train mode, so its statistics move"),
        Specimen(partial(train_head, decay=0.001), False, "lets weight decay shrink the frozen weights"),
    ]


def counted(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Count the right ones and divide by all."""
    return sum(float(share.sum()) for share in shares(logits, labels)) / sum(map(len, labels))


def joined(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Join the batches, then take the mean."""
    return torch.cat(shares(logits, labels)).mean().item()


def accuracy_specimens(rng: torch.Generator) -> list[Specimen]:
    """Return measures of accuracy, right and faulty."""
    return [
        Specimen(counted, True, "it counts right answers and divides by all images"),
        Specimen(joined, True, "it takes the mean in float32, so 4/5 comes out as 0.800000012"),
        Specimen(mean_of_means, False, "averages the averages of batches"),
        Specimen(short_batch_dropped, False, "drops a last batch that is short"),
        Specimen(full_batches_assumed, False, "divides as if every batch were full"),
    ]
