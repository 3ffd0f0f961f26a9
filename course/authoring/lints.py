"""Looks for what a learner would stumble over in a built notebook: long cells and broken heading order."""

from __future__ import annotations

import re
from typing import Any

from course.authoring.cells import where

MOST_LINES = 20
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def lint(place: str, notebook: Any) -> list[str]:
    """Returns a line for each finding: a code cell over 20 lines, a second title, a skipped heading level."""
    problems, level = [], 0
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            lines = len(cell.source.split("\n"))
            if lines > MOST_LINES:
                problems.append(f"{where(place, index, cell)} has {lines} lines; split it at {MOST_LINES}")
            continue
        for marks in re.findall(r"^(#{1,6}) ", FENCE.sub("", cell.source), re.M):
            if len(marks) == 1 and level:
                problems.append(f"{where(place, index, cell)} has a second '# Title'; use '##'")
            elif len(marks) > level + 1:
                problems.append(f"{where(place, index, cell)} skips from heading level {level} to {len(marks)}")
            level = len(marks)
    return problems
