"""A figure of many comparisons at once: methods in rows, data sets in columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from course.show.picture import Picture, canvas, finished
from vpcore.statistics import Interval

LIMIT = 30.0  # points; larger differences get the color of this one, and their number says how large they are


def board(tables: Mapping[str, Mapping[str, Mapping[str, Interval]]], title: str, *, label: str = "") -> Picture:
    """Show differences to a baseline as colored numbers; those whose interval holds zero are in brackets.

    Args:
        tables: name of a panel to {row: {column: paired interval in points}}; what is missing is drawn as a dash.
    """
    columns = list(dict.fromkeys(column for rows in tables.values() for row in rows.values() for column in row))
    longest = max(len(rows) for rows in tables.values())
    figure, axes = canvas(0.5 * len(columns) * len(tables) + 3.4, 0.27 * longest + 1.9, len(tables))
    shown: Any = None
    words = []
    for panel, (name, rows) in zip(axes[0], tables.items(), strict=True):
        cells = [[rows[row].get(column) for column in columns] for row in rows]
        means = np.array([[np.nan if cell is None else cell.mean for cell in line] for line in cells])
        shown = panel.imshow(np.clip(means, -LIMIT, LIMIT), cmap="PuOr_r", vmin=-LIMIT, vmax=LIMIT, aspect="auto")
        for (row, column), mean in np.ndenumerate(means):
            ink = "white" if abs(mean) > 0.7 * LIMIT else "black"
            panel.text(column, row, _said(cells[row][column]), ha="center", va="center", fontsize=7, color=ink)
        panel.set(xticks=range(len(columns)), yticks=range(len(rows)))
        panel.set_xticklabels(columns, rotation=60, ha="right", rotation_mode="anchor", fontsize=7.5)
        panel.set_yticklabels(list(rows), fontsize=7.5)
        panel.set_title(name, fontsize=9)
        words.append(f"{name}: {_counts(rows)}")
    figure.colorbar(shown, ax=list(axes[0]), label="difference, points", fraction=0.03, extend="both")
    return finished(figure, title, f"{title}, one row a method and one column a data set. {'. '.join(words)}", label)


def _said(cell: Interval | None) -> str:
    if cell is None:
        return "–"
    whole = f"{cell.mean:+.0f}".replace("-", "−")
    mean = "0" if whole[1:] == "0" else whole
    return f"({mean})" if cell.verdict() == "cannot tell" else mean


def _counts(rows: Mapping[str, Mapping[str, Interval]]) -> str:
    found = [interval.verdict() for row in rows.values() for interval in row.values()]
    above, below, unsure = (found.count(word) for word in ("above", "below", "cannot tell"))
    return f"{above} of {len(found)} above the baseline, {below} below, {unsure} cannot be told"
