"""What the from-scratch networks share: normalization constants, and the sizes that they take."""

from __future__ import annotations

from collections.abc import Sequence

from vpcore.backbone import Size, check_size


def per_channel(values: float | Sequence[float], in_chans: int, what: str) -> tuple[float, ...]:
    """Spread one number over the channels, or check that there is one per channel."""
    spread = (float(values),) * in_chans if isinstance(values, (int, float)) else tuple(float(v) for v in values)
    if len(spread) != in_chans:
        raise ValueError(f"{what} needs one value or {in_chans} (one per channel), got {len(spread)}")
    return spread


def check_image(image_size: Size, in_chans: int, smallest: int = 8) -> None:
    """Refuse image sizes and channel counts the small networks cannot take."""
    if min(check_size(image_size)) < smallest:
        raise ValueError(f"image_size must be at least {smallest}, got {image_size}")
    if in_chans < 1:
        raise ValueError(f"in_chans must be at least 1, got {in_chans}: 1 for grey images, 3 for color")
