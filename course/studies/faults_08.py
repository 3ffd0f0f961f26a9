"""Study 08: the faults, each one line of a right training run exchanged for a wrong one."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore import train
from vpcore.backbone import Backbone, Spec
from vpcore.data.splits import Split
from vpcore.device import own_random_stream
from vpcore.heads import label_mapping
from vpcore.prompts.activation import ActivationPrompt
from vpcore.prompts.base import Prompt

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
WARM = 2  # epochs of warm-up


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        base: the right arm that it is compared with; its own name if it is one.
        method: "activation", "adapter" or "mapping".
        constants: mean and std in the place of those of the weights.
        install: puts the fault into the library, until left.
        pixels: train on images and not on cached activations.
        worn: normalize the kept images once more at every pass.
        both_zero: start both layers of the adapter at zero.
    """

    base: str
    method: str = "activation"
    constants: tuple[Any, Any] | None = None
    install: Callable[[], AbstractContextManager[Any]] = nullcontext
    pixels: bool = False
    worn: bool = False
    both_zero: bool = False


class Adapter(Prompt):
    """Add up(gelu(down(z))) to the activations before pooling; 1×1 convolutions with a bottleneck.

    Args:
        spec: of a CNN.
        width: channels of the bottleneck.
        both_zero: start both layers at zero, and not the second alone.
        seed: of the first layer.
    """

    def __init__(self, spec: Spec, width: int = 16, both_zero: bool = False, seed: int = 0) -> None:
        super().__init__(spec, seed)
        self.first_layer, chans = spec.depth, spec.shapes[-1][0]
        with own_random_stream(seed):
            self.down, self.up = nn.Conv2d(chans, width, 1), nn.Conv2d(width, chans, 1)
        for name, tensor in self.named_parameters():
            if both_zero or name != "down.weight":
                nn.init.zeros_(tensor)

    def activation(self, z: Tensor, layer: int, context: Any) -> Tensor:
        """Add to the last activations."""
        return z + self.up(F.gelu(self.down(z))) if layer == self.spec.depth else z


class WornSplit:
    """A split whose images are normalized once more at every pass, because one pass wrote into what is kept.

    Args:
        split: the images and labels.
        passes: activations of all images after one, two, … normalizations.
        layer: where these stand.
    """

    def __init__(self, split: Split, passes: list[Tensor], layer: int) -> None:
        self.images, self.labels, self.passes, self.layer, self.epoch = split.images, split.labels, passes, layer, 0

    def __len__(self) -> int:
        return len(self.labels)

    steps, batches = Split.steps, Split.batches

    def near(self, device: Any) -> WornSplit:
        """Stay."""
        return self

    def batch(self, where: Any, device: Any, augment: Any = None, generator: Any = None) -> Tensor:
        """Return chosen activations as this epoch finds them."""
        return self.passes[self.epoch][where]

    def entry(self, model: Any) -> Callable[[Tensor], Tensor]:
        """Return the part of the model above them."""
        return partial(model, start=self.layer)


@torch.no_grad()
def worn_passes(backbone: Backbone, split: Split, layer: int, count: int) -> list[Tensor]:
    """Return the activations of all images after 1 … count normalizations."""
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (backbone.spec.mean, backbone.spec.std))
    images, passes = split.images.float() / 255, []
    for _ in range(count):
        images = (images - mean) / std
        passes.append(torch.cat([backbone.activations(chunk, layer) for chunk in images.split(500)]))
    return passes


def cut_off(self: ActivationPrompt, z: Tensor, layer: int, context: Any) -> Tensor:
    """Add the prompt without its gradient."""
    return z + self.delta(layer).detach() if layer in self.layers else z


def warm_up(start: int) -> Callable[..., Callable[[int], float]]:
    """Return a schedule by epochs: a ramp over the first WARM epochs that begins at start / WARM, then cosine."""

    def schedule(name: str, epochs: int, steps: int, warmup_steps: int = 0) -> Callable[[int], float]:
        def factor(step: int) -> float:
            epoch = step // steps
            if epoch < WARM:
                return (epoch + start) / WARM
            return 0.5 * (1 + math.cos(math.pi * (epoch - WARM) / (epochs - WARM)))

        return factor

    return schedule


def most_often(counts: Tensor) -> Tensor:
    """Give every target class its most frequent source class, also one that another class has."""
    return counts.argmax(0)


SHARED = partial(patch.object, label_mapping, "assign_greedily", most_often)
MOVING = partial(patch.object, Backbone, "train", nn.Module.train)  # the frozen network follows .train()
ARMS = {
    "right": Arm("right"),
    "half constants": Arm("right", constants=((0.5,) * 3, (0.5,) * 3)),
    "imagenet constants": Arm("right", constants=IMAGENET),
    "not normalized": Arm("right", constants=((0.0,) * 3, (1.0,) * 3)),
    "worn images": Arm("right", worn=True),
    "prompt cut off": Arm("right", install=partial(patch.object, ActivationPrompt, "activation", cut_off)),
    "moving statistics": Arm("right", install=MOVING, pixels=True),
    "warm-up": Arm("warm-up", install=partial(patch.object, train, "schedule_factor", warm_up(1))),
    "lost epoch": Arm("warm-up", install=partial(patch.object, train, "schedule_factor", warm_up(0))),
    "adapter": Arm("adapter", "adapter"),
    "both zero": Arm("adapter", "adapter", both_zero=True),
    "mapping": Arm("mapping", "mapping"),
    "shared source": Arm("mapping", "mapping", install=SHARED),
}
