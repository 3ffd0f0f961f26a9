"""The rows of a grid as text, CSV and LaTeX: one table for each data set and backbone."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vpcore.statistics import Interval, holm

if TYPE_CHECKING:
    from vpcore.experiments.report.rows import Row

NOTES = """\
accuracy: mean ± sample standard deviation over seeds, on the test images.
difference: method - none, mean over the seeds that both have, with a 95 % interval that holds both lotteries, seeds and
  test images (vpcore.statistics.two_way_interval). A method differs where it misses zero; else one cannot tell. Each
  interval stands for itself; what holds when all of them are looked at together is Holm's count.
detectable: for planning, the true difference that as many seeds and test images would find in 4 of 5 repetitions
  (noncentral t; vpcore.statistics.smallest_detectable_difference).
rate at an edge: the best of the rates tried was the smallest or the largest; a better one may lie beyond."""
COLUMNS: dict[str, Callable[[Row], str]] = {
    "method": lambda row: row.prompt,
    "setting": lambda row: row.setting,
    "learned": lambda row: "" if row.learned is None else f"{row.learned:,}",
    "seeds": lambda row: str(row.num_seeds),
    "accuracy %": lambda row: _percent(row.mean) + (f" ± {_percent(row.sd)}" if row.num_seeds > 1 else ""),
    "difference, points": lambda row: points(row.difference),
    "n test": lambda row: f"{row.num_test:,}",
    "detectable, points": lambda row: "" if math.isnan(row.detectable) else _percent(row.detectable),
}
OPTIONAL = ("setting", "learned")  # left out of a table in which no row has them
NUMBERS: dict[str, Callable[[Row], object]] = {
    "data": lambda row: row.data,
    "backbone": lambda row: row.backbone,
    "method": lambda row: row.prompt,
    "setting": lambda row: row.setting,
    "learned": lambda row: row.learned,
    "num_seeds": lambda row: row.num_seeds,
    "accuracy_percent": lambda row: 100 * row.mean,
    "sd_points": lambda row: 100 * row.sd,
    "num_test": lambda row: row.num_test,
    "num_pairs": lambda row: row.num_pairs,
    "difference_points": lambda row: row.difference and 100 * row.difference.mean,
    "low_points": lambda row: row.difference and 100 * row.difference.low,
    "high_points": lambda row: row.difference and 100 * row.difference.high,
    "p_value": lambda row: row.p_value,
    "detectable_points": lambda row: 100 * row.detectable,
}
ESCAPED = {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"},
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def by_place(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of each (data set, backbone), in the order in which they first come."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.data, row.backbone), []).append(row)
    return groups


def format_table(rows: Sequence[Row]) -> str:
    """Write one table for each data set and backbone, and below them what the columns mean."""
    if not rows:
        return "no results"
    tables = [f"{data}, {backbone}\n{_lines(group)}" for (data, backbone), group in by_place(rows).items()]
    return "\n\n".join([*tables, *standing(rows), NOTES])


def standing(rows: Sequence[Row]) -> list[str]:
    """Say how many of two or more differences stand singly and together; nothing of fewer."""
    p_values = [row.p_value for row in rows if row.difference is not None]
    if len(p_values) < 2:
        return []
    singly = sum(p_value < 0.05 for p_value in p_values)
    together = sum(holm(p_values))
    return [
        f"Of {len(p_values)} differences {singly} stand singly, {together} after Holm's correction for all of them."
    ]


def _shown(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return the columns of a table, by name."""
    shown = {name: [make(row) for row in rows] for name, make in COLUMNS.items()}
    return {name: cells for name, cells in shown.items() if any(cells) or name not in OPTIONAL}


def _lines(rows: Sequence[Row]) -> str:
    shown = _shown(rows)
    widths = [max(len(name), *map(len, cells)) for name, cells in shown.items()]
    lines = [list(shown), ["-" * width for width in widths], *zip(*shown.values(), strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def format_csv(rows: Sequence[Row]) -> str:
    """Write one line a row with unrounded numbers; what does not exist, as an interval of one seed, stays empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(NUMBERS)
    for row in rows:
        writer.writerow("" if _nothing(value) else value for value in (make(row) for make in NUMBERS.values()))
    return file.getvalue()


def _nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def format_latex(rows: Sequence[Row]) -> str:
    r"""Write one LaTeX table for each data set and backbone; they need `\usepackage{booktabs}` and nothing else."""
    head = "% needs \\usepackage{booktabs}\n" + "".join(f"% {line}\n" for line in NOTES.splitlines())
    head += "".join(f"% {line}\n" for line in standing(rows))
    tables = [_latex(data, backbone, group) for (data, backbone), group in by_place(rows).items()]
    return "\n".join([head, *tables])


def _latex(data: str, backbone: str, rows: Sequence[Row]) -> str:
    shown = _shown(rows)
    tests = " and ".join(dict.fromkeys(f"{row.num_test:,}" for row in rows))
    what = f"mean ± standard deviation over seeds, {tests} test images; differences to none with 95 % intervals"
    cells = {name: [_escape(text) for text in texts] for name, texts in shown.items()}
    signed = "difference, points"
    cells[signed] = [re.sub(r"[+-][\d.]+", r"$\g<0>$", text) for text in cells[signed]]
    body = [" & ".join(line) + r" \\" for line in zip(*cells.values(), strict=True)]
    texts = sum(name in ("method", "setting") for name in shown)
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_escape(f'{data}, {backbone}: {what}.')}}}",
            rf"\begin{{tabular}}{{{'l' * texts}{'r' * (len(shown) - texts)}}}",
            r"\toprule",
            " & ".join(map(_escape, shown)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _escape(text: str) -> str:
    return "".join(ESCAPED.get(sign, sign) for sign in text)


def points(interval: Interval | None) -> str:
    """Write an interval of accuracies in percentage points."""
    if interval is None:
        return ""
    return f"{100 * interval.mean:+.2f} [{100 * interval.low:+.2f}, {100 * interval.high:+.2f}]"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
