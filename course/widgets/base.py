"""What every explorer shares: controls, one image, one sentence, and a drive that proves the callbacks work."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from course.show.picture import Picture, canvas
from vpcore.backbone import Spec

VIEW = "application/vnd.jupyter.widget-view+json"
LONGEST = 110  # characters; ipywidgets cuts a longer repr
WHOLE_NAME = {"description_width": "initial"}


def slider(words: str, value: float, low: float, high: float, step: float | None = None) -> Any:
    """Return a slider over whole numbers, or in steps; it acts when it is let go, since a picture takes its time."""
    options = {"continuous_update": False, "layout": widgets.Layout(width="400px"), "style": WHOLE_NAME}
    if step is None:
        return widgets.IntSlider(value=value, min=low, max=high, description=words, **options)
    return widgets.FloatSlider(value=value, min=low, max=high, step=step, description=words, **options)


def buttons(words: str, names: Sequence[Any], value: Any = None) -> widgets.ToggleButtons:
    """Return a choice, by default the first name, which Tab and Space reach.

    JupyterLab takes the arrow keys from a dropdown or radio buttons.
    """
    style = {**WHOLE_NAME, "button_width": "auto"}
    return widgets.ToggleButtons(
        options=names, value=names[0] if value is None else value, description=words, style=style
    )


def switch(words: str) -> widgets.Checkbox:
    """Return a switch that is on."""
    return widgets.Checkbox(value=True, description=words, indent=False)


def normalized(images: UInt8[Tensor, "n c h w"], spec: Spec) -> tuple[Float[Tensor, "n c h w"], Tensor, Tensor]:
    """Return images as a backbone sees them, with the mean and the standard deviation that were taken out."""
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (spec.mean, spec.std))
    return (images.float() / 255 - mean) / std, mean, std


def strip(
    names: Sequence[str], images: Collection[str], size: Sequence[int], scale: tuple[float, float], limit: float
) -> tuple[Any, list[Any]]:
    """Return a figure with one panel a name; positions are fixed, so that no state leaves a trace in the next.

    Args:
        names: titles of the panels.
        images: those of them that are gray, on `scale`; the others are from -limit to limit, in normalized units.
        size: (height, width) of a panel in pixels.
        scale: smallest and largest value of an image.
        limit: largest value of what is added.
    """
    figure, axes = canvas(9.6, 1.9, len(names), layout="none")
    figure.subplots_adjust(left=0.01, right=0.90, bottom=0.03, top=0.86, wspace=0.06)
    panels = []
    for axis, name in zip(axes[0], names, strict=True):
        (low, high), colors = (scale, "gray") if name in images else ((-limit, limit), "PuOr")
        panels.append(axis.imshow(torch.zeros(*size).numpy(), cmap=colors, vmin=low, vmax=high))
        axis.set_axis_off()
    figure.colorbar(panels[1], cax=figure.add_axes((0.912, 0.08, 0.012, 0.74)), label="normalized units")
    return figure, panels


class Explorer(widgets.VBox):
    """Controls over an image and a sentence; both are computed anew at every change.

    There is no Output area: callbacks assign `Image.value` and `HTML.value`, so a stored notebook and a new run hold
    the same. The sentence is also the repr, which static viewers show and notebook tests compare.

    Args:
        controls: name to control; every control has a `value`, and all of them work with the keyboard alone.
    """

    def __init__(self, controls: Mapping[str, Any]) -> None:
        self.controls = dict(controls)
        # At its own size: stretched to the page it blurs, and does not fit on a screen together with the controls.
        size = widgets.Layout(max_width="100%", object_fit="contain", align_self="flex-start")
        self.image = widgets.Image(format="png", layout=size)
        self.words = widgets.HTML()
        row = widgets.Layout(flex_flow="row wrap", width="100%")
        super().__init__([widgets.Box(list(self.controls.values()), layout=row), self.image, self.words])
        for control in self.controls.values():
            control.observe(self._refresh, names="value")
        self._refresh()

    def picture(self) -> Picture:
        """Return the figure of the current state."""
        raise NotImplementedError(f"{type(self).__name__} needs a method picture")

    def sentence(self) -> str:
        """Say the current state in at most 110 characters."""
        raise NotImplementedError(f"{type(self).__name__} needs a method sentence")

    def state(self) -> dict[str, Any]:
        """Return the value of every control."""
        return {name: control.value for name, control in self.controls.items()}

    def drive(self) -> str:
        """Move every control once and back, as a learner would, and say what was seen.

        Raises:
            AssertionError: a control changes no pixel, or going back does not bring the first image back.
        """
        first = self.image.value
        for name, control in self.controls.items():
            kept = control.value
            control.value = another_value(control)
            assert self.image.value != first, f"{name} changes no pixel: connect it to the picture"
            control.value = kept
            assert self.image.value == first, f"{name} does not go back: compute the picture from the state alone"
        return f"{len(self.controls)} controls driven: each changes the picture and brings it back."

    def _refresh(self, change: Any = None) -> None:
        self.image.value = self.picture().png()
        self.words.value = f'<p role="status">{self.sentence()}</p>'

    def __repr__(self) -> str:
        return self.sentence()

    def _ipython_display_(self) -> None:
        """Show the controls, and store a still picture for pages where they do not move."""
        from IPython.display import display

        still, words = self.picture(), self.sentence()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        data = {VIEW: view, "image/png": still.png(), "text/plain": repr(self)}
        alt = still.alt if still.alt.endswith(words) else f"{still.alt} {words}"
        display(data, raw=True, metadata={"image/png": {"alt": alt}})


def another_value(control: Any) -> Any:
    """Return a value of a control other than the present one."""
    if isinstance(control.value, bool):
        return not control.value
    if hasattr(control, "options"):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        return next(value for value in values if value != control.value)
    return control.max if control.value != control.max else control.min
