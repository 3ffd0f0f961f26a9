"""Lesson 06, prompts and norms: the right answers."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

Factors = dict[str, tuple[Tensor, Tensor]]


def norm_bias(delta: Tensor, where: str, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    """Return the bias (C,) of a batch norm in eval mode that does the work of delta (1, C, 1, 1) before or after it."""
    shift = delta.flatten()
    if where == "before":
        shift = weight * shift / torch.sqrt(var + eps)
    return bias + shift


def head_bias(weight: Tensor, bias: Tensor, delta: Tensor) -> Tensor:
    """Return the bias (K,) of a head behind global average pooling that does the work of delta (1, C, H, W)."""
    return bias + weight @ delta.mean((0, 2, 3))


def block_bias(weights: dict[str, Tensor], layer: int, delta: Tensor) -> dict[str, Tensor]:
    """Return the one weight of a ViT, by name, that does the work of a shared delta (1, 1, D) before a block."""
    name = f"blocks.{layer - 1}.mlp.fc2.bias"
    if layer == 0:
        name = "embed.net.pos_embed"
        return {name: weights[name] + delta}
    return {name: weights[name] + delta.flatten()}


def merge_scale(weight: Tensor, bias: Tensor | None, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a layer that puts out scale · y + shift, where the given one puts out y."""
    sizes = [-1] + [1] * (weight.dim() - 1)
    merged = scale.view(sizes) * weight
    if bias is None:
        return merged, shift.clone()
    return merged, scale * bias + shift


def norm_of_scale(
    scale: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a batch norm in eval mode that does the work of a scale and shift in front of it."""
    std = torch.sqrt(var + eps)
    moved = scale * mean + shift - mean
    return weight * scale, bias + weight * moved / std


def train_norm(z: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Return what a batch norm in training mode makes of z (B, C, H, W)."""
    mean = z.mean((0, 2, 3), keepdim=True)
    var = z.var((0, 2, 3), correction=0, keepdim=True)
    unit = (z - mean) / torch.sqrt(var + eps)
    return weight.view(1, -1, 1, 1) * unit + bias.view(1, -1, 1, 1)


def picture_of(weight: Tensor, tokens: Tensor) -> Tensor:
    """Return the smallest picture (1, C, H, W) that a patch embedding (D, C, p, p) maps to tokens (1, N, D)."""
    patch = weight.shape[-1]
    inverse = torch.linalg.pinv(weight.flatten(1))  # (C · p · p, D)
    patches = tokens @ inverse.T  # (1, N, C · p · p)
    size = patch * math.isqrt(tokens.shape[1])
    return F.fold(patches.transpose(1, 2), (size, size), patch, stride=patch)


def reaching(delta: Tensor, pool: str) -> Tensor:
    """Return the part of delta (1, 1 + N, D) after the last block that reaches the features, zeros elsewhere."""
    kept = torch.zeros_like(delta)
    if pool == "token":
        kept[:, 0] = delta[:, 0]
    else:
        kept[:, 1:] = delta[:, 1:]
    return kept


def unevenness(z: Tensor, delta: Tensor) -> float:
    """Return how far a layer norm's shifts under a shared delta are from their mean over tokens, relative to size."""
    dim = z.shape[-1]
    shift = F.layer_norm(z + delta, (dim,)) - F.layer_norm(z, (dim,))
    away = shift - shift.mean(1, keepdim=True)
    return float(away.norm(dim=-1).mean() / shift.norm(dim=-1).mean())


def merge_lora(weight: Tensor, factors: Factors, alpha: float) -> Tensor:
    """Return a ViT's fused weight (3 · D, D) with the low-rank changes (A, B) of "q", "k" or "v" built in."""
    merged, dim = weight.clone(), weight.shape[1]
    for place, name in enumerate("qkv"):
        if name in factors:
            down, up = factors[name]
            merged[place * dim : (place + 1) * dim] += alpha / len(down) * up @ down
    return merged
