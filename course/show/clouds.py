"""Figures of points: accuracy against the number of learned values, and clouds of images from t-SNE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course.show.picture import COLORS, MARKERS, Picture, canvas, finished, listed, numbers, plain


def tradeoff(
    points: Mapping[str, tuple[float, Any]], title: str, *, across: str, up: str = "test accuracy (%)", label: str = ""
) -> Picture:
    """Show accuracy against cost, one numbered point a method with mean and standard deviation over seeds.

    Args:
        points: name to (cost, one value a seed).
        across: what the cost is; its axis is logarithmic, with a place for zero.
        up: what the values are.
    """
    figure, axes = canvas(7.6, 3.6)
    panel, words, bars = axes[0, 0], [], []
    for number, (name, (cost, seeds)) in enumerate(points.items()):
        values, color = numbers(seeds), COLORS[number % len(COLORS)]
        marker = MARKERS[(number + number // len(COLORS)) % len(MARKERS)]  # another pair of color and marker each
        mean, sd = values.mean(), values.std(ddof=1)
        named = f"{number + 1}  {name} ({cost:,.0f})"
        panel.errorbar([cost], [mean], yerr=[sd], fmt=marker, color=color, capsize=3, markersize=5, label=named)
        bars.append((cost, mean - sd, mean, mean + sd))
        words.append(f"{name} {cost:,.0f} and {mean:.1f} ± {sd:.1f}")
    panel.margins(y=0.12)  # so that the numbers stay inside
    _log_axis(panel, [cost for cost, _ in points.values()])
    panel.set(xlabel=across, ylabel=f"{up}, mean ± sd")
    panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    plain(panel)
    _number(panel, bars)
    return finished(figure, title, f"{title}: {across} and {up}, mean ± sd: {listed(words)}", label)


def _number(panel: Any, bars: Sequence[tuple[float, float, float, float]]) -> None:
    """Write each point's number above its error bar; where something else is, below it or beside the point."""
    panel.autoscale_view()
    unit = panel.figure.dpi / 72
    taken = [panel.transData.transform((x, y)) for x, low, _, high in bars for y in np.linspace(low, high, 5)]
    for number, (x, low, middle, high) in enumerate(bars):
        choices = [(high, 0, 9), (low, 0, -9), (middle, 9, 0), (middle, -9, 0), (high, 9, 9), (low, 9, -9)]
        places = [panel.transData.transform((x, y)) + np.array(moved) * unit for y, *moved in choices]
        room = [min(np.linalg.norm(place - other) for other in taken) / unit for place in places]
        best = next((choice for choice, free in enumerate(room) if free > 8), int(np.argmax(room)))
        y, *moved = choices[best]
        centered = {"xytext": moved, "textcoords": "offset points", "ha": "center", "va": "center"}
        panel.annotate(f"{number + 1}", (x, y), fontsize=9, **centered)
        taken.append(places[best])


def _log_axis(panel: Any, costs: Sequence[float]) -> None:
    """Make the x axis logarithmic, with a place for zero where there is one."""
    if min(costs) > 0:
        panel.set_xscale("log")
        return
    first, last = (np.log10(choose(filter(None, costs), default=1)) for choose in (min, max))
    decades = 10.0 ** np.arange(np.floor(first), np.ceil(last) + 1)
    panel.set_xscale("symlog", linthresh=decades[0], linscale=0.5)
    panel.set_xticks([0, *decades])
    panel.minorticks_off()


def clouds(
    panels: Mapping[str, tuple[Any, Sequence[str]]], title: str, *, about: str, label: str = "", made_by: str = ""
) -> Picture:
    """Show clouds of points side by side, every point as the name of its group; the sentence has no values.

    Args:
        panels: name to points (N, 2) and N short group names.
        about: what a point is, and what its name says.
    """
    figure, axes = canvas(4.0 * len(panels), 4.2, len(panels))
    for panel, (name, (points, groups)) in zip(axes[0], panels.items(), strict=True):
        places, order = numbers(points), sorted(set(groups))
        for (x, y), group in zip(places, groups, strict=True):
            panel.text(
                x, y, group, color=COLORS[order.index(group) % len(COLORS)], fontsize=7.5, ha="center", va="center"
            )
        low, high = np.percentile(places, 0, axis=0), np.percentile(places, 100, axis=0)
        room = 0.04 * (high - low)
        panel.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))
        panel.set(xticks=[], yticks=[])
        panel.set_title(name, fontsize=9)
    return finished(figure, title, f"{title}: {about}; one panel each for {listed(list(panels))}", label, made_by)
