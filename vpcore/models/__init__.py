"""The networks that `load_backbone` knows: the MSVP paper's three, trained from scratch, and the bundled two."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from vpcore.backbone import Backbone
from vpcore.models.msvp import resnet18_small, simple_cnn, vit_tiny_small
from vpcore.models.nano import resnet_nano, vit_nano

MODELS: dict[str, Callable[..., Backbone]] = {
    "simple_cnn": simple_cnn,
    "resnet18_small": resnet18_small,
    "vit_tiny_small": vit_tiny_small,
    "resnet_nano": resnet_nano,
    "vit_nano": vit_nano,
}
BUNDLED = ("resnet_nano", "vit_nano")


def load_backbone(name: str, *, pretrained: bool = True, **options: Any) -> Backbone:
    """Load a frozen backbone by name.

    Args:
        name: a network that ships with vpcore (see `vpcore.models.MODELS`), or any timm network that is a
            chain of blocks, also as "timm/…" or "hf-hub:timm/…".
        pretrained: load trained weights; the MSVP paper's networks have none and need `pretrained=False`.
        options: image_size, in_chans, mean, std, seed; for timm networks checkpoint=a file (see
            `vpcore.models.timm_nets.timm_backbone`); and what the network's own file documents.

    Raises:
        ValueError: unknown name, no chain of blocks, or weights asked for where there are none.
    """
    if name not in MODELS:
        from vpcore.models.timm_nets import plain_name, timm_backbone, timm_names

        names, name = timm_names(), plain_name(name)
        if name.split(".")[0] in names:
            return timm_backbone(name, pretrained=pretrained, **options)
        near = difflib.get_close_matches(name, [*MODELS, *names], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        ours = ", ".join(MODELS)
        raise ValueError(f"unknown backbone {name!r}: choose one of {ours}, or a timm name{hint}")
    if pretrained and name in BUNDLED:
        from vpcore.models.bundled import load_weights

        return load_weights(MODELS[name](**options))
    if pretrained:
        raise ValueError(f"{name} has no pretrained weights: pass pretrained=False and train it (train_backbone=True)")
    return MODELS[name](**options)
