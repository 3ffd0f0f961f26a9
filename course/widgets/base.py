"""What every explorer shares: controls, one image, one sentence, and a drive that proves the callbacks work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from course.show import Picture

LONGEST = 110  # characters; ipywidgets cuts a longer repr


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


def another_value(control: Any) -> Any:
    """Return a value of a control other than the present one."""
    if isinstance(control.value, bool):
        return not control.value
    if hasattr(control, "options"):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        return next(value for value in values if value != control.value)
    return control.max if control.value != control.max else control.min
