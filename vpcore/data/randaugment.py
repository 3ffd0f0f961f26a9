"""A small RandAugment: a few random changes of color and geometry for each image, computed a batch at a time."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from vpcore.data.augment import Images, draw, require_floats

Strength = Float[Tensor, " batch"]  # signed, from -1 to 1


@dataclass(frozen=True)
class RandAugment:
    """Apply `num_ops` random operations to each image, at a random strength up to `magnitude`.

    After RandAugment (Cubuk et al., 2019, arXiv 1909.13719). Differs: ten operations that are cheap in batch (the
    table `OPERATIONS`) instead of fourteen; the strength is uniform in [-magnitude, magnitude] rather than fixed;
    geometry is bilinear with 0 outside.

    Attributes:
        num_ops: operations for each image; the same one may come twice.
        magnitude: largest strength, 0 (nothing changes) to 1 (brightness, contrast and saturation × 0.1 … 1.9, shear
            0.3, turn 30°, shift 30 % of the side).

    Raises:
        ValueError: a negative or fractional num_ops, a magnitude outside 0 … 1.
    """

    num_ops: int = 2
    magnitude: float = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.num_ops, bool) or not isinstance(self.num_ops, int) or self.num_ops < 0:
            raise ValueError(f"num_ops must be a whole number, 0 or more, got {self.num_ops!r}: try 2")
        if not 0 <= self.magnitude <= 1:
            raise ValueError(f"magnitude must be 0 to 1, got {self.magnitude!r}: try 0.5")

    def __call__(self, images: Images, generator: torch.Generator) -> Images:
        """Return changed images in [0, 1]; the given ones stay as they are.

        Raises:
            TypeError: images are not floats.
            ValueError: images have not four axes.
        """
        require_floats(images)
        which, strength = draw(len(images), 2 * self.num_ops, images, generator).to(images.dtype).chunk(2, dim=1)
        which = (which * len(OPERATIONS)).long().clamp(max=len(OPERATIONS) - 1)  # (B, num_ops)
        strength = (2 * strength - 1) * self.magnitude
        for turn in range(self.num_ops):
            images = apply(images, which[:, turn], strength[:, turn])
        return images


def apply(images: Images, which: Tensor, strength: Strength) -> Images:
    """Run operation `which[i]` of `OPERATIONS` on image i at its strength; returns new images."""
    out = images.clone()
    for number, operation in enumerate(OPERATIONS.values()):
        rows = (which == number).nonzero()[:, 0]
        if len(rows):
            out[rows] = operation(images[rows], strength[rows]).clamp(0, 1)
    return out


def identity(images: Images, strength: Strength) -> Images:
    """Change nothing."""
    return images


def brightness(images: Images, strength: Strength) -> Images:
    """Scale all pixels by 1 + 0.9·s."""
    return images * (1 + 0.9 * _per_image(strength))


def contrast(images: Images, strength: Strength) -> Images:
    """Scale the distance from the image's mean by 1 + 0.9·s."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (1 + 0.9 * _per_image(strength))


def saturation(images: Images, strength: Strength) -> Images:
    """Scale the distance from grey (the mean of the channels) by 1 + 0.9·s; grey images stay."""
    grey = images.mean(1, keepdim=True)
    return grey + (images - grey) * (1 + 0.9 * _per_image(strength))


def solarize(images: Images, strength: Strength) -> Images:
    """Invert the pixels above 1 - |s|."""
    return torch.where(images > 1 - _per_image(strength).abs(), 1 - images, images)


def posterize(images: Images, strength: Strength) -> Images:
    """Keep 8 - 4·|s| bits of each pixel (rounded), as whole steps of [0, 1]."""
    levels = 2 ** (8 - 4 * _per_image(strength).abs()).round() - 1
    return (images * levels).round() / levels


def turn(images: Images, strength: Strength) -> Images:
    """Rotate counterclockwise by 30·s degrees."""
    angle = strength * math.pi / 6
    return _warp(images, angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def shear(images: Images, strength: Strength) -> Images:
    """Shift row y sideways by 0.3·s·y, measured from the center."""
    one, zero = torch.ones_like(strength), torch.zeros_like(strength)
    return _warp(images, one, 0.3 * strength, zero, one)


def shift_right(images: Images, strength: Strength) -> Images:
    """Move the image by 30·s percent of its width."""
    one, zero = torch.ones_like(strength), torch.zeros_like(strength)
    return _warp(images, one, zero, zero, one, right=0.6 * strength)


def shift_down(images: Images, strength: Strength) -> Images:
    """Move the image by 30·s percent of its height."""
    return shift_right(images.mT, strength).mT


OPERATIONS = {
    operation.__name__: operation
    for operation in (
        *(identity, brightness, contrast, saturation, solarize, posterize),
        *(turn, shear, shift_right, shift_down),
    )
}


def _per_image(strength: Strength) -> Float[Tensor, "batch 1 1 1"]:
    return strength[:, None, None, None]


def _warp(images: Images, xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor, right: Tensor | None = None) -> Images:
    """Read each output pixel (x, y) at (xx·x + xy·y - right, yx·x + yy·y); one side is 2 units long."""
    zero = torch.zeros_like(xx)
    theta = torch.stack([xx, xy, zero if right is None else -right, yx, yy, zero], 1).reshape(-1, 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
