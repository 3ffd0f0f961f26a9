"""Bring uint8 images to a wanted size and number of channels, once, when a data set is loaded."""

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional

CHUNK = 512  # images resized at a time: bounds the memory of the float copies
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601 weights of red, green and blue


def fit_size(images: UInt8[Tensor, "n c h w"], image_size: int) -> UInt8[Tensor, "n c size size"]:
    """Resize the shorter side to `image_size` pixels (antialiased bilinear) and crop the center square.

    Raises:
        ValueError: image_size is not a positive whole number.
    """
    if isinstance(image_size, bool) or not isinstance(image_size, int) or image_size < 1:
        raise ValueError(f"image_size must be a whole number of pixels, 1 or more, got {image_size!r}: try 32")
    height, width = images.shape[-2:]
    if (height, width) == (image_size, image_size):
        return images
    scale = image_size / min(height, width)
    target = (max(image_size, round(height * scale)), max(image_size, round(width * scale)))
    out = torch.empty(*images.shape[:2], image_size, image_size, dtype=torch.uint8)
    for start in range(0, len(images), CHUNK):
        large = functional.interpolate(
            images[start : start + CHUNK].float(), target, mode="bilinear", antialias=True, align_corners=False
        )
        out[start : start + CHUNK] = crop_middle(large, image_size).round().clamp(0, 255).to(torch.uint8)
    return out


def crop_middle(images: Tensor, size: int) -> Tensor:
    """Cut the middle square of this edge out of images (N, C, H, W) that are at least as large."""
    top, left = ((edge - size) // 2 for edge in images.shape[-2:])
    return images[:, :, top : top + size, left : left + size].contiguous()


def fit_channels(images: UInt8[Tensor, "n c h w"], in_chans: int) -> UInt8[Tensor, "n in_chans h w"]:
    """Repeat grey to RGB (1 → 3) or take the luminance of RGB (3 → 1).

    Raises:
        ValueError: any other change of channels.
    """
    if images.shape[1] == in_chans:
        return images
    if (images.shape[1], in_chans) == (1, 3):
        return images.repeat(1, 3, 1, 1)
    if (images.shape[1], in_chans) == (3, 1):
        weights = torch.tensor(LUMINANCE).reshape(1, 3, 1, 1)
        grey = [(chunk.float() * weights).sum(1, keepdim=True) for chunk in images.split(CHUNK)]
        return torch.cat([chunk.round().clamp(0, 255).to(torch.uint8) for chunk in grey])
    raise ValueError(f"in_chans must be 1 or 3, got {in_chans!r} for images of {images.shape[1]} channels: give 1 or 3")
