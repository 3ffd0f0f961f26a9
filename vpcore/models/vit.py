"""timm's VisionTransformer, taken apart into embed, blocks and pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from vpcore.backbone import Backbone, Spec, measure_shapes

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer


class ViTEmbed(nn.Module):
    """Cut images into patches, embed them, add class token and position embedding."""

    def __init__(self, net: VisionTransformer) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, C, H, W) to tokens (B, prefix + patches, dim)."""
        z = self.net._pos_embed(self.net.patch_embed(images))
        return self.net.norm_pre(self.net.patch_drop(z))


class ViTPool(nn.Module):
    """Normalize the tokens and keep the class token, or the mean of the patch tokens."""

    def __init__(self, net: VisionTransformer) -> None:
        super().__init__()
        if net.global_pool not in ("token", "avg"):
            raise ValueError(f"this ViT pools by {net.global_pool!r}: only 'token' and 'avg' are supported")
        self.norm, self.fc_norm, self.drop = net.norm, net.fc_norm, net.head_drop
        self.average, self.num_prefix_tokens = net.global_pool == "avg", net.num_prefix_tokens

    def forward(self, z: Tensor) -> Tensor:
        """Map tokens (B, prefix + patches, dim) to features (B, dim)."""
        z = self.norm(z)
        pooled = z[:, self.num_prefix_tokens :].mean(1) if self.average else z[:, 0]
        return self.drop(self.fc_norm(pooled))


def split_vit(
    net: VisionTransformer, name: str, image_size: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> Backbone:
    """Take a timm VisionTransformer apart; the net's own blocks, norms and head are moved, not copied."""
    in_chans = net.patch_embed.proj.in_channels
    blocks, pool = list(net.blocks), ViTPool(net)
    classifier = net.head if isinstance(net.head, nn.Linear) else None
    heads = net.blocks[0].attn.num_heads
    for moved in ("blocks", "norm", "fc_norm", "head_drop", "head"):
        setattr(net, moved, nn.Identity())
    embed = ViTEmbed(net)
    shapes = measure_shapes(embed, blocks, in_chans, image_size)
    spec = Spec(
        name, "vit", image_size, in_chans, net.num_features, shapes, mean, std,
        patch_size=net.patch_embed.patch_size[0], num_heads=heads, num_prefix_tokens=net.num_prefix_tokens,
    )  # fmt: skip
    return Backbone(embed, blocks, pool, spec, classifier)
