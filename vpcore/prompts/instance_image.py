"""InsVP at the image level: each image draws its own prompt, patch by patch and as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

from torch import Tensor

from vpcore.backbone import Spec
from vpcore.prompts.base import Images, Prompt
from vpcore.prompts.parts.own_picture import RELEASED_DROPOUT, build_prompters, draw_pictures, picture_weights, weigh

PARTS = ("patch", "global")


class InstanceImagePrompt(Prompt):
    """Add to each image a picture that two small networks draw from that image.

    Liu, Peng, Zhou (2024, "InsVP: Efficient Instance Visual Prompting from Image Itself", ACM MM; eq. 4–7):
    p^g = G_g(x) from the whole image, p^l = G_l(x_i) from every patch, p^I = β·p^g + (1 − β)·p^l, and x + p^I goes
    on to the backbone. A part used alone has weight 1. The feature level of the paper is `InstancePrompt`.

    Learned numbers, with P = C·patch² and kernels a, b: patch 2·P·r + r + P, global q·C·(a² + b²) + q + C.
    Differences: the paper gives no layer sizes; r = 16 and q = 6 are the released code's, 3×3 kernels with dilation 2
    are ours. With `init="zeros"` the last layers start at zero, so the model starts as the frozen one; with "default"
    at PyTorch's. `variant="released_code"` adds p^l + 2·p^g, with dense 11×11 and 25×25 convolutions, dropout 0.1 on
    both pictures (the dropout masks come from the prompt's own generator) and PyTorch's start, as `InstancePrompt` has.

    Args:
        spec: the sizes of the backbone.
        parts: "patch", "global" or both.
        patch_size: edge of a patch in pixels; None for the ViT's own, otherwise the divisor nearest image_size / 8.
        patch_hidden: hidden numbers r of the patch network.
        global_hidden: hidden channels q of the global network.
        kernels: odd kernel edges of the global network; None for the variant's.
        dilations: distances between kernel entries; None for the variant's.
        beta: weight of the global picture, 0 to 1; the released variant does not use it.
        dropout: probability that a drawn number is left out in training, 0 to below 1; None for the variant's.
        init: of the last layers, "zeros" or "default"; None for the variant's.
        variant: "paper" or "released_code".
        seed: seed of the initial weights and of dropout.

    Raises:
        ValueError: unknown part, init or variant; a patch that does not divide the image; a number out of range.
    """

    first_layer = -1

    def __init__(
        self,
        spec: Spec,
        parts: Sequence[str] = PARTS,
        patch_size: int | None = None,
        patch_hidden: int = 16,
        global_hidden: int = 6,
        kernels: Sequence[int] | None = None,
        dilations: Sequence[int] | None = None,
        beta: float = 0.7,
        dropout: float | None = None,
        init: str | None = None,
        variant: str = "paper",
        seed: int = 0,
    ) -> None:
        super().__init__(spec, seed)
        self.parts, self.beta, self.variant = tuple(parts), beta, variant
        self.dropout = (RELEASED_DROPOUT if variant == "released_code" else 0.0) if dropout is None else dropout
        if not parts or set(parts) - set(PARTS):
            raise ValueError(f"parts must be one or both of {', '.join(PARTS)}, got {self.parts}")
        init = ("default" if variant == "released_code" else "zeros") if init is None else init
        if init not in ("zeros", "default"):
            raise ValueError(f"init must be 'zeros' or 'default', got {init!r}")
        if not (0 <= beta <= 1 and 0 <= self.dropout < 1):
            raise ValueError(f"beta must be 0 to 1, dropout 0 to below 1, got {beta} and {self.dropout}")
        if patch_hidden < 1 or global_hidden < 1:
            given = f"{patch_hidden} and {global_hidden}"
            raise ValueError(f"patch_hidden and global_hidden must be at least 1, got {given}")
        made = build_prompters(
            spec,
            parts,
            patch_size or default_patch(spec),
            variant,
            zero=init == "zeros",
            generator=self.generator(),
            patch_hidden=patch_hidden,
            global_hidden=global_hidden,
            kernels=kernels,
            dilations=dilations,
        )
        if "patch" in made:
            self.patch = made["patch"]
        if "global" in made:
            self.whole = made["global"]  # its name in saved files

    def image(self, images: Images, context: Any) -> Images:
        """Add each normalized image's (B, C, H, W) own picture to it."""
        return images + self.added_map(images)

    def added_map(self, images: Images) -> Images:
        """Return p^I, the picture that is added to each image, in normalized units."""
        return weigh(self.pictures(images), picture_weights(self.variant, self.beta))

    def pictures(self, images: Images) -> dict[str, Tensor]:
        """Return p^l ("patch") and p^g ("global"), as far as this prompt has them, before they are weighed."""
        prompters = {"patch": getattr(self, "patch", None), "global": getattr(self, "whole", None)}
        return draw_pictures(prompters, images, self.dropout if self.training else 0.0, self.generator(images.device))


def default_patch(spec: Spec) -> int:
    """Return the ViT's patch size, or the divisor of the image size nearest to an eighth of it."""
    shared = gcd(*spec.size)
    divisors = [edge for edge in range(1, shared + 1) if shared % edge == 0]
    return spec.patch_size or min(divisors, key=lambda edge: abs(edge - min(spec.size) / 8))
