"""Two small backbones made for this library: a ResNet and a ViT for 32-pixel color images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vpcore.backbone import Backbone, Spec, check_edge, measure_shapes
from vpcore.device import own_random_stream
from vpcore.models.scratch import per_channel
from vpcore.models.split import split_chain

CIFAR100_MEAN = (0.5071, 0.4865, 0.4409)
CIFAR100_STD = (0.2673, 0.2564, 0.2762)
WIDTHS, DEPTHS = (16, 32, 64, 120), (1, 2, 2, 2)


def resnet_nano(
    *,
    image_size: int = 32,
    in_chans: int = 3,
    mean: float | Sequence[float] = CIFAR100_MEAN,
    std: float | Sequence[float] = CIFAR100_STD,
    num_source_classes: int = 100,
    seed: int = 0,
) -> Backbone:
    """Build a ResNet of 7 blocks for 32×32 color images: 7.4 M multiply-adds, 0.65 M weights.

    A BasicBlock ResNet (He et al. 2016, arXiv:1512.03385) with a 3×3 stem of stride 2, widths 16, 32, 64, 120 and
    1, 2, 2, 2 blocks, so that maps shrink 16 → 8 → 4 → 2 pixels, then global average pooling.

    Args:
        image_size: edge of the images in pixels; 32, as the weights were trained.
        in_chans: channels of the images; 3.
        mean: subtracted from images in [0, 1], one value or one per channel.
        std: divides them afterwards.
        num_source_classes: size of the classifier kept beside the backbone.
        seed: seed of the fresh weights.

    Raises:
        ValueError: another image size or channel count.
    """
    _check_images("resnet_nano", image_size, in_chans)
    with own_random_stream(seed):
        conv = nn.Conv2d(3, WIDTHS[0], 3, stride=2, padding=1, bias=False)
        embed = nn.Sequential(conv, nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True))
        before = (WIDTHS[0], *WIDTHS[:-1])
        blocks = [
            _block(before[stage] if i == 0 else width, width, stride=2 if i == 0 and stage > 0 else 1)
            for stage, width in enumerate(WIDTHS)
            for i in range(DEPTHS[stage])
        ]
        classifier = nn.Linear(WIDTHS[-1], num_source_classes)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    spec = Spec(
        name="resnet_nano",
        kind="cnn",
        image_size=32,
        in_chans=3,
        dim=WIDTHS[-1],
        shapes=measure_shapes(embed, blocks, 3, 32),
        mean=per_channel(mean, 3, "mean"),
        std=per_channel(std, 3, "std"),
    )
    return Backbone(embed, blocks, pool, spec, classifier)


def _check_images(name: str, image_size: int, in_chans: int) -> None:
    check_edge(image_size)
    if (image_size, in_chans) != (32, 3):
        raise ValueError(
            f"{name} takes images of 32 pixels and 3 channels, got {image_size} and {in_chans}: "
            "load the data with image_size=32, in_chans=3"
        )


def _block(chans_in: int, chans_out: int, stride: int) -> nn.Module:
    from timm.models.resnet import BasicBlock

    shortcut = None
    if stride != 1 or chans_in != chans_out:
        shortcut = nn.Sequential(nn.Conv2d(chans_in, chans_out, 1, stride, bias=False), nn.BatchNorm2d(chans_out))
    block = BasicBlock(chans_in, chans_out, stride, shortcut)
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return block


def vit_nano(
    *,
    image_size: int = 32,
    in_chans: int = 3,
    mean: float | Sequence[float] = CIFAR100_MEAN,
    std: float | Sequence[float] = CIFAR100_STD,
    num_source_classes: int = 100,
    seed: int = 0,
) -> Backbone:
    """Build a plain ViT for 32×32 color images: 6 blocks, 11.9 M multiply-adds, 0.70 M weights.

    timm's VisionTransformer (Dosovitskiy et al. 2021, arXiv:2010.11929): class token, learned position embedding,
    pre-norm, no dropout; patch 8, dim 96, 3 heads. 96 is divisible by 3, which InsVP's tokens need.

    Args:
        image_size: edge of the images in pixels; 32, as the weights were trained.
        in_chans: channels of the images; 3.
        mean: subtracted from images in [0, 1], one value or one per channel.
        std: divides them afterwards.
        num_source_classes: size of the classifier kept beside the backbone.
        seed: seed of the fresh weights.

    Raises:
        ValueError: another image size or channel count.
    """
    _check_images("vit_nano", image_size, in_chans)
    from timm.models.vision_transformer import VisionTransformer

    with own_random_stream(seed):
        net = VisionTransformer(
            img_size=32, patch_size=8, embed_dim=96, depth=6, num_heads=3, num_classes=num_source_classes
        )
    return split_chain(net, "vit_nano", 32, per_channel(mean, 3, "mean"), per_channel(std, 3, "std"))
