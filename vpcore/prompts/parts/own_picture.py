"""An image's own picture, which both InsVP prompts add to it: drawn patch by patch, from the whole image, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vpcore.backbone import Spec
from vpcore.prompts.base import Images
from vpcore.prompts.parts.prompters import GlobalPrompter, PatchPrompter
from vpcore.prompts.parts.sequence import drop

VARIANTS = ("paper", "released_code")
RELEASED_DROPOUT = 0.1  # of the published code; the paper names none


def build_prompters(
    spec: Spec,
    parts: Sequence[str],
    patch_size: int,
    variant: str,
    *,
    zero: bool,
    generator: torch.Generator,
    patch_hidden: int = 16,
    global_hidden: int = 6,
    kernels: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return G_l ("patch") and G_g ("global"), as far as they are among `parts`, drawn in this order.

    Args:
        spec: the sizes of the backbone.
        parts: names of what is wanted; others are left to the prompt.
        patch_size: edge of G_l's patches in pixels.
        variant: one of `VARIANTS`: G_g has kernels (3, 3) with dilations (2, 2), or (11, 25) undilated.
        zero: start the last layers at zero, so that the first picture is empty.
        generator: where the initial weights are drawn from.
        patch_hidden: hidden numbers of G_l.
        global_hidden: hidden channels of G_g.
        kernels: odd kernel edges of G_g; None for the variant's.
        dilations: distances between its kernel entries; None for the variant's.

    Raises:
        ValueError: unknown variant, a patch that does not divide the image, or kernels or dilations out of range.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
    if patch_size < 1 or any(edge % patch_size for edge in spec.size):
        size = "×".join(map(str, dict.fromkeys(spec.size)))
        raise ValueError(f"patch_size must divide the image size {size}, got {patch_size}: choose a divisor")
    found: dict[str, Any] = {}
    if "patch" in parts:
        found["patch"] = PatchPrompter(spec.in_chans, patch_size, patch_hidden, zero=zero, generator=generator)
    if "global" in parts:
        released = variant == "released_code"
        kernels = kernels or ((11, 25) if released else (3, 3))
        dilations = dilations or ((1, 1) if released else (2, 2))
        found["global"] = GlobalPrompter(
            spec.in_chans, global_hidden, kernels, dilations, zero=zero, generator=generator
        )
    return found


def draw_pictures(
    prompters: Mapping[str, nn.Module | None], images: Images, dropout: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return what each prompter that is there draws for normalized images, in this order; dropout as `drop` does."""
    there = {part: prompter for part, prompter in prompters.items() if prompter is not None}
    return {part: drop(prompter(images), dropout, generator) for part, prompter in there.items()}


def picture_weights(variant: str, beta: float) -> dict[str, float]:
    """Return the weights of the two pictures where both are there: β and 1 − β, or 2 and 1 in the released code."""
    return {"global": 2.0, "patch": 1.0} if variant == "released_code" else {"global": beta, "patch": 1 - beta}


def weigh(parts: Mapping[str, Tensor], weights: Mapping[str, float]) -> Any:
    """Return the weighted sum of two parts; one alone has weight 1, and none gives None."""
    if len(parts) < 2:
        return next(iter(parts.values()), None)
    (first, a), (second, b) = parts.items()
    return weights[first] * a + weights[second] * b
