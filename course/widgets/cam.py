"""Explorer of Grad-CAM: one image before and after a prompt, its true or predicted class, shuffled weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from course.exercises.lesson_07.answers import shuffle_top
from course.show.picture import Picture, canvas
from course.studies.maps_07 import CAM_LAYER, parts_of, rebuilt
from course.widgets.base import Explorer, buttons, slider
from vpcore import Prompted
from vpcore.inside.grad_cam import grad_cam

SHUFFLED = "weights shuffled"
CLASSES = ("predicted", "true")


class CamExplorer(Explorer):
    """Show an image, its Grad-CAM map in the first model, and its map in the chosen one.

    Each map has a color bar of its own in logits, from 0 to its largest value, so that a weak map is seen to be weak.
    The choice "…, weights shuffled" is the last model, with the entries of each parameter of its top parts shuffled.

    Args:
        images: uint8 images (N, 3, H, W) to choose from.
        labels: their true classes.
        models: name to trained model, the one to compare with first.
        layer: of the maps.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "n c h w"],
        labels: Int[Tensor, " n"],
        models: Mapping[str, Prompted],
        layer: int = CAM_LAYER,
    ) -> None:
        self._images, self._labels, self._layer = images.float() / 255, labels, layer
        self._models = {name: model.eval() for name, model in models.items()}
        self._panels: list[Any] = []
        self._first, (name, self._last) = next(iter(self._models.values())), list(self._models.items())[-1]
        self.shuffled = f"{name}, {SHUFFLED}"
        controls = {
            "image": slider("image", 0, 0, len(images) - 1),
            "class": buttons("class", CLASSES),
            "model": buttons("model", (*self._models, self.shuffled), self.shuffled),
            "parts": slider("shuffled parts, from the top", 1, 0, len(parts_of(self._last))),
        }
        super().__init__(controls)

    def model(self) -> Prompted:
        """Return the chosen model."""
        name = self.controls["model"].value
        if name != self.shuffled:
            return self._models[name]
        return rebuilt(self._last, shuffle_top(parts_of(self._last), self.controls["parts"].value, 0)).eval()

    def explained(self) -> int:
        """Return the class that both maps explain: the true one, or the one that the first model predicts."""
        place = self.controls["image"].value
        if self.controls["class"].value == "true":
            return int(self._labels[place])
        with torch.no_grad():
            return int(self._first(self._images[place][None]).argmax())

    def maps(self) -> tuple[Tensor, Tensor]:
        """Return the maps (H, W) of the first and of the chosen model, in logits."""
        image, chosen = self._images[self.controls["image"].value][None], torch.tensor([self.explained()])
        first, second = (grad_cam(net, image, self._layer, chosen)[0].detach() for net in (self._first, self.model()))
        return first, second

    def picture(self) -> Picture:
        """Draw three panels; the figure is kept, and only pixels, scales and titles are exchanged."""
        if not self._panels:
            self._figure, self._panels = _empty_figure(self._images[0])
        image, *heats = self._panels
        place = self.controls["image"].value
        image.set_data(self._images[place].movedim(0, -1).numpy())
        image.axes.set_title(f"image {place}: true {int(self._labels[place])}", fontsize=9)
        names = (next(iter(self._models)), self.controls["model"].value)
        for panel, name, values in zip(heats, names, self.maps(), strict=True):
            panel.set_data(values.numpy())
            panel.set_clim(0.0, float(values.max()) or 1.0)
            panel.axes.set_title(f"{name}\nfor {self.controls['class'].value} {self.explained()}", fontsize=9)
        words = "An image and two Grad-CAM maps, each on its own scale in logits"
        return Picture(self._figure, f"{words}. {self.sentence()}")

    def sentence(self) -> str:
        """Say the current state in one sentence, without numbers that differ between machines."""
        state = self.state()
        shuffled = f" (top {state['parts']})" if state["model"] == self.shuffled else ""
        both = f"{next(iter(self._models))} and {state['model']}{shuffled}"
        return f"Image {state['image']}; {state['class']} class; {both}."


def _empty_figure(image: Tensor) -> tuple[Any, list[Any]]:
    """Return a figure with three panels at fixed places, and a color bar beside each map."""
    figure, axes = canvas(8.4, 2.7, 3, layout="none")
    panels = []
    for number, axis in enumerate(axes[0]):
        left = (0.01, 0.29, 0.64)[number]
        axis.set_position((left, 0.05, 0.24, 0.75))
        axis.set_axis_off()
        if number == 0:
            panels.append(axis.imshow(image.movedim(0, -1).numpy()))
            continue
        panels.append(axis.imshow(torch.zeros(image.shape[-2:]).numpy(), cmap="inferno", vmin=0, vmax=1))
        bar = figure.colorbar(panels[-1], cax=figure.add_axes((left + 0.245, 0.08, 0.013, 0.69)), label="logits")
        bar.ax.tick_params(labelsize=7)
    return figure, panels
