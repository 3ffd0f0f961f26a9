"""The figure of a toy with two places: how well one pooled number tells two classes, for every pair of shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from course.show.picture import COLORS, Picture, canvas, heading, listed, numbers, sentence


def two_places(
    maps: Mapping[str, Any], shifts: Sequence[float], title: str, *, marks: Mapping[str, tuple[float, float]]
) -> Picture:
    """Show accuracies (%) as maps over the shift of the first place (across) and of the second one (up).

    A dashed line marks equal shifts. The sentence names the marked pairs; the values stay in the figure.

    Args:
        maps: name to accuracies of (second shift, first shift), at most three.
        shifts: the values of either shift, in rising order and evenly spaced.
        title: of the figure.
        marks: word to a pair (first shift, second shift), at most four.
    """
    figure, axes = canvas(3.1 * len(maps) + 0.9, 3.5, len(maps))
    half = (shifts[1] - shifts[0]) / 2
    low, high = shifts[0] - half, shifts[-1] + half
    shown: Any = None
    for panel, (name, accuracies) in zip(axes[0], maps.items(), strict=True):
        shown = panel.imshow(
            numbers(accuracies), cmap="cividis", vmin=50, vmax=100, origin="lower", extent=(low, high, low, high)
        )
        panel.plot([low, high], [low, high], "--", color="white", linewidth=1.2)
        for (word, place), marker in zip(marks.items(), "oX^s", strict=False):
            look = {"color": COLORS[1], "markersize": 9, "markeredgecolor": "white", "markeredgewidth": 1.3}
            panel.plot(*place, marker, linestyle="none", label=word, **look)
        panel.set(xlim=(low, high), ylim=(low, high), xlabel="δ at place 1", ylabel="δ at place 2")
        panel.set_title(name, fontsize=9)
    figure.colorbar(shown, ax=list(axes[0]), label="accuracy (%)", fraction=0.03)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8, frameon=False
    )
    figure.suptitle(heading(title), fontsize=10)
    places = listed([f"{word} ({first:g}, {second:g})" for word, (first, second) in marks.items()])
    about = f"{title}: accuracy over the shifts of both places, {listed(list(maps))}; marked: {places}"
    return Picture(figure, sentence(about))
