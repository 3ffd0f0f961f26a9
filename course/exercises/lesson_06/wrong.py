"""Lesson 06, prompts and norms: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course.exercises.lesson_06.answers import Factors, picture_of


def norm_bias_with(before: Callable[..., Tensor], after: Callable[..., Tensor] = lambda d, *rest: d) -> Any:
    """Return a wrong bias: what is added before and after, from delta, weight, mean, var, eps."""

    def wrong(delta: Tensor, where: str, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
        shift = before if where == "before" else after
        return bias + shift(delta.flatten(), weight, mean, var, eps)

    return wrong


def right_before(delta: Tensor, weight: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    """Return the shift that is right in front of the norm."""
    return weight * delta / torch.sqrt(var + eps)


def head_bias_with(pooled: Callable[[Tensor], Tensor]) -> Any:
    """Return a wrong head bias: delta pooled to (C,) in another way."""
    return lambda weight, bias, delta: bias + weight @ pooled(delta)


def block_bias_with(name: str, back: int = 1, start: str = "embed.net.pos_embed", rows: slice = slice(None)) -> Any:
    """Return a wrong place for the shift: the bias's name, the block, the weight at layer 0 and its tokens."""

    def wrong(weights: dict[str, Tensor], layer: int, delta: Tensor) -> dict[str, Tensor]:
        if layer == 0:
            old = weights[start].clone()
            if old.dim() == 1:
                return {start: old + delta.flatten()}
            old[:, rows] += delta
            return {start: old}
        place = f"blocks.{layer - back}.{name}.bias"
        return {place: weights[place] + delta.flatten()}

    return wrong


