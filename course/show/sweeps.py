"""Figures over layers: accuracies with their spread, and how alike the layers of two networks see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from course.show.picture import COLORS, GREY, MARKERS, Picture, canvas, finished, listed, numbers, plain

LINES = (("--", GREY), (":", "black"), ("-.", COLORS[3]))


def sweep(
    curves: Mapping[str, Mapping[int, Any]],
    title: str,
    *,
    levels: Mapping[str, float] | None = None,
    live: Collection[str] = (),
    up: str = "test accuracy (%)",
    label: str = "",
    made_by: str = "",
) -> Picture:
    """Show values over layers: every seed as a dot, mean and standard deviation as a line with bars.

    A live curve has no line: few layers are trained on this machine, and nothing is known of those between them.

    Args:
        curves: name to {layer: one value a seed}.
        levels: name to a value that holds for all layers, such as the accuracy without a prompt.
        live: curves trained on this machine; the sentence leaves their values out.
        up: what the values are.
    """
    figure, axes = canvas(7.0, 3.2)
    panel, words = axes[0, 0], []
    for number, (name, layers) in enumerate(curves.items()):
        color, side = COLORS[number % len(COLORS)], 0.09 * (number - (len(curves) - 1) / 2)
        values = [numbers(seeds) for seeds in layers.values()]
        means, places = [seeds.mean() for seeds in values], [layer + side for layer in layers]
        for place, seeds in zip(places, values, strict=True):
            panel.plot([place] * len(seeds), seeds, ".", color=color, alpha=0.5, markersize=6, markeredgewidth=0)
        look = MARKERS[number % len(MARKERS)] + "-" * (name not in live)
        style = {"fmt": look, "color": color, "markersize": 4, "capsize": 3}
        panel.errorbar(places, means, yerr=[seeds.std(ddof=1) for seeds in values], linewidth=1, label=name, **style)
        best = int(np.argmax(means))
        top = f"{means[best]:.1f} ± {values[best].std(ddof=1):.1f}"
        words.append(name if name in live else f"{name} (highest at layer {list(layers)[best]}, {top})")
    for (name, level), (line, ink) in zip((levels or {}).items(), LINES, strict=False):
        panel.axhline(level, color=ink, linestyle=line, linewidth=1.2, label=name)
        words.append(f"{name} at {level:.1f}")
    every = sorted({layer for layers in curves.values() for layer in layers})
    panel.set(xlabel="layer", ylabel=f"{up}, mean ± sd", xticks=every)
    panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    plain(panel)
    return finished(figure, title, f"{title}: {up} over layers, mean ± sd, for {listed(words)}", label, made_by)


def layer_map(maps: Mapping[str, Any], title: str, *, names: Mapping[str, tuple[str, str]], label: str = "") -> Picture:
    """Show matrices of numbers between 0 and 1, one row and one column a layer; the sentence leaves them out.

    Args:
        maps: name to matrix (row layers, column layers).
        names: name to what its rows and columns are.
    """
    figure, axes = canvas(3.3 * len(maps) + 0.9, 3.3, len(maps))
    shown: Any = None
    for panel, (name, matrix) in zip(axes[0], maps.items(), strict=True):
        array, (rows, columns) = numbers(matrix), names[name]
        shown = panel.imshow(array, cmap="viridis", vmin=0, vmax=1, origin="lower")
        for (row, column), value in np.ndenumerate(array):
            ink = "black" if value > 0.55 else "white"
            panel.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=6.5, color=ink)
        panel.set(xticks=range(array.shape[1]), yticks=range(array.shape[0]), xlabel=columns, ylabel=rows)
        panel.set_title(name, fontsize=9)
    figure.colorbar(shown, ax=list(axes[0]), label="linear CKA", fraction=0.03)
    words: Sequence[str] = [f"{name} ({names[name][0]} by {names[name][1]})" for name in maps]
    return finished(figure, title, f"{title}: one row and one column a layer, for {listed(words)}", label)
