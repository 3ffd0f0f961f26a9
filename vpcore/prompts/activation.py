"""AP: one learned tensor added to the activations in front of a block, the same for every image."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.backbone import Spec
from vpcore.prompts.base import Prompt

SHAPES = ("full", "per_channel", "shared", "patch_only", "cls_only")


class ActivationPrompt(Prompt):
    """Add a learned tensor to the activations before block `layer`.

    Zhang et al. (2026, arXiv:2604.06440): z' = z + delta at one intermediate layer of a frozen network. Only the
    blocks from `layer` on are back-propagated through; those below see no prompt and can be run once and cached.
    Ours, because we found neither the paper's full text nor its code: layer l is the input of block l (before the
    first norm, after the last residual sum) and l = depth the input of pooling; the class token is prompted too;
    delta starts at zero, so training starts from a plain linear probe; several layers at once; the default layer.

    Shapes of delta: "full" is all activations; "per_channel" (for a ViT also called "shared") is one number a
    channel, the same at every position or token; "patch_only" and "cls_only" leave a ViT's prefix tokens (class and
    register tokens) or everything but the class token alone.

    Args:
        spec: the sizes of any backbone.
        layer: 0 … depth, or several different ones; None takes the first quarter of a ViT or Swin and the third of a
            CNN, the depths that the paper's layer preference points to.
        shape: one of `SHAPES`.
        seed: unused, there is nothing to draw.

    Raises:
        ValueError: a layer out of range or named twice, an unknown shape, or a token shape without tokens.
    """

    def __init__(
        self, spec: Spec, layer: int | Sequence[int] | None = None, shape: str = "full", seed: int = 0
    ) -> None:
        super().__init__(spec, seed)
        self.layers = _layers(spec, layer)
        self.first_layer = min(self.layers)
        _check_shape(spec, shape)
        self.shape = shape
        self.deltas = nn.ParameterDict({str(each): torch.zeros(_size(spec, each, shape)) for each in self.layers})

    def activation(self, z: Tensor, layer: int, context: Any) -> Tensor:
        """Add delta if this layer is prompted."""
        return z + self.delta(layer) if layer in self.layers else z

    def delta(self, layer: int) -> Tensor:
        """Return what is added before block `layer`, ready to broadcast to `(batch, *spec.shapes[layer])`."""
        if layer not in self.layers:
            raise ValueError(f"layer {layer} is not prompted: this prompt acts at {', '.join(map(str, self.layers))}")
        delta, prefix = self.deltas[str(layer)], self.spec.num_prefix_tokens
        if self.shape == "patch_only":
            return F.pad(delta, (0, 0, prefix, 0))  # (1, N, D) to (1, prefix + N, D)
        if self.shape == "cls_only":
            return F.pad(delta, (0, 0, 0, self.spec.shapes[layer][0] - 1))  # (1, 1, D) to (1, prefix + N, D)
        return delta


def _layers(spec: Spec, layer: int | Sequence[int] | None) -> tuple[int, ...]:
    if layer is None:
        return (3 * spec.depth // 4 if spec.kind == "cnn" else spec.depth // 4,)
    given = tuple(layer) if isinstance(layer, Sequence) else (layer,)
    if any(isinstance(each, bool) or not hasattr(each, "__index__") for each in given):
        raise TypeError(f"layer must be a whole number or several of them, got {layer!r}")
    layers = tuple(index(each) for each in given)
    if not layers or len(set(layers)) != len(layers) or any(not 0 <= each <= spec.depth for each in layers):
        raise ValueError(f"layer must be in 0 … {spec.depth} for {spec.name}, each at most once, got {layer}")
    return layers


def _check_shape(spec: Spec, shape: str) -> None:
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {', '.join(SHAPES)}, got {shape!r}")
    if shape in ("patch_only", "cls_only") and spec.kind != "vit":
        raise ValueError(f"{shape} needs a ViT's tokens, {spec.name} is a {spec.kind}: use full or per_channel")
    if shape == "cls_only" and not (spec.num_prefix_tokens and spec.class_token):
        raise ValueError(f"cls_only needs a class token, {spec.name} has none: use full or shared")


def _size(spec: Spec, layer: int, shape: str) -> tuple[int, ...]:
    size = spec.shapes[layer]
    if shape == "full":
        return (1, *size)
    if shape in ("per_channel", "shared"):
        return (1, size[0], 1, 1) if spec.kind == "cnn" else (1,) * len(size) + (size[-1],)
    return (1, 1, size[-1]) if shape == "cls_only" else (1, size[0] - spec.num_prefix_tokens, size[-1])