def merge_with(rows: bool = True, bias: Callable[..., Tensor] = lambda b, s, t: s * b + t) -> Any:
    """Return a wrong merge: inputs scaled instead of outputs, or another bias from bias, scale, shift."""

    def wrong(weight: Tensor, old: Tensor | None, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        sizes = [1] * weight.dim()
        sizes[0 if rows or weight.dim() == 1 or weight.shape[1] != len(scale) else 1] = -1
        return scale.view(sizes) * weight, bias(torch.zeros_like(shift) if old is None else old, scale, shift)

    return wrong


def norm_of_scale_with(
    moved: Callable[..., Tensor], keep: bool = False, std_of: Callable[..., Tensor] = lambda v, e: torch.sqrt(v + e)
) -> Any:
    """Return a wrong norm: what is added to the bias, from scale, shift, weight, mean, std; or the old weight."""

    def wrong(scale: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float) -> Any:
        std = std_of(var, eps)
        return weight if keep else weight * scale, bias + moved(scale, shift, weight, mean, std)

    return wrong


def scale_behind(
    scale: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Any:
    """Take the scale and the shift for ones behind the norm."""
    return weight * scale, bias * scale + shift


def right_moved(scale: Tensor, shift: Tensor, weight: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return what is rightly added to the bias."""
    return weight * (scale * mean + shift - mean) / std


def train_norm_with(
    dims: tuple[int, ...] = (0, 2, 3), correction: int = 0, root: bool = True, mean: bool = True, eps: str = "inside"
) -> Any:
    """Return a wrong batch norm: other axes, the sample variance, no root, no mean, or eps elsewhere."""
    place = eps

    def wrong(z: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        var = z.var(dims, correction=correction, keepdim=True) + (eps if place == "inside" else 0)
        middle = z.mean(dims, keepdim=True) if mean else 0
        size = (torch.sqrt(var) if root else var) + (eps if place == "outside" else 0)
        unit = (z - middle) / size
        return weight.view(1, -1, 1, 1) * unit + bias.view(1, -1, 1, 1)

    return wrong


def picture_transposed(weight: Tensor, tokens: Tensor) -> Tensor:
    """Return the picture of the transposed instead of the inverse map."""
    patch, side = weight.shape[-1], int(tokens.shape[1] ** 0.5)
    return F.fold((tokens @ weight.flatten(1)).transpose(1, 2), patch * side, patch, stride=patch)


def picture_by_columns(weight: Tensor, tokens: Tensor) -> Tensor:
    """Return the picture whose patches run down the columns."""
    side = int(tokens.shape[1] ** 0.5)
    return picture_of(weight, tokens.view(1, side, side, -1).transpose(1, 2).reshape(tokens.shape))


def picture_reshaped(weight: Tensor, tokens: Tensor) -> Tensor:
    """Return the patches' numbers viewed as an image."""
    side = int(tokens.shape[1] ** 0.5) * weight.shape[-1]
    return (tokens @ torch.linalg.pinv(weight.flatten(1)).T).reshape(1, weight.shape[1], side, side)


def reaching_with(token: slice, avg: slice) -> Any:
    """Return a wrong part: which tokens are kept under token and under average pooling."""

    def wrong(delta: Tensor, pool: str) -> Tensor:
        kept, rows = torch.zeros_like(delta), token if pool == "token" else avg
        kept[:, rows] = delta[:, rows]
        return kept

    return wrong


def ratio_of_means(away: Tensor, moved: Tensor) -> Tensor:
    """Divide the mean lengths, which is right."""
    return away.norm(dim=-1).mean() / moved.norm(dim=-1).mean()


def mean_of_ratios(away: Tensor, moved: Tensor) -> Tensor:
    """Average the ratios."""
    return (away.norm(dim=-1) / moved.norm(dim=-1)).mean()


def ratio_of_norms(away: Tensor, moved: Tensor) -> Tensor:
    """Take the length of all tokens together."""
    return away.norm() / moved.norm()


def ratio_of_squares(away: Tensor, moved: Tensor) -> Tensor:
    """Square the lengths."""
    return away.square().sum() / moved.square().sum()


def uneven_with(shift: Callable[..., Tensor], dim: int = 1, sizes: Callable[..., Tensor] = ratio_of_means) -> Any:
    """Return a wrong unevenness: another shift from z and delta, another axis, or other sizes."""

    def wrong(z: Tensor, delta: Tensor) -> float:
        moved = shift(z, delta)
        return float(sizes(moved - moved.mean(dim, keepdim=True), moved))

    return wrong


def normed(z: Tensor, delta: Tensor, axes: int = 1) -> Tensor:
    """Return the shift behind a layer norm over the last axes."""
    return F.layer_norm(z + delta, z.shape[-axes:]) - F.layer_norm(z, z.shape[-axes:])


def lora_with(
    scale: Callable[[float, int], float] = lambda alpha, rank: alpha / rank, places: str = "qkv", by_dim: bool = False
) -> Any:
    """Return a wrong merge: another scale, also one divided by D, or the parts in other rows."""

    def wrong(weight: Tensor, factors: Factors, alpha: float) -> Tensor:
        merged, dim = weight.clone(), weight.shape[1]
        for name, (down, up) in factors.items():
            start = dim * places.index(name)
            merged[start : start + dim] += scale(alpha, len(down)) / (dim if by_dim else 1) * up @ down
        return merged

    return wrong


def lora_packed(weight: Tensor, factors: Factors, alpha: float) -> Tensor:
    """Return the merge with the parts that are there in the first rows."""
    names = list(factors)
    return lora_with(places="".join(names))(weight, factors, alpha)


def lora_replaced(weight: Tensor, factors: Factors, alpha: float) -> Tensor:
    """Return the changes in the place of the rows."""
    change = lora_with()(torch.zeros_like(weight), factors, alpha)
    there = [name in factors for name in "qkv"]
    return torch.where(torch.tensor(there).repeat_interleave(weight.shape[1])[:, None], change, weight)


def lora_outer(weight: Tensor, factors: Factors, alpha: float) -> Tensor:
    """Return the merge with the product transposed."""
    merged, dim = weight.clone(), weight.shape[1]
    for name, (down, up) in factors.items():
        start = dim * "qkv".index(name)
        merged[start : start + dim] += alpha / len(down) * (up @ down).T
    return merged
