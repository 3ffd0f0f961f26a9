"""Figures made of numbers in two dimensions: curves and confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course.show.picture import COLORS, GREY, MARKERS, Picture, canvas, finished, listed, numbers, plain


def lines(
    curves: Mapping[str, tuple[Sequence[float], Any]], title: str, *, across: str, up: str, level: float | None = None,
    log: bool = False, live: bool = False, label: str = "", made_by: str = "",
) -> Picture:  # fmt: skip
    """Show curves with different markers.

    Args:
        curves: name to (x values, y values).
        across: what x is, with its unit.
        up: what y is, with its unit.
        level: a horizontal line to compare with.
        log: logarithmic x axis, with a mark at each x value.
    """
    figure, axes = canvas(6.4, 2.9)
    panel = axes[0, 0]
    words = []
    for number, (name, (x, y)) in enumerate(curves.items()):
        style = {"color": COLORS[number % len(COLORS)], "marker": MARKERS[number % len(MARKERS)], "markersize": 4}
        panel.plot(x, numbers(y), label=name, **style)
        words.append(name if live else f"{name} from {numbers(y)[0]:.3g} to {numbers(y)[-1]:.3g}")
    if level is not None:
        panel.axhline(level, color=GREY, linestyle="--", linewidth=1)
    panel.set(xlabel=across, ylabel=up)
    if log:
        places = sorted({float(value) for x, _ in curves.values() for value in x})
        panel.set_xscale("log")
        panel.set_xticks(places, [f"{place:g}" for place in places])
        panel.minorticks_off()
    panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    plain(panel)
    return finished(figure, title, f"{title}: {up} over {across} for {listed(words)}", label, made_by)


def confusion(
    matrices: Mapping[str, Any], classes: Sequence[str], title: str, *, live: bool = False, label: str = ""
) -> Picture:
    """Show row-normalized confusion matrices side by side.

    Args:
        matrices: name to (K, K), row = true class, entries in [0, 1].
        classes: K names.
    """
    size = 0.34 * len(classes) + 1.2
    figure, axes = canvas(size * len(matrices) + 0.6, size + 0.6, len(matrices))
    words = []
    for panel, (name, matrix) in zip(axes[0], matrices.items(), strict=True):
        array = numbers(matrix)
        shown = panel.imshow(array, cmap="Blues", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(array):
            if value >= 0.01:
                panel.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=6.5,
                           color="white" if value > 0.55 else "black")  # fmt: skip
        panel.set(xticks=range(len(classes)), yticks=range(len(classes)), xlabel="predicted", ylabel="true")
        panel.set_xticklabels(classes, rotation=90 if max(map(len, classes)) > 2 else 0, fontsize=7)
        panel.set_yticklabels(classes, fontsize=7)
        panel.set_title(name, fontsize=9)
        words.append(name if live else f"{name} {_worst(array, classes)}")
    figure.colorbar(shown, ax=list(axes[0]), label="share of the row", fraction=0.03)
    return finished(figure, title, f"{title}: row = true class, column = predicted class, for {listed(words)}", label)


def _worst(matrix: np.ndarray, classes: Sequence[str]) -> str:
    """Name the largest entry off the diagonal."""
    off = matrix - np.diag(np.diag(matrix))
    true, said = divmod(int(off.argmax()), len(off))
    return f"(most often {classes[true]} taken for {classes[said]}, {100 * off[true, said]:.0f} %)"
