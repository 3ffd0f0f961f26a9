"""Lesson 04's arms: parts of InsVP one by one and left out, VPT, small tunings, and what may replace p^s at test."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import vpcore
from vpcore.prompts.base import Images
from vpcore.prompts.instance import PARTS, InstanceContext
from vpcore.tuning import TUNINGS

TOKENS, BETA = 4, 0.5  # L_p and beta_F of every arm that does not say otherwise
OTHER_BETA = 0.9
STEPS = ("patch", "patch+global", "patch+global+common", "all")  # the rows of InsVP's ablation, in its order
INSTANCE: dict[str, dict[str, Any]] = {
    **{"+".join(PARTS[:count]): {"parts": PARTS[:count]} for count in (1, 2, 3)},
    "all": {},
    "frozen": {"train_specific": False},
    **{f"without {left}": {"parts": tuple(part for part in PARTS if part != left)} for left in PARTS[:3]},
    "common+specific": {"parts": ("common", "specific")},
}
SWEEPS: dict[str, dict[str, Any]] = {  # around "all", and at its rate
    "beta 0.1": {"beta_feature": 0.1},
    f"beta {OTHER_BETA}": {"beta_feature": OTHER_BETA},
    f"beta {OTHER_BETA} rescaled": {"beta_feature": OTHER_BETA},
    "tokens 1": {"num_tokens": 1},
    "tokens 9": {"num_tokens": 9},
    "blocks 1": {"blocks": 1, "behind": "drop"},  # as they were recorded
    "blocks 3": {"blocks": 3, "behind": "drop"},
}
VPT = ("vpt_shallow", "vpt_deep")


def build(arm: str, backbone: Any, seed: int, classes: int = 10) -> vpcore.Prompted:
    """Return an untrained model of an arm, on a frozen backbone."""
    spec = backbone.spec
    prompt, tuning = vpcore.NoPrompt(spec), None
    if arm in TUNINGS:
        tuning = TUNINGS[arm](backbone)
    elif arm in VPT:
        prompt = vpcore.PROMPTS[arm](spec, num_tokens=TOKENS, seed=seed)
    elif arm != "none":
        options = {"num_tokens": TOKENS, "beta_feature": BETA, **{**INSTANCE, **SWEEPS}[arm]}
        prompt = vpcore.InstancePrompt(spec, seed=seed, **options)
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, classes, seed=seed), tuning=tuning)
    if arm.endswith("rescaled"):
        rescale(model)
    return model


def rates(arm: str, lr: float, head: float) -> dict[str, float]:
    """Return the rate of every child of an arm's model."""
    found = {"prompt": lr, "tuning": lr, "head": head}
    found = {name: rate for name, rate in found.items() if (name == "tuning") == (arm in TUNINGS) or name == "head"}
    if arm.endswith("rescaled"):
        common, last = factors()
        found |= {"common": lr * common, "last": lr * last}
    return found


def factors() -> tuple[float, float]:
    """Return by what p^c and p^s must grow so that another beta_F mixes them to the same tokens."""
    return BETA / OTHER_BETA, (1 - BETA) / (1 - OTHER_BETA)


def rescale(model: vpcore.Prompted) -> None:
    """Start an InsVP model of another beta where `BETA` starts, and let the tensors concerned have their own rates.

    Adam's step does not see the size of a gradient: with start and rate scaled alike, the path of p^F is the same.
    """
    prompt: Any = model.prompt
    common, last = prompt.common, prompt.specific.convs[-1]
    with torch.no_grad():
        for tensors, factor in zip((common.parameters(), last.parameters()), factors(), strict=True):
            for tensor in tensors:
                tensor.mul_(factor)
    model._modules = {"common": common, "last": last, **model._modules}  # the first child of a tensor gives its rate


class Replaced(vpcore.Prompt):
    """Give every image of a batch other specific tokens than its own: the mean of all, or those of another image.

    Args:
        prompt: a trained InsVP prompt.
        kind: "mean" or "other".
        mean: the mean tokens (num_tokens, dim) of the training images.
        seed: of the order in which tokens go to other images.
    """

    first_layer = -1

    def __init__(self, prompt: Any, kind: str, mean: Tensor, seed: int) -> None:
        super().__init__(prompt.spec, seed)
        self.inner, self.kind, self.average = prompt, kind, mean

    def condition(self, images: Images) -> InstanceContext:
        """Compute the picture as before, and exchange the tokens."""
        picture, own = self.inner.condition(images)
        if self.kind == "mean":
            return InstanceContext(picture, self.average.expand_as(own))
        order = torch.randperm(len(own), generator=self.generator(own.device))
        return InstanceContext(picture, torch.empty_like(own).index_copy(0, order, own[order.roll(-1)]))

    def image(self, images: Images, context: InstanceContext) -> Images:
        """Add the image's own picture."""
        return self.inner.image(images, context)

    def activation(self, z: Tensor, layer: int, context: InstanceContext) -> Tensor:
        """Insert the exchanged tokens."""
        return self.inner.activation(z, layer, context)


@torch.no_grad()
def specific_tokens(model: vpcore.Prompted, images: Tensor) -> Tensor:
    """Return p^s (N, num_tokens, dim) of uint8 images."""
    prompt: Any = model.prompt
    parts = [prompt.condition(model.normalize(part.float() / 255)).specific for part in images.split(500)]
    return torch.cat(parts)


def own_share(tokens: Tensor) -> dict[str, float]:
    """Return root mean square of tokens (N, ...) and the share of their square that differs between images."""
    total = float(tokens.square().mean())
    return {"rms": total**0.5, "own_share": 1 - float(tokens.mean(0).square().mean()) / total}
