"""Where an image prompt's numbers sit: on a border of some width, or on every pixel."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vpcore.backbone import Spec

INITS = ("zeros", "normal")


def require_square(spec: Spec, name: str) -> None:
    """Refuse a backbone whose images are not square."""
    if spec.image_width is not None:
        height, width = spec.size
        use = "use multiscale, instance_image, activation, or a backbone for square images"
        raise ValueError(f"{name} needs square images, {spec.name} takes {height}×{width}: {use}")


def border_pixels(image_size: int, width: int | str) -> Int64[Tensor, " pixels"]:
    """Return the flat indices (row · image_size + column) of a frame of `width` pixels, or of all pixels for "full".

    Raises:
        ValueError: a width that is not "full" and not a whole number from 1 to less than half the image.
    """
    if width == "full":
        return torch.arange(image_size * image_size)
    if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width < image_size / 2:
        largest = (image_size - 1) // 2
        raise ValueError(f"width must be 1 to {largest} on images of {image_size} pixels, got {width!r}: or say 'full'")
    frame = torch.ones(image_size, image_size, dtype=torch.bool)
    frame[width : image_size - width, width : image_size - width] = False
    return frame.flatten().nonzero().squeeze(1)


def paint(
    values: Float[Tensor, "*lead pixels"], pixels: Int64[Tensor, " pixels"], image_size: int
) -> Float[Tensor, "*lead height width"]:
    """Put one value at each of these pixels of a picture that is zero elsewhere."""
    canvas = values.new_zeros(*values.shape[:-1], image_size * image_size)
    return canvas.index_copy(-1, pixels, values).unflatten(-1, (image_size, image_size))


def start_values(shape: tuple[int, ...], init: str, scale: float, draw: torch.Generator) -> Tensor:
    """Return zeros, or draws from N(0, scale²).

    Raises:
        ValueError: unknown init, or a scale that is not positive.
    """
    if init not in INITS:
        raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")
    if not 0 < scale < float("inf"):
        raise ValueError(f"scale must be positive and finite, got {scale}: use init='zeros' to start at zero")
    return torch.zeros(shape) if init == "zeros" else torch.randn(shape, generator=draw) * scale


def default_width(image_size: int) -> int:
    """Return Bahng et al.'s 30 of 224 pixels, scaled to the image: 4 at 32 and 28 pixels, 2 at 16."""
    return max(1, min(round(image_size * 30 / 224), (image_size - 1) // 2))
