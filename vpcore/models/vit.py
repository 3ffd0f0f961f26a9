"""timm's VisionTransformer, taken apart into embed, blocks and pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """Normalize the tokens and keep the class token, the mean of the patch tokens, or what attention pooling makes."""

    def __init__(self, net: VisionTransformer) -> None:
        super().__init__()
        self.norm, self.fc_norm, self.drop = net.norm, net.fc_norm, net.head_drop
        self.average, self.attend = net.global_pool == "avg", net.attn_pool
        self.first_token = 0 if net.pool_include_prefix else net.num_prefix_tokens

    def forward(self, z: Tensor) -> Tensor:
        """Map tokens (B, prefix + patches, dim) to features (B, dim)."""
        if not self.average and self.attend is None:
            return self.drop(self.fc_norm(self.norm(z[:, 0])))  # no other token is read
        z = self.norm(z)[:, self.first_token :]
        pooled = z.mean(1) if self.attend is None else self.attend(z)
        return self.drop(self.fc_norm(pooled))


def plain_vit(net: Any) -> bool:
    """Tell whether a timm network is a VisionTransformer of the parts that `split_vit` knows."""
    from timm.layers.patch_embed import PatchEmbed
    from timm.models.vision_transformer import VisionTransformer

    plain = type(net) is VisionTransformer and type(net.patch_embed) is PatchEmbed
    return plain and net.global_pool in ("token", "avg", "map")


def split_vit(
    net: VisionTransformer, name: str, image_size: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> Backbone:
    """Take a timm VisionTransformer apart; the net's own blocks, norms and head are moved, not copied."""
    parts: Any = net  # timm declares its children as plain modules
    in_chans = parts.patch_embed.proj.in_channels
    blocks, pool = list(parts.blocks), ViTPool(net)
    classifier = parts.head if isinstance(parts.head, nn.Linear) else None
    heads = next((module.num_heads for module in parts.blocks[0].modules() if hasattr(module, "num_heads")), None)
    for moved in ("blocks", "norm", "attn_pool", "fc_norm", "head_drop", "head"):
        setattr(net, moved, nn.Identity())
    embed = ViTEmbed(net)
    shapes = measure_shapes(embed, blocks, in_chans, image_size)
    spec = Spec(
        name, "vit", image_size, in_chans, net.num_features, shapes, mean, std,
        patch_size=parts.patch_embed.patch_size[0], num_heads=heads, num_prefix_tokens=net.num_prefix_tokens,
    )  # fmt: skip
    return Backbone(embed, blocks, pool, spec, classifier)
