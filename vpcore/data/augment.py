"""Random changes of training images, a batch at a time, where the batch lives: no worker processes, no PIL."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Images = Float[Tensor, "batch channels height width"]


@dataclass(frozen=True)
class Augment:
    """Random crop, then rotation, then left-right flip, drawn for each image on its own.

    Called with images in [0, 1] and a generator, it returns new images of the same shape. What comes in from outside
    is 0 (black), as in torchvision. Draws depend on the generator and the batch size alone.

    Attributes:
        crop: pixels of zero padding on every side before a crop of the original size; 0 turns it off.
        rotate: largest angle in degrees, uniform in [-rotate, rotate], nearest neighbor as torchvision's
            RandomRotation does by default; 0 turns it off.
        flip: mirror left-right with probability 1/2.

    Raises:
        ValueError: a crop that is negative or no whole number, an angle outside 0 … 180.
    """

    crop: int = 0
    rotate: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.crop, bool) or not isinstance(self.crop, int) or self.crop < 0:
            raise ValueError(f"crop must be a whole number of pixels, 0 or more, got {self.crop!r}: try 4")
        if not 0 <= self.rotate <= 180:
            raise ValueError(f"rotate must be 0 to 180 degrees, got {self.rotate!r}: try 10")

    def __call__(self, images: Images, generator: torch.Generator) -> Images:
        """Return augmented images; the given ones stay as they are.

        Raises:
            TypeError: images are not floats.
            ValueError: images have not four axes.
        """
        require_floats(images)
        draws = draw(len(images), 4, images, generator)  # (B, 4): down, right, angle, flip
        if self.crop:
            offsets = (draws[:, :2] * (2 * self.crop + 1)).long().clamp(max=2 * self.crop)
            images = shift_crop(images, offsets, self.crop)
        if self.rotate:
            images = rotate(images, (2 * draws[:, 2] - 1) * self.rotate)
        if self.flip:
            images = mirror(images, draws[:, 3] < 0.5)
        return images


def paper_augment(name: str) -> Augment:
    """Return the training augmentation of the MSVP paper's code for a data set.

    MNIST and Fashion-MNIST: crop 4 and rotation 10, no flip; CIFAR-10: crop 4 and flip. Ours, for sets the paper has
    not: kmnist and digits as MNIST, usps as MNIST with crop 2 (its images are 16 pixels wide), cifar100 as CIFAR-10,
    and nothing for photodigits, whose digits already move and must not be mirrored.

    Raises:
        ValueError: no recipe for that set.
    """
    if name not in RECIPES:
        raise ValueError(f"no paper recipe for {name!r}: choose one of {', '.join(RECIPES)}, or write Augment(crop=4)")
    return RECIPES[name]


RECIPES = {
    **dict.fromkeys(("mnist", "fashion_mnist", "kmnist", "digits"), Augment(crop=4, rotate=10)),
    "usps": Augment(crop=2, rotate=10),
    **dict.fromkeys(("cifar10", "cifar100"), Augment(crop=4, flip=True)),
    "photodigits": Augment(),
}


def require_floats(images: Tensor) -> None:
    """Refuse anything but a batch of float images."""
    if not images.is_floating_point():
        raise TypeError(f"images must be floats in [0, 1], got {images.dtype}: divide uint8 pixels by 255 first")
    if images.ndim != 4:
        raise ValueError(f"images must be (batch, channels, height, width), got {tuple(images.shape)}: reshape them")


def draw(rows: int, columns: int, like: Tensor, generator: torch.Generator) -> Float[Tensor, "rows columns"]:
    """Draw uniform numbers in [0, 1) with the generator, where it lives, and bring them to the images."""
    return torch.rand(rows, columns, generator=generator, device=generator.device).to(like.device, non_blocking=True)


def shift_crop(images: Images, offsets: Tensor, padding: int) -> Images:
    """Cut a window of the original size from each zero-padded image; offsets (B, 2): rows down, columns right."""
    height, width = images.shape[-2:]
    padded = functional.pad(images, [padding] * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, 2p+1, 2p+1, H, W), a view
    batch = torch.arange(len(images), device=images.device)
    return windows[batch, :, offsets[:, 0], offsets[:, 1]]


def rotate(images: Images, degrees: Float[Tensor, " batch"]) -> Images:
    """Turn each image counterclockwise about its center; nearest neighbor, 0 outside."""
    height, width = images.shape[-2:]
    angle = degrees.to(images.dtype) * (math.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    top = torch.stack([cos, -sin * height / width, zero], 1)
    bottom = torch.stack([sin * width / height, cos, zero], 1)
    grid = functional.affine_grid(torch.stack([top, bottom], 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)


def mirror(images: Images, chosen: Tensor) -> Images:
    """Flip the chosen images left-right; chosen (B,) is boolean."""
    return torch.where(chosen[:, None, None, None], images.flip(-1), images)


def mix(
    images: Images,
    targets: Float[Tensor, "batch classes"],
    generator: torch.Generator,
    alpha_mixup: float = 0.2,
    alpha_cutmix: float = 1.0,
) -> tuple[Images, Float[Tensor, "batch classes"]]:
    """Blend each image with another one of the batch, and its target in the same proportion.

    Mixup (Zhang et al., 2018, arXiv 1710.09412) blends all pixels, λ·x + (1 - λ)·x'; CutMix (Yun et al., 2019,
    arXiv 1905.04899) pastes a box of x', its area 1 - λ before it is clipped at the border. λ ~ Beta(α, α). Differs:
    λ and the box are drawn for each image, not for the batch; with both α > 0, each image gets one of the two at
    random; the target's weight is the mean of the pixel weights, so it is exact for clipped boxes.

    Args:
        images: floats in [0, 1].
        targets: one-hot or soft class probabilities, floats.
        generator: source of every draw.
        alpha_mixup: α of mixup; 0 turns it off.
        alpha_cutmix: α of CutMix; 0 turns it off.

    Raises:
        TypeError: images or targets are not floats.
        ValueError: a negative α, or a different number of images and targets.
    """
    require_floats(images)
    if min(alpha_mixup, alpha_cutmix) < 0:
        raise ValueError(f"alpha must be 0 or more, got {alpha_mixup} and {alpha_cutmix}: 0 turns one off")
    if targets.ndim != 2 or len(targets) != len(images):
        got = f"{tuple(targets.shape)} for {len(images)} images"
        raise ValueError(f"targets must be (batch, classes), got {got}: use torch.nn.functional.one_hot(...).float()")
    if not targets.is_floating_point():
        raise TypeError(f"targets must be floats, got {targets.dtype}: use torch.nn.functional.one_hot(...).float()")
    if alpha_mixup == alpha_cutmix == 0:
        return images, targets
    weight = _pixel_weights(images, generator, alpha_mixup, alpha_cutmix)
    partner = draw(len(images), 1, images, generator)[:, 0].argsort()
    share = weight.mean((1, 2, 3))[:, None].to(targets.dtype)
    mixed = weight * images + (1 - weight) * images[partner]
    return mixed, share * targets + (1 - share) * targets[partner]


def _pixel_weights(images: Images, generator: torch.Generator, alpha_mixup: float, alpha_cutmix: float) -> Tensor:
    """Return each image's own share of its pixels, (B, 1, H, W): constant λ for mixup, 0 in the box for CutMix."""
    draws = draw(len(images), 3, images, generator)  # (B, 3): which of the two, row, column
    cutmix_share = 0.5 if min(alpha_mixup, alpha_cutmix) > 0 else float(alpha_cutmix > 0)
    seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    rng = np.random.default_rng(seed)  # torch's Beta takes no generator
    lam = [torch.from_numpy(rng.beta(a or 1, a or 1, len(images))).to(images) for a in (alpha_mixup, alpha_cutmix)]
    blend = lam[0][:, None, None].expand(-1, *images.shape[-2:])
    outside = _outside_box((1 - lam[1]).sqrt(), draws[:, 1:], images)
    return torch.where((draws[:, 0] < cutmix_share)[:, None, None], outside, blend)[:, None]


def _outside_box(side: Float[Tensor, " batch"], center: Float[Tensor, "batch 2"], images: Images) -> Tensor:
    """Return 0 inside a box whose sides are this share of the image's, 1 outside: (B, H, W)."""
    inside = []
    for axis, length in enumerate(images.shape[-2:]):
        pixel = (torch.arange(length, device=images.device) + 0.5) / length
        inside.append((pixel - center[:, axis, None]).abs() < side[:, None] / 2)
    return 1 - (inside[0][:, :, None] & inside[1][:, None, :]).to(images.dtype)
