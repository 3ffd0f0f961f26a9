"""ResNet-18 with a stem for small images: 3×3, stride 1, no max-pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from vpcore.backbone import Backbone, Spec, measure_shapes
from vpcore.models.scratch import check_image, per_channel, seeded


def resnet18_small(
    *,
    image_size: int = 32,
    in_chans: int = 3,
    mean: float | Sequence[float] = 0.5,
    std: float | Sequence[float] = 0.5,
    seed: int = 0,
) -> Backbone:
    """Build the ResNet-18 of Khazem (2025, arXiv:2512.03663) with fresh weights.

    timm's ResNet-18 (He et al. 2016, arXiv:1512.03385) whose first convolution is 3×3 with stride 1 and whose
    max-pooling is left out.
    With a 10-class linear head: 11,172,810 parameters on grey images, 11,173,962 on color.

    Args:
        image_size: edge of the square images in pixels, at least 8.
        in_chans: 1 for grey, 3 for color.
        mean: subtracted from images in [0, 1], one value or one per channel.
        std: divides them afterwards.
        seed: seed of the weights.
    """
    from timm.models.resnet import BasicBlock, ResNet

    check_image(image_size, in_chans)
    with seeded(seed):
        kind: Any = BasicBlock  # timm declares an instance where it takes the class
        net: Any = ResNet(kind, (2, 2, 2, 2), num_classes=0, in_chans=in_chans, zero_init_last=False)
        net.conv1 = nn.Conv2d(in_chans, 64, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    embed = nn.Sequential(net.conv1, net.bn1, net.act1)
    blocks = [block for stage in (net.layer1, net.layer2, net.layer3, net.layer4) for block in stage]
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    shapes = measure_shapes(embed, blocks, in_chans, image_size)
    means, stds = per_channel(mean, in_chans, "mean"), per_channel(std, in_chans, "std")
    return Backbone(embed, blocks, pool, Spec("resnet18_small", "cnn", image_size, in_chans, 512, shapes, means, stds))
