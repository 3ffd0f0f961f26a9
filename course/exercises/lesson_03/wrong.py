"""Lesson 03, a prompt for each image: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course.exercises.lesson_03.answers import Four, patch_picture, receptive_field


def patch_with(order: str = "unfold", bend: bool = True, last: bool = False, back: str = "fold") -> Any:
    """Return a wrong way to draw a picture patch by patch."""

    def wrong(images: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor, patch: int) -> Tensor:
        columns = F.unfold(images, patch, stride=patch)  # (B, P, N)
        count, size = columns.shape[2], (images.shape[-2], images.shape[-1])
        patches = columns.reshape(len(images), count, -1) if order == "reshaped" else columns.transpose(1, 2)
        if order == "channels last":
            patches = patches.unflatten(2, (-1, patch**2)).transpose(2, 3).flatten(2)
        hidden = F.linear(patches, weight1, bias1)
        drawn = F.linear(F.relu(hidden) if bend else hidden, weight2, bias2)
        drawn = F.relu(drawn) if last else drawn
        if back == "view":
            return drawn.reshape(images.shape)
        if order == "channels last":
            drawn = drawn.unflatten(2, (patch**2, -1)).transpose(2, 3).flatten(2)
        flat = drawn.reshape(columns.shape) if back == "reshaped" else drawn.transpose(1, 2)
        return F.fold(flat, size, patch, stride=patch)

    return wrong


def patch_added(images: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor, patch: int) -> Tensor:
    """Return the prompted images instead of the picture."""
    return images + patch_picture(images, weight1, bias1, weight2, bias2, patch)


def receptive_with(
    start: int = 1, grow: Callable[[int, int], int] = lambda kernel, dilation: (kernel - 1) * dilation,
    jumps: bool = True, early: bool = False, last: bool = False,
) -> Any:  # fmt: skip
    """Return a wrong receptive field."""

    def wrong(layers: list[tuple[int, int, int]]) -> int:
        field, jump = start, 1
        for kernel, dilation, stride in layers:
            jump *= stride if early and jumps else 1
            field += grow(kernel, dilation) * jump
            jump = stride if last else jump * (stride if jumps and not early else 1)
        return field

    return wrong


def receptive_turned(layers: list[tuple[int, int, int]]) -> int:
    """Take the second number for the stride."""
    return receptive_field([(kernel, dilation, stride) for kernel, stride, dilation in layers])


def mean_of_batch(images: Tensor, train_pictures: Tensor) -> Tensor:
    """Take the mean over the pixels of each picture as well."""
    return images + train_pictures.mean()


def mean_per_channel(images: Tensor, train_pictures: Tensor) -> Tensor:
    """Take one number a channel."""
    return images + train_pictures.mean((0, 2, 3), keepdim=True)


def mean_over_channels(images: Tensor, train_pictures: Tensor) -> Tensor:
    """Take the mean over channels as well."""
    return images + train_pictures.mean((0, 1))


def mean_by_images(images: Tensor, train_pictures: Tensor) -> Tensor:
    """Divide the sum by the number of images."""
    return images + train_pictures.sum(0) / len(images)


def mean_of_images(images: Tensor, train_pictures: Tensor) -> Tensor:
    """Average images instead of pictures."""
    return images + images.mean(0, keepdim=True)


def mean_alone(images: Tensor, train_pictures: Tensor) -> Tensor:
    """Forget the images."""
    return train_pictures.mean(0, keepdim=True).expand(images.shape)


def mean_summed(images: Tensor, train_pictures: Tensor) -> Tensor:
    """Add all pictures up."""
    return images + train_pictures.sum(0, keepdim=True)


def another_shuffled(pictures: Tensor, order: Tensor) -> Tensor:
    """Shuffle: some images may keep their own picture."""
    return pictures[order]


def another_neighbor(pictures: Tensor, order: Tensor) -> Tensor:
    """Leave the order out: image i gets the picture of image i + 1."""
    return pictures.roll(-1, 0)


def another_backward(pictures: Tensor, order: Tensor) -> Tensor:
    """Go through the order the other way."""
    given = torch.empty_like(pictures)
    given[order] = pictures[order.roll(1)]
    return given


def another_unsorted(pictures: Tensor, order: Tensor) -> Tensor:
    """Return the pictures in the order's order instead of the images'."""
    return pictures[order.roll(-1)]


def another_open(pictures: Tensor, order: Tensor) -> Tensor:
    """Leave the last image of the order as it is."""
    given = pictures.clone()
    given[order[:-1]] = pictures[order[1:]]
    return given


def another_while_reading(pictures: Tensor, order: Tensor) -> Tensor:
    """Take each picture from where the others are written."""
    given = pictures.clone()
    for here, after in zip(order, order.roll(-1), strict=True):
        given[here] = given[after]
    return given


def another_mean(pictures: Tensor, order: Tensor) -> Tensor:
    """Give everyone the mean."""
    return pictures.mean(0, keepdim=True).expand_as(pictures).clone()


def rescale_with(
    whole: Callable[[float, float], float], patch: Callable[[float, float], float], bias: bool = True
) -> Callable[..., Four]:
    """Return a wrong way to rescale the last layers; the factors are functions of the old and the new beta."""

    def wrong(weight_g: Tensor, bias_g: Tensor, weight_l: Tensor, bias_l: Tensor, old: float, new: float) -> Four:
        g, p = whole(old, new), patch(old, new)
        return g * weight_g, (g if bias else 1) * bias_g, p * weight_l, (p if bias else 1) * bias_l

    return wrong


def share_of_mean(pictures: Tensor) -> float:
    """Return the share that is in the mean picture."""
    return float(pictures.mean(0).square().mean() / pictures.square().mean())


def share_of_numbers(pictures: Tensor) -> float:
    """Subtract one number instead of the mean picture."""
    return float((pictures - pictures.mean()).square().mean() / pictures.square().mean())


def share_of_own_numbers(pictures: Tensor) -> float:
    """Subtract from every picture its own mean number."""
    left = pictures - pictures.mean((1, 2, 3), keepdim=True)
    return float(left.square().mean() / pictures.square().mean())


def share_unbiased(pictures: Tensor) -> float:
    """Divide by one less than the number of pictures."""
    return float(pictures.var(0).mean() / pictures.square().mean())


def share_unsquared(pictures: Tensor) -> float:
    """Compare root mean squares."""
    return float(((pictures - pictures.mean(0)).square().mean() / pictures.square().mean()).sqrt())


def share_variance(pictures: Tensor) -> float:
    """Return the variance itself."""
    return float((pictures - pictures.mean(0)).square().mean())
