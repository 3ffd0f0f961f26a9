"""timm's ResNet, taken apart into stem, residual blocks and pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from vpcore.backbone import Backbone, Spec, measure_shapes

if TYPE_CHECKING:
    from timm.models.resnet import ResNet


def split_resnet(net: ResNet, name: str, image_size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Backbone:
    """Take a timm ResNet (BasicBlock or Bottleneck) apart; its own modules are shared, not copied.

    The stem (convolution, batch norm, activation, max-pooling) is `embed`, each residual block is a block, and
    global pooling is `pool`.
    """
    parts: Any = net  # timm declares its children as plain modules
    embed = nn.Sequential(parts.conv1, parts.bn1, parts.act1, parts.maxpool)
    blocks = [block for stage in (parts.layer1, parts.layer2, parts.layer3, parts.layer4) for block in stage]
    pool = nn.Sequential(parts.global_pool, nn.Dropout(parts.drop_rate or 0.0))
    in_chans = next(m.in_channels for m in parts.conv1.modules() if isinstance(m, nn.Conv2d))
    shapes = measure_shapes(embed, blocks, in_chans, image_size)
    spec = Spec(name, "cnn", image_size, in_chans, parts.num_features, shapes, mean, std)
    return Backbone(embed, blocks, pool, spec, parts.fc if isinstance(parts.fc, nn.Linear) else None)
