"""A picture: the PNG of a figure together with the sentence that says the same in words."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's blue, vermillion and green, darkened until each has a contrast of 4.5 or more on white; with black
# they are told apart by every common color vision, and every figure also gives them different markers.
COLORS = ("#0067a5", "#b34700", "#00734f", "#1a1a1a")
MARKERS = ("o", "s", "^", "D")
GREY = "#666666"
DPI = 110


class Picture:
    """A figure and its alternative text.

    As the last line of a cell it shows the figure. The sentence goes with it unseen: as the image's alternative text,
    which the web site gives to screen readers, and as its plain text, which strict notebook tests compare.

    Args:
        figure: a matplotlib figure, drawn once.
        alt: what the figure shows, in one or two sentences.
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        self.figure = figure
        self.alt = alt
        self._png: bytes | None = None

    def png(self) -> bytes:
        """Return the figure as a PNG without dates or versions; drawn once, because a layout depends on the last."""
        if self._png is None:
            buffer = io.BytesIO()
            _keep_ticks(self.figure)
            self.figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
            self._png = buffer.getvalue()
        return self._png

    def __repr__(self) -> str:
        return self.alt

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data = {"image/png": self.png(), "text/plain": self.alt}
        display(data, raw=True, metadata={"image/png": {"alt": self.alt}})


def _keep_ticks(figure: Figure) -> None:
    """Fix the ticks that are drawn: while a layout is sought there may be fewer, with shorter labels."""
    from matplotlib.ticker import AutoLocator, FixedLocator

    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if isinstance(axis.get_major_locator(), AutoLocator):
            axis.set_major_locator(FixedLocator(axis.get_majorticklocs()))  # type: ignore[arg-type]


def canvas(
    width: float, height: float, columns: int = 1, rows: int = 1, layout: Literal["constrained", "none"] = "constrained"
) -> tuple[Figure, np.ndarray]:
    """Return a figure of a size in inches and its axes (rows, columns), outside pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=None if layout == "none" else layout)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes


def plain(axes: Axes) -> None:
    """Take away the frame lines that carry no information."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def numbers(values: Any) -> np.ndarray:
    """Return a tensor, list or array as a float array, off the graph and on the CPU."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=float)


def heading(title: str, label: str = "", made_by: str = "") -> str:
    """Return the figure title: what it shows, which run, and whose code made it."""
    parts = [part for part in (label, f"made by: {made_by}" if made_by else "") if part]
    long = len(" · ".join(parts)) > 70  # a longer line would be cut off at the sides
    below = ("\n" if long else " · ").join(parts)
    return f"{title}\n{below}" if below else title


def sentence(text: str, label: str = "", made_by: str = "") -> str:
    """Return the alternative text with the same additions as `heading`."""
    parts = [text.rstrip("."), label[:1].upper() + label[1:], f"made by: {made_by}" if made_by else ""]
    said = ". ".join(part for part in parts if part) + "."
    return said.replace("?.", "?").replace("?:", "?")  # a title may be a question


def finished(figure: Figure, title: str, text: str, label: str = "", made_by: str = "") -> Picture:
    """Put a title over a figure and return the picture that the text describes."""
    figure.suptitle(heading(title, label, made_by), fontsize=10)
    return Picture(figure, sentence(text, label, made_by))


def listed(names: Sequence[str]) -> str:
    """Join names as in speech."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
