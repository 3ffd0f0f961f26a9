"""Figures made of differences and accuracies over seeds: dots, means and their spread."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from course.show.picture import COLORS, GREY, MARKERS, Picture, canvas, heading, numbers, plain, sentence


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
        title: of the figure.
        live: the values come from training on this machine; the sentence then leaves them out.
        label: which run they come from.
        made_by: whose code made the interval.
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
    panel.set_title(heading(title, label, made_by), fontsize=10)
    text = f"{title}: {len(points)} paired differences as dots, their mean with its 95 % interval, and a line at zero"
    if not live:
        text += f"; mean {middle:+.2f}, interval {interval[0]:+.2f} to {interval[1]:+.2f} points"
    return Picture(figure, sentence(text, label, made_by))


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
        title: of the figure.
        mark: a value to compare with, in points.
        mark_name: what that value is.
        label: which runs they come from.
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
    panel.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0.0, -0.22), frameon=False)
    panel.set(yticks=range(len(groups)), yticklabels=list(groups), ylim=(-0.6, len(groups) - 0.4))
    panel.set_xlabel("difference of two test accuracies (points)")
    plain(panel)
    panel.set_title(heading(title, label), fontsize=10)
    return Picture(figure, sentence(f"{title}. {'; '.join(words)}", label))


def settings(rows: Mapping[str, Any], title: str, *, unit: str = "test accuracy (%)", label: str = "") -> Picture:
    """Show one line a setting: every seed as a dot, mean and standard deviation beside them.

    Args:
        rows: name of the setting to its values, one per seed.
        title: of the figure.
        unit: of the values.
        label: which runs they come from.
    """
    figure, axes = canvas(7.0, 0.36 * len(rows) + 1.2)
    panel = axes[0, 0]
    words = []
    for row, (name, values) in enumerate(rows.items()):
        points = numbers(values)
        panel.plot(
            points, np.full(len(points), row - 0.14), "o", color=COLORS[0], alpha=0.5, markersize=4, markeredgewidth=0
        )
        panel.errorbar(
            [points.mean()], [row + 0.14], xerr=[points.std(ddof=1)], fmt="ks", capsize=4, markersize=4,
            label="mean ± standard deviation" if row == 0 else None,
        )  # fmt: skip
        words.append(f"{name} {points.mean():.1f} ± {points.std(ddof=1):.1f}")
    panel.set(yticks=range(len(rows)), yticklabels=list(rows), ylim=(len(rows) - 0.5, -0.5), xlabel=unit)
    panel.grid(axis="x", color="#dddddd")
    panel.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0.0, -0.16), frameon=False)
    panel.set_axisbelow(True)
    plain(panel)
    panel.set_title(heading(title, label), fontsize=10)
    text = f"{title}. {unit}, mean ± standard deviation over seeds: {', '.join(words)}"
    return Picture(figure, sentence(text, label))


def intervals(rows: Mapping[str, tuple[float, float, float]], title: str, *, label: str = "") -> Picture:
    """Show means with intervals, one line a comparison, against zero.

    Args:
        rows: name to (mean, low, high), in points.
        title: of the figure.
        label: which runs they come from.
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
    panel.set_title(heading(title, label), fontsize=10)
    words = [f"{name} {mean:+.2f} ({low:+.2f} to {high:+.2f})" for name, (mean, low, high) in rows.items()]
    return Picture(figure, sentence(f"{title}. Mean and 95 % interval in points: {', '.join(words)}", label))
