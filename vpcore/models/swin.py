"""timm's Swin Transformer, taken apart into embed, blocks and pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from vpcore.backbone import Backbone, Spec, measure_shapes

if TYPE_CHECKING:
    from timm.models.swin_transformer import SwinTransformer


def split_swin(
    net: SwinTransformer, name: str, image_size: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> Backbone:
    """Take a timm Swin apart; its own modules are shared, not copied.

    Activations are (B, H, W, C). The first block of a later stage begins with that stage's patch merging, so a prompt
    in front of it still sees the larger map. `pool` is the final norm and global average pooling.
    """
    parts: Any = net  # timm declares its children as plain modules
    blocks: list[nn.Module] = []
    for stage in parts.layers:
        first, *rest = stage.blocks
        merging = not isinstance(stage.downsample, nn.Identity)
        blocks += [nn.Sequential(stage.downsample, first) if merging else first, *rest]
    pool = nn.Sequential(parts.norm, parts.head.global_pool, parts.head.drop)
    in_chans = parts.patch_embed.proj.in_channels
    shapes = measure_shapes(parts.patch_embed, blocks, in_chans, image_size)
    patch = parts.patch_embed.patch_size[0]
    spec = Spec(name, "swin", image_size, in_chans, parts.num_features, shapes, mean, std, patch_size=patch)
    classifier = parts.head.fc if isinstance(parts.head.fc, nn.Linear) else None
    return Backbone(parts.patch_embed, blocks, pool, spec, classifier)
