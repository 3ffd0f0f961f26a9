"""Lesson 03, a prompt for each image: the right answers, and the inputs they are compared on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["from_another", "own_share", "patch_picture", "receptive_field", "rescale", "with_mean"]

Four = tuple[Tensor, Tensor, Tensor, Tensor]


def patch_picture(images: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor, patch: int) -> Tensor:
    """Return the picture (B, C, H, W) that one MLP draws patch by patch."""
    patches = F.unfold(images, patch, stride=patch).transpose(1, 2)  # (B, N, P)
    hidden = F.relu(F.linear(patches, weight1, bias1))
    drawn = F.linear(hidden, weight2, bias2)
    size = (images.shape[-2], images.shape[-1])
    return F.fold(drawn.transpose(1, 2), size, patch, stride=patch)


def patch_cases(rng: torch.Generator) -> list[Any]:
    def case(batch: int, chans: int, rows: int, columns: int, patch: int, hidden: int) -> Any:
        size = chans * patch**2
        shapes = ((batch, chans, patch * rows, patch * columns), (hidden, size), (hidden,), (size, hidden), (size,))
        return (*(torch.randn(shape, generator=rng) for shape in shapes), patch)

    return [case(2, 3, 5, 7, 4, 6), case(5, 1, 3, 4, 2, 7)]


def receptive_field(layers: list[tuple[int, int, int]]) -> int:
    """Return how many pixels wide a stack of (kernel, dilation, stride) sees."""
    field, jump = 1, 1
    for kernel, dilation, stride in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field


def receptive_cases(rng: torch.Generator) -> list[Any]:
    stacks = [
        [(3, 2, 1), (3, 2, 1)],
        [(11, 1, 1), (25, 1, 1)],
        [(7, 1, 1)],
        [(3, 1, 2), (3, 2, 2), (5, 3, 1)],
        [(7, 1, 1), (4, 1, 4), (9, 1, 1), (3, 1, 3), (3, 1, 1)],
    ]
    return [(stack,) for stack in stacks]


def with_mean(images: Tensor, train_pictures: Tensor) -> Tensor:
    """Add the mean of the training images' pictures to every image."""
    return images + train_pictures.mean(0, keepdim=True)


def mean_cases(rng: torch.Generator) -> list[Any]:
    return [
        (torch.randn(3, 2, 4, 5, generator=rng), torch.randn(6, 2, 4, 5, generator=rng)),
        (torch.randn(5, 3, 4, 2, generator=rng), torch.randn(7, 3, 4, 2, generator=rng) + 1),
    ]


def from_another(pictures: Tensor, order: Tensor) -> Tensor:
    """Give image order[i] the picture of image order[i + 1], and the last of the order that of the first."""
    given = torch.empty_like(pictures)
    given[order] = pictures[order.roll(-1)]
    return given


def another_cases(rng: torch.Generator) -> list[Any]:
    def case(count: int, rows: int, columns: int) -> Any:
        return torch.randn(count, 2, rows, columns, generator=rng), torch.randperm(count, generator=rng)

    return [case(6, 3, 4), case(9, 5, 3), (torch.randn(5, 1, 2, 3, generator=rng), torch.tensor([0, 3, 1, 4, 2]))]


def rescale(weight_g: Tensor, bias_g: Tensor, weight_l: Tensor, bias_l: Tensor, old: float, new: float) -> Four:
    """Return last layers that give with beta `new` the picture which the given ones give with beta `old`."""
    whole, patch = old / new, (1 - old) / (1 - new)
    return whole * weight_g, whole * bias_g, patch * weight_l, patch * bias_l


def rescale_cases(rng: torch.Generator) -> list[Any]:
    def case(old: float, new: float) -> Any:
        shapes = ((2, 6, 5, 3), (2,), (48, 16), (48,))
        return (*(torch.randn(shape, generator=rng) for shape in shapes), old, new)

    return [case(0.3, 0.8), case(0.7, 0.5), case(0.9, 0.2)]


def own_share(pictures: Tensor) -> float:
    """Return which share of the pictures' mean square is not in their mean picture."""
    return float(1 - pictures.mean(0).square().mean() / pictures.square().mean())


def share_cases(rng: torch.Generator) -> list[Any]:
    def case(count: int, rows: int, columns: int, shift: float) -> Any:
        size = (2, rows, columns)
        pictures = torch.randn(count, *size, generator=rng) + shift * torch.randn(size, generator=rng)
        return (pictures.double(),)  # 1 − a share near 1 loses digits in float32

    return [case(5, 4, 3, 1.0), case(8, 4, 6, 3.0), case(4, 3, 7, 6.0)]  # the last are nearly alike
