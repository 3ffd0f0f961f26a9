"""What every prompt is: something learned, and up to three places where it may act."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from vpcore.backbone import Backbone, Spec
from vpcore.built import Built

Images = Float[Tensor, "batch channels height width"]


class Prompt(Built, nn.Module):
    """Base class of all prompt methods; on its own it changes nothing.

    A method overrides one or more of the three seams `condition`, `image` and `activation`, and says in `first_layer`
    where it first acts. None of them may change its input in place. Randomness comes from the prompt's own
    generators, so that a model with a prompt and one without see the same batches, augmentations and dropout masks.

    Args:
        spec: the sizes of the backbone this prompt is for (`backbone.spec`).
        seed: seed of the prompt's initial values and of its own random draws.

    Attributes:
        first_layer: -1 when the prompt acts on pixels (or reads the images), else the first layer it acts in
            front of; `depth + 1` when it acts nowhere. The layers below it may be run once and cached.
        generators: the prompt's own random generators so far, by device; see `generator`.
    """

    first_layer: int = -1

    def __init__(self, spec: Spec, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(spec, Spec):
            kind = type(self).__name__
            raise TypeError(f"{kind} needs the sizes of a backbone, got a {type(spec).__name__}: pass backbone.spec")
        self.spec = spec
        self.seed = seed
        self.generators: dict[str, torch.Generator] = {}

    def prepare(self, backbone: Backbone, images: UInt8[Tensor, "n c h w"]) -> Prompt:
        """Compute from training images, before training, what the prompt needs; nothing, for most. Returns self."""
        return self

    def condition(self, images: Images) -> Any:
        """Compute once a batch, from the original normalized images, what the other two seams need."""
        return None

    def image(self, images: Images, context: Any) -> Images:
        """Return the prompted images; same shape, normalized space."""
        return images

    def activation(self, z: Tensor, layer: int, context: Any) -> Tensor:
        """Return the activations before block `layer` (before pooling when layer == depth)."""
        return z

    def num_learned(self) -> int:
        """Return how many numbers the prompt learns; entries that can never act are not counted."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def generator(self, device: torch.device | str = "cpu") -> torch.Generator:
        """Return this prompt's own random generator on a device."""
        key = str(torch.device(device))
        if key not in self.generators:
            self.generators[key] = torch.Generator(device).manual_seed(self.seed)
        return self.generators[key]

    def get_extra_state(self) -> dict[str, Tensor]:
        """Return the state of the prompt's generators, so that a resumed run draws the same numbers."""
        return {key: generator.get_state() for key, generator in self.generators.items()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Restore what `get_extra_state` returned; generators of a GPU that is not here are left out."""
        for key, value in state.items():
            device = torch.device(key)
            if device.type == "cpu" or (device.index or 0) < torch.cuda.device_count():
                self.generator(key).set_state(value.cpu())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "generators": self.get_extra_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("generators")
        super().__setstate__({**state, "generators": {}})
        self.set_extra_state(saved)


class NoPrompt(Prompt):
    """Leave images and activations as they are: the baseline every prompt is compared with."""

    def __init__(self, spec: Spec, seed: int = 0) -> None:
        super().__init__(spec, seed)
        self.first_layer = spec.depth + 1
