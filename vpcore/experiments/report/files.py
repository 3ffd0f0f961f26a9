"""A grid's table beside its results: CSV, LaTeX, and a picture of bars with spread."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vpcore.experiments.report.rows import BASELINE, Row
from vpcore.experiments.report.table import by_place, format_csv, format_latex, points
from vpcore.tensorfile import replace_file

COLORS = {True: "#c4c4c4", False: "#8fc1e3"}  # of the baseline, and of what is compared with it
INCHES_A_BAR, INCHES_A_PANEL, WIDTH, DPI = 0.26, 1.0, 7.6, 110


def write_report(rows: Sequence[Row], results: Path, folder: Path | None = None) -> list[Path]:
    """Write the table as NAME.csv, NAME.tex and NAME.png; returns their paths.

    Args:
        rows: at least one.
        results: the file the rows come from; gives NAME, and the folder.
        folder: another folder, made where it is missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    stem = (folder or results.parent) / results.name.removesuffix(".json").removesuffix(".jsonl")
    contents = {".csv": format_csv(rows).encode(), ".tex": format_latex(rows).encode(), ".png": draw(rows)}
    written = []
    stem.parent.mkdir(parents=True, exist_ok=True)
    for ending, content in contents.items():
        written.append(stem.with_name(stem.name + ending))
        replace_file(written[-1], content)
    return written


def draw(rows: Sequence[Row]) -> bytes:
    """Return a PNG with one panel for each data set and backbone: a bar a row, its sd, and a dot a seed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = list(by_place(rows).items())
    across = min(2, len(groups))
    lines = [max(len(group) for _, group in groups[first : first + across]) for first in range(0, len(groups), across)]
    heights = [INCHES_A_PANEL + INCHES_A_BAR * count for count in lines]
    figure = Figure(figsize=(WIDTH * across, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(lines), across, squeeze=False, height_ratios=heights)
    for number, axis in enumerate(axes.ravel()):
        if number < len(groups):
            place, group = groups[number]
            _panel(axis, ", ".join(place), group, lines[number // across])
        else:
            axis.set_axis_off()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    return picture.getvalue()


def _panel(axis: Any, title: str, rows: Sequence[Row], lines: int) -> None:
    places = list(range(len(rows)))
    spreads = [0.0 if math.isnan(row.sd) else 100 * row.sd for row in rows]
    axis.barh(
        places,
        [100 * row.mean for row in rows],
        xerr=spreads,
        capsize=2,
        height=0.75,
        color=[COLORS[row.prompt == BASELINE] for row in rows],
        error_kw={"lw": 1},
    )
    for place, row in zip(places, rows, strict=True):
        axis.plot([100 * value for value in row.values], [place + 0.22] * len(row.values), ".", color="black", ms=3)
        axis.text(1.01, place, points(row.difference), transform=axis.get_yaxis_transform(), va="center", fontsize=7)
    axis.set_yticks(places, [f"{row.prompt} {row.setting}".strip() for row in rows], fontsize=7)
    axis.set(xlim=(0, 100), xlabel="test accuracy, %: bar mean, whisker sd, a dot a seed", ylim=(lines - 0.5, -0.5))
    axis.set_title(f"{title}\n{_counts(rows)}; right: difference to none, points", fontsize=8)


def _counts(rows: Sequence[Row]) -> str:
    seeds = sorted({row.num_seeds for row in rows})
    many = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
    tests = " and ".join(dict.fromkeys(f"{row.num_test:,}" for row in rows))
    return f"{many} seed{'' if seeds[-1] == 1 else 's'}, {tests} test images"
