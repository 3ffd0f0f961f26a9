"""The MSVP paper's ViT-Tiny for small images."""

from __future__ import annotations

from collections.abc import Sequence

from vpcore.backbone import Backbone
from vpcore.models.scratch import check_image, per_channel, seeded
from vpcore.models.vit import split_vit


def vit_tiny_small(
    *,
    image_size: int = 28,
    in_chans: int = 1,
    patch_size: int | None = None,
    dropout: float = 0.1,
    mean: float | Sequence[float] = 0.5,
    std: float | Sequence[float] = 0.5,
    seed: int = 0,
) -> Backbone:
    """Build ViT-Tiny (dim 192, depth 12, 3 heads) as Khazem (2025, arXiv:2512.03663) uses it, with fresh weights.

    A timm VisionTransformer: class token, learned position embedding, pre-norm, GELU, MLP ratio 4, dropout in
    embedding, attention, projection and MLP. With a 10-class linear head: 5,353,738 parameters on 28 px grey images,
    5,362,762 on 32 px color.

    Args:
        image_size: edge of the square images in pixels; a multiple of `patch_size`.
        in_chans: 1 for grey, 3 for color.
        patch_size: edge of a patch; by default 7 where it divides the image size, else 4.
        dropout: probability, 0 … 1.
        mean: subtracted from images in [0, 1], one value or one per channel.
        std: divides them afterwards.
        seed: seed of the weights.

    Raises:
        ValueError: the patch does not divide the image.
    """
    check_image(image_size, in_chans)
    patch = patch_size or (7 if image_size % 7 == 0 else 4)
    if image_size % patch:
        raise ValueError(f"patch_size must divide image_size, got {patch} and {image_size}: resize the images")
    from timm.models.vision_transformer import VisionTransformer

    with seeded(seed):
        net = VisionTransformer(
            img_size=image_size, patch_size=patch, in_chans=in_chans, num_classes=0, embed_dim=192, depth=12,
            num_heads=3, pos_drop_rate=dropout, attn_drop_rate=dropout, proj_drop_rate=dropout,
        )  # fmt: skip
    means, stds = per_channel(mean, in_chans, "mean"), per_channel(std, in_chans, "std")
    return split_vit(net, "vit_tiny_small", image_size, means, stds)
