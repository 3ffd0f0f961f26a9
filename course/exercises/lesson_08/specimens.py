"""Lesson 08, bug museum: right and faulty implementations that a learner's test must tell apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course.check import Specimen


class Prompter(nn.Module):
    """Add up(gelu(down(z))) to features z of shape (B, 8).

    Args:
        start: layers that start at zero: "none", "last" or "both".
        cut: stop the gradient behind the first layer.
        idle: hold a learned scale that is never used.
        fixed: keep the first bias from learning.
    """

    def __init__(self, start: str = "last", cut: bool = False, idle: bool = False, fixed: bool = False) -> None:
        super().__init__()
        self.down, self.up, self.cut = nn.Linear(8, 4), nn.Linear(4, 8), cut
        for layer in {"none": [], "last": [self.up], "both": [self.down, self.up]}[start]:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        if idle:
            self.scale = nn.Parameter(torch.ones(1))
        self.down.bias.requires_grad_(not fixed)

    def forward(self, z: Tensor) -> Tensor:
        """Return the prompted features."""
        hidden = F.gelu(self.down(z))
        return z + self.up(hidden.detach() if self.cut else hidden)


def learns_specimens(rng: torch.Generator) -> list[Specimen]:
    """Return prompters that learn, and prompters of which a part never does."""
    return [
        Specimen(partial(Prompter, "none"), True, "both layers start at random"),
        Specimen(
            partial(Prompter, "last"), True,
            "its last layer starts at zero, so the first one gets its gradient from the second step on",
        ),
        Specimen(partial(Prompter, idle=True), False, "holds a learned scale that it never uses"),
        Specimen(partial(Prompter, "both"), False, "starts both layers at zero, so that only the last bias moves"),
        Specimen(partial(Prompter, cut=True), False, "cuts the gradient off behind its first layer"),
        Specimen(partial(Prompter, fixed=True), False, "keeps one bias at requires_grad=False"),
    ]  # fmt: skip


def small_net() -> nn.Module:
    """Return a small network with a batch norm, in train mode, as every new network is."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))


def train_head(
    net: nn.Module, frozen: bool = True, still: bool = True, restore: bool = False, decay: float = 0
) -> None:
    """Train a head on top of a network for three steps, on random images.

    Args:
        net: the network, which should stay as it is.
        frozen: none of its weights requires a gradient.
        still: it runs in eval mode.
        restore: put its mode back at the end.
        decay: weight decay that reaches its weights.
    """
    draw = torch.Generator().manual_seed(0)
    before = net.training
    net.train(not still)
    net.requires_grad_(not frozen)
    head = nn.Linear(5, 2)
    optimizer = torch.optim.SGD([*head.parameters(), *([] if frozen else net.parameters())], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        head(net(torch.randn(6, 3, 8, 8, generator=draw))).square().mean().backward()
        optimizer.step()
        with torch.no_grad():
            for weight in net.parameters() if decay else ():
                weight.mul_(1 - decay)
    if restore:
        net.train(before)


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


def _shares(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> list[Tensor]:
    return [(scores.argmax(1) == truth).float() for scores, truth in zip(logits, labels, strict=True)]


def counted(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Count the right ones and divide by all."""
    return sum(float(share.sum()) for share in _shares(logits, labels)) / sum(map(len, labels))


def joined(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Join the batches, then take the mean."""
    return torch.cat(_shares(logits, labels)).mean().item()


def mean_of_means(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Average the averages."""
    return torch.stack([share.mean() for share in _shares(logits, labels)]).mean().item()


def short_batch_dropped(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Leave out a last batch that is shorter than the first."""
    shares = _shares(logits, labels)
    return torch.cat(shares[:-1] if len(shares[-1]) < len(shares[0]) else shares).mean().item()


def full_batches_assumed(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Divide as if all batches were as large as the first."""
    return sum(float(share.sum()) for share in _shares(logits, labels)) / (len(labels) * len(labels[0]))


MEASURES: dict[str, Callable[..., Any]] = {
    "mean of means": mean_of_means,
    "short batch dropped": short_batch_dropped,
    "full batches assumed": full_batches_assumed,
}


def accuracy_specimens(rng: torch.Generator) -> list[Specimen]:
    """Return measures of accuracy, right and faulty."""
    return [
        Specimen(counted, True, "it counts right answers and divides by all images"),
        Specimen(joined, True, "it takes the mean in float32, so 4/5 comes out as 0.800000012"),
        Specimen(mean_of_means, False, "averages the averages of batches"),
        Specimen(short_batch_dropped, False, "drops a last batch that is short"),
        Specimen(full_batches_assumed, False, "divides as if every batch were full"),
    ]
