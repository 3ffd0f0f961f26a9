"""Features of an inner layer: the control for prompts that act there."""

from __future__ import annotations

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.backbone import Backbone


class MapPool(nn.Module):
    """Average a map over its positions; a Swin's map (channels last) is normalized first.

    Args:
        channels_last: the map is (B, H, W, C) and not (B, C, H, W).
    """

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        self.channels_last = channels_last

    def forward(self, z: Tensor) -> Float[Tensor, "batch channels"]:
        """Map activations to one number a channel."""
        if self.channels_last:
            return F.layer_norm(z, z.shape[-1:]).mean((1, 2))
        return z.mean((2, 3))


def upto(backbone: Backbone, layer: int) -> Backbone:
    """Return a backbone that stops before block `layer` and pools there; it shares the modules of the given one.

    With `NoPrompt` and a linear head it is the linear probe on layer-l features, the control for a prompt at layer l.
    Pooling, our choice: at `layer == depth` the backbone's own; below it, a ViT keeps its own (final norm, then class
    token or mean of the patches; a learned norm scale changes no function a linear head can form); a CNN's map is
    averaged; a Swin's is normalized over channels without learned scale, and averaged. Before block 0 the class token
    has not seen the image, so a ViT that pools by it gives the same features for every image there.

    Args:
        backbone: the whole one.
        layer: 0 … depth.

    Raises:
        ValueError: no such layer.
    """
    spec = backbone.spec
    if not 0 <= layer <= spec.depth:
        raise ValueError(f"layer must be in 0 … {spec.depth} for {spec.name}, got {layer}")
    if layer == spec.depth or spec.kind == "vit":
        pool, dim = backbone.pool, spec.dim
    else:
        pool, dim = MapPool(spec.kind == "swin"), spec.shapes[layer][-1 if spec.kind == "swin" else 0]
    cut = replace(spec, name=f"{spec.name}[:{layer}]", dim=dim, shapes=spec.shapes[: layer + 1])
    view = Backbone(backbone.embed, list(backbone.blocks)[:layer], pool, cut)
    return view if backbone.frozen else view.unfreeze()
