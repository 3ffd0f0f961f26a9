"""The smallest data and models that the core's tests train on."""

from __future__ import annotations

import torch

import vpcore
from vpcore.backbone import Backbone
from vpcore.data.splits import Split


def tiny_split(count: int = 40, classes: int = 3, seed: int = 0, size: int = 8, chans: int = 1) -> Split:
    """Noise with a bright column that tells the class, so that there is something to learn."""
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 120, (count, chans, size, size), generator=draw, dtype=torch.uint8)
    labels = torch.arange(count) % classes
    images[torch.arange(count), :, :, labels] += 120
    return Split(images, labels)


def tiny_backbone(seed: int = 0, size: int = 8, width: int = 2) -> Backbone:
    return vpcore.load_backbone("simple_cnn", pretrained=False, image_size=size, width=width, seed=seed)


def tiny_model(
    prompt: str = "multiscale", seed: int = 0, classes: int = 3, train_backbone: bool = True, width: int = 2
) -> vpcore.Prompted:
    backbone = tiny_backbone(seed, width=width)
    options = {"scales": (1, 4)} if prompt == "multiscale" else {}
    made = vpcore.PROMPTS[prompt](backbone.spec, seed=seed, **options)
    head = vpcore.LinearHead(backbone.spec.dim, classes, seed=seed)
    return vpcore.Prompted(backbone, made, head, train_backbone=train_backbone)


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of all parameters and buffers."""
    return {name: t.clone() for name, t in model.state_dict().items() if isinstance(t, torch.Tensor)}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two dictionaries of tensors are alike, bit by bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
