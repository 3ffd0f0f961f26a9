"""What lesson 08 exhibits and its cells may use: a prompter, a training loop and faulty measures of accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Prompter(nn.Module):
    """Add up(gelu(down(z))) to features z of shape (B, 8).

    Args:
        start: layers that start at zero: "none", "last" or "both".
        cut: stop the gradient behind the first layer.
        idle: hold a learned scale that is never used.
        fixed: keep the first bias from learning.
        dead: give one hidden unit a bias at which it never fires.
    """

    def __init__(
        self, start: str = "last", cut: bool = False, idle: bool = False, fixed: bool = False, dead: bool = False
    ) -> None:
        super().__init__()
        self.down, self.up, self.cut = nn.Linear(8, 4), nn.Linear(4, 8), cut
        for layer in {"none": [], "last": [self.up], "both": [self.down, self.up]}[start]:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        if idle:
            self.scale = nn.Parameter(torch.ones(1))
        if dead:
            nn.init.constant_(self.down.bias[0], -100.0)
        self.down.bias.requires_grad_(not fixed)

    def forward(self, z: Tensor) -> Tensor:
        """Return the prompted features."""
        hidden = F.gelu(self.down(z))
        return z + self.up(hidden.detach() if self.cut else hidden)


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


def shares(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> list[Tensor]:
    """Say of each image of each batch whether it is classified right, as 0 and 1."""
    return [(scores.argmax(1) == truth).float() for scores, truth in zip(logits, labels, strict=True)]


def mean_of_means(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Average the averages."""
    return torch.stack([share.mean() for share in shares(logits, labels)]).mean().item()


def short_batch_dropped(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Leave out a last batch that is shorter than the first."""
    right = shares(logits, labels)
    return torch.cat(right[:-1] if len(right[-1]) < len(right[0]) else right).mean().item()


def full_batches_assumed(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Divide as if all batches were as large as the first."""
    return sum(float(share.sum()) for share in shares(logits, labels)) / (len(labels) * len(labels[0]))


MEASURES: dict[str, Callable[..., Any]] = {
    "mean of means": mean_of_means,
    "short batch dropped": short_batch_dropped,
    "full batches assumed": full_batches_assumed,
}
