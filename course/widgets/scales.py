"""Explorer of MSVP: which scales, which fusion, how strong, on which image."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from course.show.picture import Picture
from course.widgets.base import Explorer, buttons, normalized, slider, strip, switch
from vpcore import MultiScalePrompt, NoPrompt, Prompt, Spec
from vpcore.prompts.multiscale import upsample

SCALES = {1: "global 1×1", 4: "mid 4×4", 8: "local 8×8"}
FUSIONS = ("add", "gated", "concat, identity start", "concat, random start")
IMAGES = ("image x", "prompted x'")  # the panels that are no differences
LIMIT = 1.0  # of the color scale, normalized units


class ScalesExplorer(Explorer):
    """Show an image, the upsampled maps, what is added, and the prompted image.

    The maps are random, N(0, amplitude²), drawn by `vpcore.MultiScalePrompt`; nothing is trained. All maps share one
    color scale, -1 … 1 normalized units, so that a weak map looks weak.

    Args:
        images: uint8 images (N, C, H, W) to choose from.
        spec: sizes of a backbone that takes such images.
    """

    def __init__(self, images: UInt8[Tensor, "count channels height width"], spec: Spec) -> None:
        self._images, self._spec = normalized(images, spec)[0], spec
        self._panels: list[Any] = []
        scales = {f"scale {scale}": switch(name) for scale, name in SCALES.items()}
        rest = {
            "fusion": buttons("fusion", FUSIONS),
            "amplitude": slider("amplitude (normalized units)", 0.3, 0.0, 0.6, 0.05),
            "image": slider("image", 0, 0, len(images) - 1),
            "seed": slider("seed of the maps", 0, 0, 9),
        }
        super().__init__({**scales, **rest})

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales that are switched on."""
        return tuple(scale for scale in SCALES if self.controls[f"scale {scale}"].value)

    def prompt(self) -> Prompt:
        """Return the prompt of the current state, with maps of the chosen amplitude."""
        if not self.scales:
            return NoPrompt(self._spec)
        fusion, _, start = self.controls["fusion"].value.partition(", ")
        init = "kaiming" if start.startswith("random") else "identity"
        prompt = MultiScalePrompt(self._spec, self.scales, fusion, init, seed=self.controls["seed"].value)
        with torch.no_grad():
            for prompt_map in prompt.maps:
                prompt_map.mul_(self.controls["amplitude"].value / 0.01)
        return prompt

    @torch.no_grad()
    def panels(self) -> dict[str, Tensor | None]:
        """Return what the picture shows, each (H, W) in normalized units; None for a scale that is off."""
        x = self._images[self.controls["image"].value][None]
        prompt = self.prompt()
        prompted = prompt.image(x, prompt.condition(x))
        size = (x.shape[-2], x.shape[-1])
        maps = dict(zip(self.scales, getattr(prompt, "maps", ()), strict=True))
        shown = {name: upsample(maps[scale], size) if scale in maps else None for scale, name in SCALES.items()}
        panels = {"image x": x, **shown, "change x' − x": prompted - x, "prompted x'": prompted}
        return {name: None if values is None else values.mean(1)[0] for name, values in panels.items()}

    def picture(self) -> Picture:
        """Draw six panels; the figure is kept and only its pixels are exchanged."""
        panels = self.panels()
        if not self._panels:
            scale = float(self._images.min()), float(self._images.max())
            self._figure, self._panels = strip(list(panels), IMAGES, self._images.shape[-2:], scale, LIMIT)
        for panel, (name, values) in zip(self._panels, panels.items(), strict=True):
            panel.set_data((torch.zeros(self._images.shape[-2:]) if values is None else values).numpy())
            panel.axes.set_title(f"{name} (off)" if values is None else name, fontsize=9)
        return Picture(self._figure, f"{', '.join(panels)}. {self.sentence()}")

    def sentence(self) -> str:
        """Say the current state in one sentence."""
        state, change = self.state(), self.panels()["change x' − x"]
        on = ", ".join(map(str, self.scales)) or "none"
        assert change is not None  # always drawn
        return (
            f"Scales {on}; {state['fusion']}; amplitude {state['amplitude']:.2f}; image {state['image']}; "
            f"seed {state['seed']}; RMS change {float(change.square().mean().sqrt()):.2f}."
        )
