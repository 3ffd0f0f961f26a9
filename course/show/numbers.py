"""Figures made of differences and accuracies over seeds: dots, means and their spread."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from course.show.picture import COLORS, GREY, MARKERS, Picture, canvas, finished, numbers, plain
from course.show.start import accuracies


def paired_dots(
    differences: Any,
    interval: tuple[float, float],
    title: str,
    *,
    live: bool = False,
    label: str = "",
    made_by: str = "",
    what: str = "MSVP − baseline",
) -> Picture:
    """Show one dot a seed, their mean, and the interval of the mean, against zero.

    Args:
        differences: one per seed, in points.
        interval: low and high end, in points.
        what: which difference it is.
    """
    points = numbers(differences)
    figure, axes = canvas(6.2, 2.3)
    panel = axes[0, 0]
    panel.axvline(0, color=GREY, linewidth=1, linestyle="--")
    panel.plot(points, np.linspace(0.35, 0.95, len(points)), "o", color=COLORS[0], label="one seed")
    middle = points.mean()
    error = [[middle - interval[0]], [interval[1] - middle]]
    panel.errorbar([middle], [0], xerr=error, fmt="D", color=COLORS[1], capsize=6, label="mean and 95 % interval")
    panel.set(yticks=[], ylim=(-0.35, 1.15), xlabel=f"{what}, same seed (points of accuracy)")
    panel.spines["left"].set_visible(False)
    panel.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    plain(panel)
    text = f"{title}: {len(points)} paired differences as dots, their mean with its 95 % interval, and a line at zero"
    if not live:
        text += f"; mean {middle:+.2f}, interval {interval[0]:+.2f} to {interval[1]:+.2f} points"
    return finished(figure, title, text, label, made_by)


def lottery(
    groups: Mapping[str, Any],
    title: str,
    *,
    mark: float | None = None,
    mark_name: str = "",
    label: str = "",
    live: Collection[str] = (),
) -> Picture:
    """Show whole distributions of differences, one strip a group, each with mean and standard deviation.

    Args:
        groups: name to differences in points.
        mark: a value to compare with, in points.
        mark_name: what that value is.
        live: groups trained on this machine; the sentence leaves their values out.
    """
    figure, axes = canvas(7.0, 0.85 * len(groups) + 1.35)
    panel = axes[0, 0]
    panel.axvline(0, color=GREY, linewidth=1, linestyle="--")
    words = []
    for row, (name, values) in enumerate(groups.items()):
        points, color = numbers(values), COLORS[row % len(COLORS)]
        height = row + 0.28 * np.sin(2.4 * np.arange(len(points)))  # a fixed pattern instead of random jitter
        crowd = len(points) > 50
        style = {"color": color, "alpha": 0.45 if crowd else 0.9, "markersize": 4 if crowd else 6}
        panel.plot(points, height, MARKERS[row % len(MARKERS)], markeredgewidth=0, **style)
        panel.errorbar(
            [points.mean()], [row], xerr=[points.std(ddof=1)], fmt="k|", markersize=18, capsize=6, linewidth=1.6,
            label="mean ± standard deviation" if row == 0 else None,
        )  # fmt: skip
        spread = f", mean {points.mean():+.2f}, standard deviation {points.std(ddof=1):.2f}" if name not in live else ""
        words.append(f"{name}: {len(points)} differences{spread}")
    if mark is not None:
        panel.axvline(mark, color=COLORS[3], linewidth=1.5, label=mark_name)
    figure.legend(fontsize=8, loc="outside lower left", frameon=False)
    panel.set(yticks=range(len(groups)), yticklabels=list(groups), ylim=(-0.6, len(groups) - 0.4))
    panel.set_xlabel("difference of two test accuracies (points)")
    plain(panel)
    return finished(figure, title, f"{title}. {'; '.join(words)}", label)


def settings(rows: Mapping[str, Any], title: str, *, unit: str = "test accuracy (%)", label: str = "") -> Picture:
    """Show one line a setting: every seed as a dot, mean and standard deviation beside them.

    Args:
        rows: name of the setting to its values, one per seed.
        unit: of the values.
    """
    return accuracies(rows, title, unit=unit, label=label, over="seeds")


def intervals(rows: Mapping[str, tuple[float, float, float]], title: str, *, label: str = "") -> Picture:
    """Show means with intervals, one line a comparison, against zero.

    Args:
        rows: name to (mean, low, high), in points.
    """
    figure, axes = canvas(7.0, 0.42 * len(rows) + 1.2)
    panel = axes[0, 0]
    panel.axvline(0, color=GREY, linewidth=1, linestyle="--")
    for row, (mean, low, high) in enumerate(rows.values()):
        sure = low > 0 or high < 0
        style = {"fmt": "D", "color": COLORS[1]} if sure else {"fmt": "o", "color": COLORS[0], "mfc": "white"}
        panel.errorbar([mean], [row], xerr=[[mean - low], [high - mean]], capsize=4, **style)
    panel.set(yticks=range(len(rows)), yticklabels=list(rows), ylim=(len(rows) - 0.5, -0.5))
    panel.set_xlabel("difference to the baseline (points)\nfilled: zero is outside")
    plain(panel)
    words = [f"{name} {mean:+.2f} ({low:+.2f} to {high:+.2f})" for name, (mean, low, high) in rows.items()]
    return finished(figure, title, f"{title}. Mean and 95 % interval in points: {', '.join(words)}", label)
