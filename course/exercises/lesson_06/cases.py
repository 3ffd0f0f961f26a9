"""Lesson 06, prompts and norms: the inputs on which answers are compared."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def _normal(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def _statistics(rng: torch.Generator, chans: int) -> tuple[Tensor, Tensor]:
    return _normal(rng, chans), 0.05 + torch.rand(chans, generator=rng, dtype=torch.float64)


def norm_bias(rng: torch.Generator) -> list[Any]:
    """Return inputs of `norm_bias`."""

    def case(chans: int, where: str, eps: float) -> Any:
        affine = _normal(rng, chans), _normal(rng, chans)
        return _normal(rng, 1, chans, 1, 1), where, *affine, *_statistics(rng, chans), eps

    return [case(5, "after", 1e-5), case(5, "before", 1e-5), case(3, "before", 1e-2)]


def head_bias(rng: torch.Generator) -> list[Any]:
    """Return inputs of `head_bias`."""

    def case(classes: int, chans: int, rows: int, columns: int) -> Any:
        return _normal(rng, classes, chans), _normal(rng, classes), _normal(rng, 1, chans, rows, columns)

    return [case(4, 6, 2, 3), case(5, 3, 4, 2)]


def block_bias(rng: torch.Generator) -> list[Any]:
    """Return inputs of `block_bias`."""

    def case(layer: int, dim: int) -> Any:
        weights = {"embed.net.patch_embed.proj.bias": _normal(rng, dim), "embed.net.pos_embed": _normal(rng, 1, 5, dim)}
        for block in range(3):
            for part, size in (("attn.proj", dim), ("mlp.fc1", 2 * dim), ("mlp.fc2", dim)):
                weights[f"blocks.{block}.{part}.bias"] = _normal(rng, size)
        return weights, layer, _normal(rng, 1, 1, dim)

    return [case(1, 6), case(2, 4), case(0, 6)]


def merge_scale(rng: torch.Generator) -> list[Any]:
    """Return inputs of `merge_scale`."""

    def case(*shape: int, bias: bool = True) -> Any:
        rows = shape[0]
        given = _normal(rng, rows) if bias else None
        return _normal(rng, *shape), given, 1 + 0.5 * _normal(rng, rows), _normal(rng, rows)

    return [case(5, 5), case(6, 3), case(4, 4, 3, 5, bias=False), case(4)]


def norm_of_scale(rng: torch.Generator) -> list[Any]:
    """Return inputs of `norm_of_scale`."""

    def case(chans: int, eps: float) -> Any:
        pair = 1 + 0.5 * _normal(rng, chans), _normal(rng, chans)
        return *pair, _normal(rng, chans), _normal(rng, chans), *_statistics(rng, chans), eps

    return [case(5, 1e-5), case(3, 1e-2)]


def train_norm(rng: torch.Generator) -> list[Any]:
    """Return inputs of `train_norm`."""
    return [
        (3 * _normal(rng, 3, 4, 2, 5) + 1, _normal(rng, 4), _normal(rng, 4), 1e-5),
        (_normal(rng, 2, 3, 5, 4), _normal(rng, 3), _normal(rng, 3), 1e-2),
    ]


def picture_of(rng: torch.Generator) -> list[Any]:
    """Return inputs of `picture_of`."""
    return [
        (_normal(rng, 6, 3, 2, 2), _normal(rng, 1, 16, 6)),
        (_normal(rng, 7, 2, 3, 3), _normal(rng, 1, 25, 7)),
    ]


def reaching(rng: torch.Generator) -> list[Any]:
    """Return inputs of `reaching`."""
    return [(_normal(rng, 1, 5, 3), "token"), (_normal(rng, 1, 5, 3), "avg")]


def unevenness(rng: torch.Generator) -> list[Any]:
    """Return inputs of `unevenness`."""

    def case(tokens: int, dim: int) -> Any:
        sizes = torch.linspace(0.3, 4, tokens, dtype=torch.float64).view(1, -1, 1)
        return sizes * _normal(rng, 1, tokens, dim), _normal(rng, 1, 1, dim)

    return [case(6, 8), case(9, 5)]


def merge_lora(rng: torch.Generator) -> list[Any]:
    """Return inputs of `merge_lora`."""

    def case(dim: int, rank: int, names: str, alpha: float) -> Any:
        factors = {name: (_normal(rng, rank, dim), _normal(rng, dim, rank)) for name in names}
        return _normal(rng, 3 * dim, dim), factors, alpha

    return [case(4, 2, "qv", 3.0), case(3, 3, "qk", 2.0), case(5, 4, "v", 4.0)]
