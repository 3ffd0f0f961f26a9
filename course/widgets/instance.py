"""Explorer of InsVP's image level: the picture that each image gets, and what of it is the image's own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from course.show.picture import Picture
from course.widgets.base import Explorer, buttons, normalized, slider, strip, switch
from vpcore import InstanceImagePrompt, NoPrompt, Prompt

PARTS = {"patch": "patch part", "global": "global part"}
IMAGES = ("image x", "prompted x")  # the panels that are no differences
LIMIT = 1.5  # of the color scale, normalized units


class InstanceExplorer(Explorer):
    """Show an image, its own picture and the two parts of it, what differs from the mean picture, and the sum.

    The picture is scaled: "amplitude" is its root mean square over all images of the explorer, so that prompts of
    different weights can be compared. A part that is alone has weight 1, and beta then changes nothing.

    Args:
        images: uint8 images (N, C, H, W) to choose from, at least two.
        prompts: name to a prompt with both parts, untrained or trained; all for one backbone.
    """

    def __init__(self, images: UInt8[Tensor, "n c h w"], prompts: Mapping[str, InstanceImagePrompt]) -> None:
        self._prompts = {name: copy.deepcopy(prompt).eval() for name, prompt in prompts.items()}
        self._images, self._mean, self._std = normalized(images, next(iter(prompts.values())).spec)
        self._panels: list[Any] = []
        names = list(self._prompts)
        weights = {"weights": buttons("weights", names, names[-1])} if len(names) > 1 else {}
        parts = {part: switch(name) for part, name in PARTS.items()}
        rest = {
            "image": slider("image", 0, 0, len(images) - 1),
            "beta": slider("β (global)", 0.7, 0.0, 1.0, 0.05),
            "amplitude": slider("amplitude (normalized units)", 0.5, 0.0, 1.5, 0.05),
        }
        super().__init__({**weights, **parts, **rest})

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that are switched on."""
        return tuple(part for part in PARTS if self.controls[part].value)

    def prompt(self) -> Prompt:
        """Return the prompt of the current state; a part that is switched off is taken away."""
        name = self.controls["weights"].value if "weights" in self.controls else next(iter(self._prompts))
        prompt = copy.deepcopy(self._prompts[name])
        if not self.parts:
            return NoPrompt(prompt.spec)
        for part, network in (("patch", "patch"), ("global", "whole")):
            if part not in self.parts:
                delattr(prompt, network)
        prompt.beta = self.controls["beta"].value
        return prompt

    @torch.no_grad()
    def panels(self) -> dict[str, Tensor | None]:
        """Return what the picture shows, (C, H, W) in normalized units; None for a part that is off."""
        prompt, place, x = self.prompt(), self.controls["image"].value, self._images
        change = prompt.image(x, None) - x
        scale = self.controls["amplitude"].value / max(float(change.square().mean().sqrt()), 1e-12)
        change = change * scale if self.parts else change
        drawn = prompt.pictures(x) if isinstance(prompt, InstanceImagePrompt) else {}
        beta = self.controls["beta"].value
        weight = {"patch": 1 - beta, "global": beta} if len(drawn) > 1 else dict.fromkeys(drawn, 1.0)
        shown = {
            name: scale * weight[part] * drawn[part][place] if part in drawn else None for part, name in PARTS.items()
        }
        own = {"prompt": change[place], "prompt − mean": change[place] - change.mean(0)}
        return {"image x": x[place], **shown, **own, "prompted x": x[place] + change[place]}

    def picture(self) -> Picture:
        """Draw six panels; the figure is kept and only its pixels are exchanged."""
        panels = self.panels()
        if not self._panels:
            self._figure, self._panels = strip(list(panels), IMAGES, self._images.shape[-2:], (0.0, 1.0), LIMIT)
        for panel, (name, values) in zip(self._panels, panels.items(), strict=True):
            filled = torch.zeros(self._images.shape[1:]) if values is None else values
            if name in IMAGES:
                pixels = (filled * self._std[0] + self._mean[0]).clamp(0, 1)
                panel.set_data(pixels.movedim(0, -1).squeeze(-1).numpy())
            else:
                panel.set_data(filled.mean(0).numpy())
            panel.axes.set_title(f"{name} (off)" if values is None else name, fontsize=9)
        return Picture(self._figure, f"{', '.join(panels)}. {self.sentence()}")

    def sentence(self) -> str:
        """Say the current state in one sentence, without values that training on this machine would change."""
        state = self.state()
        on = " and ".join(self.parts) or "none"
        weights = f"{state['weights']} weights; " if "weights" in state else ""
        beta = f"β {state['beta']:.2f}" if len(self.parts) == 2 else "β without effect"
        return f"Image {state['image']}; {weights}parts: {on}; {beta}; amplitude {state['amplitude']:.2f}."
