"""The MSVP paper's three networks for small images, with fresh weights: a plain CNN, a ResNet-18 and a ViT-Tiny."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import nn

from vpcore.backbone import Backbone, Size, Spec, check_edge, check_size, measure_shapes
from vpcore.device import own_random_stream
from vpcore.models.scratch import check_image, per_channel
from vpcore.models.split import split_chain


def simple_cnn(
    *,
    image_size: Size = 28,
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
        image_size: edge of square images in pixels, or height and width, at least 8.
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
    rows, columns = check_size(image_size)
    with own_random_stream(seed):
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
    spec = Spec(
        name="simple_cnn",
        kind="cnn",
        image_size=rows,
        in_chans=in_chans,
        dim=dim,
        shapes=measure_shapes(embed, blocks, in_chans, image_size),
        mean=per_channel(mean, in_chans, "mean"),
        std=per_channel(std, in_chans, "std"),
        image_width=None if rows == columns else columns,
    )
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


def resnet18_small(
    *,
    image_size: Size = 32,
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
        image_size: edge of square images in pixels, or height and width, at least 8.
        in_chans: 1 for grey, 3 for color.
        mean: subtracted from images in [0, 1], one value or one per channel.
        std: divides them afterwards.
        seed: seed of the weights.
    """
    from timm.models.resnet import BasicBlock, ResNet

    check_image(image_size, in_chans)
    with own_random_stream(seed):
        kind: Any = BasicBlock  # timm declares an instance where it takes the class
        net: Any = ResNet(kind, (2, 2, 2, 2), num_classes=0, in_chans=in_chans, zero_init_last=False)
        net.conv1 = nn.Conv2d(in_chans, 64, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    net.maxpool = nn.Identity()
    means, stds = per_channel(mean, in_chans, "mean"), per_channel(std, in_chans, "std")
    return split_chain(net, "resnet18_small", image_size, means, stds)


def vit_tiny_small(
    *,
    image_size: int = 28,
    in_chans: int = 1,
    patch_size: int | None = None,
    dropout: float = 0.1,
    start: str = "published",
    mean: float | Sequence[float] = 0.5,
    std: float | Sequence[float] = 0.5,
    seed: int = 0,
) -> Backbone:
    """Build ViT-Tiny (dim 192, depth 12, 3 heads) as Khazem (2025, arXiv:2512.03663) uses it, with fresh weights.

    A timm VisionTransformer: class token, learned position embedding, pre-norm, GELU, MLP ratio 4, dropout in
    embedding, attention, projection and MLP. With a 10-class linear head: 5,353,738 parameters on 28 px grey images,
    5,362,762 on 32 px color.

    `start="published"` is that of the paper's code: layer norms with ε = 1e-5, linear layers at PyTorch's default
    (weights and biases uniform in ±1/√inputs), the patch convolution Kaiming normal by its outputs with biases 0, class
    token and positions N(0, 0.02²). `start="timm"` is timm's own, with which results before it was there were recorded:
    ε = 1e-6, weights N(0, 0.02²), biases 0, the patch convolution at PyTorch's default, the class token near 0.

    Args:
        image_size: edge of the square images in pixels; a multiple of `patch_size`.
        in_chans: 1 for grey, 3 for color.
        patch_size: edge of a patch; by default 7 where it divides the image size, else 4.
        dropout: probability, 0 … 1.
        start: of the weights, "published" or "timm".
        mean: subtracted from images in [0, 1], one value or one per channel.
        std: divides them afterwards.
        seed: seed of the weights.

    Raises:
        ValueError: the patch does not divide the image, or another start.
    """
    check_edge(image_size)
    check_image(image_size, in_chans)
    patch = patch_size or (7 if image_size % 7 == 0 else 4)
    if image_size % patch:
        raise ValueError(f"patch_size must divide image_size, got {patch} and {image_size}: resize the images")
    if start not in ("published", "timm"):
        raise ValueError(f"start must be 'published' or 'timm', got {start!r}")
    from timm.models.vision_transformer import VisionTransformer

    with own_random_stream(seed):
        net: Any = VisionTransformer(  # its token and positions may be missing in others
            img_size=image_size,
            patch_size=patch,
            in_chans=in_chans,
            num_classes=0,
            embed_dim=192,
            depth=12,
            num_heads=3,
            pos_drop_rate=dropout,
            attn_drop_rate=dropout,
            proj_drop_rate=dropout,
            norm_layer=partial(nn.LayerNorm, eps=1e-5) if start == "published" else None,
        )
        if start == "published":
            net.apply(_publish)
            nn.init.trunc_normal_(net.cls_token, std=0.02)
            nn.init.trunc_normal_(net.pos_embed, std=0.02)
    means, stds = per_channel(mean, in_chans, "mean"), per_channel(std, in_chans, "std")
    return split_chain(net, "vit_tiny_small", image_size, means, stds)


def _publish(module: nn.Module) -> None:
    """Start a ViT's layers as the published code does."""
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        module.reset_parameters()
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
