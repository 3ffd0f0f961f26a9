"""Where a ViT's tokens look: attention weights, computed again from each block's input, and how far they reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vpcore.device import evaluating
from vpcore.prompted import Prompted


def attention_weights(
    model: Prompted, images: Float[Tensor, "batch channels height width"], layer: int
) -> Float[Tensor, "batch heads tokens tokens"]:
    """Return which token looks at which in block `layer`: rows are queries and sum to 1.

    Tokens stand as in the block: prefix (class) tokens, a token prompt's, then patches row by row. The model runs in
    eval mode, its mode is put back, and no hook is set: queries and keys are computed again from the block's input,
    with the prompt, and with a tuning's weights.

    Args:
        model: on a ViT of plain timm blocks.
        images: a batch in [0, 1].
        layer: a block, 0 … depth - 1.

    Raises:
        ValueError: no such block, no ViT, or blocks of another kind.
    """
    spec = model.backbone.spec
    if layer not in range(spec.depth):
        raise ValueError(f"layer must be in 0 … {spec.depth - 1}, the blocks of {spec.name}, got {layer}")
    return _each_block(model, images, lambda weights: weights, only=layer)[0]


def attention_distances(
    model: Prompted, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "blocks heads"]:
    """Return how far each head of each block looks, in pixels, on average over images and patches.

    Dosovitskiy et al. (2021, arXiv:2010.11929, appendix D.7): distances between patch centers, weighted by
    attention. Ours, where the paper is silent: class and prompt tokens, which have no place, are left out, and what
    is left of each row is scaled to sum to 1.

    Args:
        model: on a ViT of plain timm blocks.
        images: a batch in [0, 1].

    Raises:
        ValueError: no ViT, or blocks of another kind.
    """
    spec = model.backbone.spec

    def reach(weights: Tensor) -> Tensor:
        among = weights[..., -spec.num_tokens :, -spec.num_tokens :]
        return mean_attention_distance(among, spec.patch_size or 1, spec.grid)

    return torch.stack(_each_block(model, images, reach))


def mean_attention_distance(
    weights: Float[Tensor, "batch heads patches patches"], patch_size: int, grid: tuple[int, int] | None = None
) -> Float[Tensor, " heads"]:
    """Return the mean distance from a patch to what it looks at, per head, in pixels.

    Args:
        weights: attention among patches, row by row; rows need not sum to 1.
        patch_size: distance of neighboring centers, in pixels.
        grid: rows and columns of the patches; a square by default.

    Raises:
        ValueError: the patches form no such grid.
    """
    side = round(weights.shape[-1] ** 0.5)
    rows, columns = grid or (side, side)
    if rows * columns != weights.shape[-1]:
        form = "a square grid" if grid is None else f"{rows} rows of {columns}"
        raise ValueError(f"patches must form {form}, got {weights.shape[-1]}: leave out all other tokens")
    steps = [torch.arange(count, device=weights.device, dtype=weights.dtype) for count in (rows, columns)]
    places = torch.cartesian_prod(*steps) * patch_size  # (N, 2)
    among = weights / weights.sum(-1, keepdim=True)
    return (among * torch.cdist(places, places)).sum(-1).mean((0, 2))


@torch.no_grad()
def _each_block(
    model: Prompted, images: Tensor, use: Callable[[Tensor], Tensor], only: int | None = None
) -> list[Tensor]:
    """Run the model once and return what `use` makes of each block's weights, or of one block's."""
    _check_blocks(model)
    found: list[Tensor] = []

    def watch(z: Tensor, layer: int) -> Tensor:
        if layer < model.backbone.spec.depth and only in (None, layer):
            found.append(use(_weights(model.backbone.blocks[layer], z)))
        return z

    with evaluating(model):
        model.features(images, watch=watch)
    return found


def _weights(block: Any, z: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch heads tokens tokens"]:
    attention = block.attn
    qkv = attention.qkv(block.norm1(z)).unflatten(-1, (3, attention.num_heads, -1))  # (B, T, 3, heads, width)
    query, key, _ = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, T, width) each
    scores = attention.q_norm(query) @ attention.k_norm(key).mT * attention.scale
    return scores.softmax(-1)


def _check_blocks(model: Prompted) -> None:
    from timm.layers.attention import Attention
    from timm.models.vision_transformer import Block

    spec = model.backbone.spec
    plain = all(type(block) is Block and type(block.attn) is Attention for block in model.backbone.blocks)
    if spec.kind != "vit" or not plain:
        raise ValueError(f"attention weights need a ViT of plain timm blocks, {spec.name} is none: take another one")
