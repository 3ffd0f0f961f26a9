"""The MSVP paper's plain CNN: four blocks of two convolutions, and a small two-layer classifier."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vpcore.backbone import Backbone, Spec, measure_shapes
from vpcore.models.scratch import check_image, per_channel, seeded


def simple_cnn(
    *,
    image_size: int = 28,
    in_chans: int = 1,
    width: int = 32,
    mean: float | Sequence[float] = 0.5,
    std: float | Sequence[float] = 0.5,
    seed: int = 0,
) -> Backbone:
    """Build the CNN of Khazem (2025, arXiv:2512.03663) with fresh weights.

    Four blocks of 2 × (3×3 convolution, batch norm, ReLU), widths `width` × (1, 2, 4, 8), 2×2 max-pooling after
    the first three. `pool` is global average pooling, Dropout 0.5, Linear to 4 · width, ReLU, Dropout 0.3, so that
    with `LinearHead(128, 10)` the default has the published 1,207,786 parameters on grey images.
    With `width=8` it is small enough to train live.

    Args:
        image_size: edge of the square images in pixels, at least 8.
        in_chans: 1 for grey, 3 for color.
        width: channels of the first block.
        mean: subtracted from images in [0, 1], one value or one per channel.
        std: divides them afterwards.
        seed: seed of the weights.
    """
    check_image(image_size, in_chans)
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    widths = [in_chans, width, 2 * width, 4 * width, 8 * width]
    dim = 4 * width
    with seeded(seed):
        blocks = [_block(widths[i], widths[i + 1], downsample=i > 0) for i in range(4)]
        pool = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(8 * width, dim),
            nn.ReLU(),
            nn.Dropout(0.3),
        )
        for module in [*blocks, pool]:
            module.apply(_init)
    embed = nn.Identity()
    shapes = measure_shapes(embed, blocks, in_chans, image_size)
    means, stds = per_channel(mean, in_chans, "mean"), per_channel(std, in_chans, "std")
    spec = Spec("simple_cnn", "cnn", image_size, in_chans, dim, shapes, means, stds)
    return Backbone(embed, blocks, pool, spec)


def _block(chans_in: int, chans_out: int, downsample: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.MaxPool2d(2)] if downsample else []
    for chans in (chans_in, chans_out):
        layers += [nn.Conv2d(chans, chans_out, 3, padding=1), nn.BatchNorm2d(chans_out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
    if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
        nn.init.zeros_(module.bias)
