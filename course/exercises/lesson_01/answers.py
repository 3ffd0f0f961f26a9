"""Lesson 01, pixel prompts: the right answers, and the inputs they are compared on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.heads.label_mapping import assign_greedily

__all__ = [
    "add_frame",
    "add_patches",
    "count_frame",
    "learn_prompt",
    "mapping_per_epoch",
    "pixel_rate",
    "source_for_each",
]


def add_frame(images: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Add a frame, built from four strips, to every image (B, C, H, W)."""
    width = top.shape[2]
    middle = images.new_zeros(1, images.shape[1], images.shape[2] - 2 * width, images.shape[3] - 2 * width)
    rows = torch.cat([left, middle, right], dim=3)
    return images + torch.cat([top, rows, bottom], dim=2)


def frame_cases(rng: torch.Generator) -> list[Any]:
    def case(batch: int, chans: int, height: int, width: int, p: int) -> Any:
        shapes = ((batch, chans, height, width), *[(1, chans, p, width)] * 2, *[(1, chans, height - 2 * p, p)] * 2)
        return tuple(torch.randn(shape, generator=rng) for shape in shapes)

    return [case(4, 3, 12, 12, 2), case(2, 1, 9, 14, 3), case(3, 3, 8, 8, 1)]


def count_frame(chans: int, height: int, width: int, p: int) -> int:
    """Count the numbers of a frame of p pixels on C × H × W images."""
    return 2 * chans * p * (height + width - 2 * p)


def count_cases(rng: torch.Generator) -> list[Any]:
    return [(3, 224, 224, 30), (3, 32, 32, 4), (1, 28, 20, 4), (3, 224, 224, 112), (2, 9, 12, 1)]


def source_for_each(counts: Tensor) -> Tensor:
    """Give every target class a source class of its own, the largest count first."""
    return assign_greedily(counts)


def mapping_cases(rng: torch.Generator) -> list[Any]:
    clash = torch.tensor([[0, 0, 1], [2, 9, 8], [0, 1, 6], [5, 0, 0], [0, 2, 0]])
    order = torch.tensor([[6, 9, 0], [5, 0, 0], [0, 8, 4], [3, 0, 5]])  # class by class gives another answer
    absent = torch.tensor([[7, 0, 0, 2], [4, 0, 9, 8], [0, 0, 3, 0], [1, 0, 0, 5], [0, 0, 0, 0]])
    sums = torch.tensor([[3, 7, 1], [0, 7, 4], [6, 8, 1], [8, 2, 9]])  # the largest sum of all is another mapping
    large = torch.randperm(240, generator=rng).view(24, 10)  # no ties
    return [clash, order, absent, sums, large]


def add_patches(images: Tensor, patch: Tensor, draws: Tensor) -> Tensor:
    """Add a square (C, p, p) to each image (B, C, H, W) at its own place, from two numbers in [0, 1) an image."""
    p, prompted = patch.shape[-1], images.clone()
    height, width = images.shape[-2:]
    for place, (down, right) in enumerate(draws):
        row, column = int(down * (height - p + 1)), int(right * (width - p + 1))
        prompted[place, :, row : row + p, column : column + p] += patch
    return prompted


def patch_cases(rng: torch.Generator) -> list[Any]:
    def case(batch: int, chans: int, height: int, width: int, p: int) -> Any:
        draws = torch.rand(batch, 2, generator=rng)
        draws[0], draws[1] = torch.tensor([0.999, 0.0]), torch.tensor([0.0, 0.999])  # the corners come up
        return (
            torch.randn(batch, chans, height, width, generator=rng),
            torch.randn(chans, p, p, generator=rng),
            draws,
        )

    return [case(5, 3, 8, 11, 3), case(4, 1, 6, 6, 5), case(8, 2, 9, 7, 2)]


def mapping_per_epoch(predictions: Tensor, labels: Tensor, num_source: int, num_classes: int) -> Tensor:
    """Return the mapping (epochs, K) that each epoch's own predictions (epochs, N) give."""
    mappings = []
    for said in predictions:
        counts = torch.zeros(num_source, num_classes, dtype=torch.long)
        for source, target in zip(said.tolist(), labels.tolist(), strict=True):
            counts[source, target] += 1
        mappings.append(assign_greedily(counts))
    return torch.stack(mappings)


def epoch_cases(rng: torch.Generator) -> list[Any]:
    def case(epochs: int, images: int, num_source: int, num_classes: int) -> Any:
        labels = torch.randint(num_classes, (images,), generator=rng)
        starts = torch.randint(num_source, (epochs, num_classes), generator=rng)  # some share a source class
        noise = torch.randint(num_source, (epochs, images), generator=rng)
        keep = torch.rand(epochs, images, generator=rng) < 0.6
        return torch.where(keep, starts[:, labels], noise), labels, num_source, num_classes

    return [case(4, 90, 12, 4), case(3, 60, 6, 5)]


def pixel_rate(rate: float, std: Tensor, optimizer: str) -> Tensor:
    """Return, per channel, the rate on pixels that walks the path of `rate` in normalized units."""
    return rate * (std**2 if optimizer == "sgd" else std)


def rate_cases(rng: torch.Generator) -> list[Any]:
    stds = (torch.tensor([0.229, 0.224, 0.225]), torch.tensor([0.5]))
    return [(rate, std, optimizer) for std in stds for rate, optimizer in ((40.0, "sgd"), (0.01, "adam"), (2.0, "sgd"))]


def learn_prompt(
    network: nn.Module, head: nn.Module, delta: Tensor, batches: list[tuple[Tensor, Tensor]], rate: float
) -> list[float]:
    """Learn delta and the head on a frozen network, one step of Adam a batch; return the losses before each step."""
    network.requires_grad_(False).eval()
    optimizer, losses = torch.optim.Adam([delta, *head.parameters()], lr=rate), []
    for images, labels in batches:
        loss = F.cross_entropy(head(network(images + delta)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
