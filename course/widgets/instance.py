"""Explorer of InsVP's image level: the picture that each image gets, and what of it is the image's own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import torch
from jaxtyping import UInt8
from torch import Tensor

from course.show.picture import Picture, canvas
from course.widgets.base import Explorer
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

    def __init__(
        self, images: UInt8[Tensor, "count channels height width"], prompts: Mapping[str, InstanceImagePrompt]
    ) -> None:
        self._prompts = {name: copy.deepcopy(prompt).eval() for name, prompt in prompts.items()}
        spec = next(iter(prompts.values())).spec
        self._mean, self._std = (torch.tensor(values).view(1, -1, 1, 1) for values in (spec.mean, spec.std))
        self._images = (images.float() / 255 - self._mean) / self._std
        self._panels: list[Any] = []
        style: dict[str, Any] = {"style": {"description_width": "initial"}}
        slide = {"continuous_update": False, "layout": widgets.Layout(width="400px"), **style}
        names = list(self._prompts)
        # JupyterLab takes the arrow keys from a dropdown or radio buttons; Tab and Space reach buttons.
        weights = widgets.ToggleButtons(options=names, value=names[-1], description="weights", **style)
        parts = {part: widgets.Checkbox(value=True, description=name, indent=False) for part, name in PARTS.items()}
        rest = {
            "image": widgets.IntSlider(value=0, min=0, max=len(images) - 1, description="image", **slide),
            "beta": widgets.FloatSlider(value=0.7, min=0.0, max=1.0, step=0.05, description="β (global)", **slide),
            "amplitude": widgets.FloatSlider(
                value=0.5, min=0.0, max=1.5, step=0.05, description="amplitude (normalized units)", **slide
            ),
        }
        super().__init__({**({"weights": weights} if len(names) > 1 else {}), **parts, **rest})

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
            self._figure, self._panels = _empty_figure(list(panels), self._images.shape[-2:])
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


def _empty_figure(names: list[str], size: torch.Size) -> tuple[Any, list[Any]]:
    """Return a figure with one panel a name; positions are fixed, so that no state leaves a trace in the next."""
    figure, axes = canvas(9.6, 1.9, len(names), layout="none")
    figure.subplots_adjust(left=0.01, right=0.90, bottom=0.03, top=0.86, wspace=0.06)
    panels = []
    for axis, name in zip(axes[0], names, strict=True):
        is_image = name in IMAGES
        low, high = (0.0, 1.0) if is_image else (-LIMIT, LIMIT)
        panels.append(axis.imshow(torch.zeros(size).numpy(), cmap="gray" if is_image else "PuOr", vmin=low, vmax=high))
        axis.set_axis_off()
    figure.colorbar(panels[1], cax=figure.add_axes((0.912, 0.08, 0.012, 0.74)), label="normalized units")
    return figure, panels
