"""Explorer of pixel prompts: where the learned pixels sit, how wide, how strong, on which image."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from course.show.picture import Picture, canvas
from course.widgets.base import Explorer, buttons, normalized, slider
from vpcore import PadPrompt, PatchPrompt, Prompt, Spec

PLACES = ("frame", "full image", "patch")
LIMIT = 2.0  # of the color scale, normalized units
NAMES = ("image x", "prompt δ", "prompted x'")


class PlacementExplorer(Explorer):
    """Show an image, the picture that is added, and the prompted image.

    The learned pixels are random, N(0, amplitude²), in `vpcore.PadPrompt` or `vpcore.PatchPrompt`; nothing is trained.
    A patch lies in the upper left corner. Images are drawn as they are in [0, 1]: what lies beyond is clipped in the
    drawing, not for the network.

    Args:
        images: uint8 images (N, C, H, W) to choose from.
        spec: sizes of a backbone that takes such images.
    """

    def __init__(self, images: UInt8[Tensor, "count channels height width"], spec: Spec) -> None:
        self._images, self._mean, self._std = normalized(images, spec)
        self._spec = spec
        self._panels: list[Any] = []
        controls = {
            "place": buttons("prompt", PLACES),
            "width": slider("width (pixels)", 4, 1, (spec.image_size - 1) // 2),
            "amplitude": slider("amplitude (normalized units)", 0.5, 0.0, 2.0, 0.1),
            "image": slider("image", 0, 0, len(images) - 1),
        }
        super().__init__(controls)

    def prompt(self) -> Prompt:
        """Return the prompt of the current state, with pixels of the chosen amplitude."""
        place, width = self.controls["place"].value, self.controls["width"].value
        if place == "patch":
            prompt: Prompt = PatchPrompt(self._spec, width, init="normal")
        else:
            prompt = PadPrompt(self._spec, "full" if place == "full image" else width, init="normal")
        with torch.no_grad():
            for pixels in prompt.parameters():
                pixels.mul_(self.controls["amplitude"].value)
        return prompt

    @torch.no_grad()
    def panels(self) -> dict[str, Tensor]:
        """Return image and prompted image (C, H, W) in [0, 1] and beyond, and δ (H, W) in normalized units."""
        x, prompt = self._images[self.controls["image"].value][None], self.prompt()
        prompted = prompt.image(x, prompt.condition(x))
        values = (self._pixels(x), (prompted - x).mean(1)[0], self._pixels(prompted))
        return dict(zip(NAMES, values, strict=True))

    def picture(self) -> Picture:
        """Draw three panels; the figure is kept and only its pixels are exchanged."""
        panels = self.panels()
        if not self._panels:
            self._figure, self._panels = _empty_figure(self._spec.image_size)
        for panel, (name, values) in zip(self._panels, panels.items(), strict=True):
            panel.set_data(values.numpy() if name == NAMES[1] else _drawable(values))
        return Picture(self._figure, f"{', '.join(panels)}. {self.sentence()}")

    def sentence(self) -> str:
        """Say the current state in one sentence."""
        state, prompted = self.state(), self.panels()[NAMES[2]]
        size = "" if state["place"] == "full image" else f" {state['width']} wide"
        beyond = 100 * float(((prompted < 0) | (prompted > 1)).double().mean())
        return (
            f"{state['place'].capitalize()}{size}; amplitude {state['amplitude']:.1f}; image {state['image']}; "
            f"{self.prompt().num_learned():,} numbers; {beyond:.0f} % beyond 0 … 1."
        )

    def _pixels(self, x: Tensor) -> Tensor:
        """Return normalized images (1, C, H, W) as pixels (C, H, W); rounding must not push any beyond 0 … 1."""
        return ((x * self._std + self._mean)[0] * 2**16).round() / 2**16


def _drawable(pixels: Tensor) -> Any:
    array = pixels.clamp(0, 1).expand(3, -1, -1) if len(pixels) == 1 else pixels.clamp(0, 1)
    return array.movedim(0, -1).numpy()


def _empty_figure(size: int) -> tuple[Any, list[Any]]:
    """Return a figure with three panels; positions are fixed, so that no state leaves a trace in the next."""
    figure, axes = canvas(7.2, 2.5, len(NAMES), layout="none")
    figure.subplots_adjust(left=0.01, right=0.86, bottom=0.03, top=0.88, wspace=0.06)
    panels = []
    for axis, name in zip(axes[0], NAMES, strict=True):
        blank = torch.zeros(size, size)
        scale = {"cmap": "PuOr", "vmin": -LIMIT, "vmax": LIMIT} if name == NAMES[1] else {}
        panels.append(axis.imshow(blank.numpy() if scale else _drawable(blank[None]), **scale))
        axis.set_title(name, fontsize=9)
        axis.set_axis_off()
    label = "mean of the channels\n(normalized units)"
    figure.colorbar(panels[1], cax=figure.add_axes((0.885, 0.08, 0.015, 0.74)), label=label)
    return figure, panels
