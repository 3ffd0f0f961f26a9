"""Lesson 03's arms and controls: universal, cluster and instance prompts, and what may stand in for the latter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import vpcore
from vpcore.data.splits import Splits

RESCALED = "beta:0.3 rescaled"  # the rates of beta 0.3's last layers, changed so that Adam walks beta 0.7's path
Refit = Callable[[vpcore.Prompted, Tensor, int], vpcore.Prompted]


def build(arm: str, backbone: Any, seed: int, data: Splits) -> vpcore.Prompted:
    """Return an untrained model of an arm; cluster centers are computed from the training images."""
    spec, (kind, _, value) = backbone.spec, arm.removesuffix(" rescaled").partition(":")
    prompt: vpcore.Prompt = vpcore.NoPrompt(spec)
    if kind == "universal":
        prompt = vpcore.PadPrompt(spec, width="full", seed=seed)
    elif kind == "cluster":
        prompt = vpcore.ClusterPrompt(spec, int(value), seed=seed)
    elif kind in ("instance", "beta"):
        beta = float(value or 0.7)
        parts = {0.0: ("patch",), 1.0: ("global",)}.get(beta, ("patch", "global"))
        prompt = vpcore.InstanceImagePrompt(spec, parts=parts, beta=beta, seed=seed)
    prompt.prepare(backbone, data.train.images)
    head = vpcore.LinearHead(spec.dim, len(data.classes), seed=seed)
    return vpcore.Prompted(backbone, prompt, head, train_backbone=arm == "fine-tuning")


def split_last_layers(model: vpcore.Prompted) -> None:
    """Make the two prompters' last layers children of the model, first in order, so that they get their own rates."""
    last = {"whole_last": model.prompt.whole.outer, "patch_last": model.prompt.patch.outer}
    model._modules = {**last, **model._modules}  # type: ignore[assignment]


def controls(train_images: Tensor, seed: int, refit: Refit) -> dict[str, Callable[[vpcore.Prompted], vpcore.Prompted]]:
    """Return what replaces an image's own prompt, by name: functions from the trained model to another one.

    Args:
        train_images: uint8 images whose mean picture is taken.
        seed: of the order in which pictures go to other images.
        refit: trains a new head for one fixed picture.
    """

    def mean(model: vpcore.Prompted) -> Tensor:
        return pictures(model, train_images).mean(0)

    return {
        "off": lambda model: vpcore.Prompted(model.backbone, vpcore.NoPrompt(model.backbone.spec), model.head),
        "mean": lambda model: vpcore.Prompted(model.backbone, constant(model, mean(model)), model.head),
        "mean refit": lambda model: refit(model, mean(model), seed),
        "other": lambda model: vpcore.Prompted(model.backbone, OtherPrompt(model.prompt, seed), model.head),
    }


def constant(model: vpcore.Prompted, picture: Tensor) -> vpcore.PadPrompt:
    """Return a universal prompt that adds one given picture (C, H, W)."""
    prompt = vpcore.PadPrompt(model.backbone.spec, width="full")
    with torch.no_grad():
        prompt.frame.copy_(picture.flatten(1))
    return prompt


class OtherPrompt(vpcore.Prompt):
    """Give each image of a batch the picture that was drawn for another one, along one random cycle through all."""

    first_layer = -1

    def __init__(self, prompt: Any, seed: int) -> None:
        super().__init__(prompt.spec, seed)
        self.inner = prompt

    def image(self, images: Tensor, context: Any) -> Tensor:
        """Add to each normalized image the picture of the next image in a random order."""
        order = torch.randperm(len(images), generator=self.generator(images.device))
        drawn = self.inner.added_map(images)
        return images + torch.empty_like(drawn).index_copy(0, order, drawn[order.roll(-1)])


@torch.no_grad()
def pictures(model: vpcore.Prompted, images: Tensor) -> Tensor:
    """Return the picture (N, C, H, W) that an instance prompt adds to each uint8 image, in normalized units."""
    prompt: Any = model.prompt
    return torch.cat([prompt.added_map(model.normalize(part.float() / 255)) for part in images.split(500)])


def strength(model: vpcore.Prompted, images: Tensor) -> dict[str, Any]:
    """Return root mean square of an instance prompt and the share of its square that differs between images."""
    if not isinstance(model.prompt, vpcore.InstanceImagePrompt):
        return {}
    drawn = pictures(model, images)
    total = float(drawn.square().mean())
    return {"rms": total**0.5, "own_share": 1 - float(drawn.mean(0).square().mean()) / total}
