"""Executes committed lessons in a kernel of this interpreter, as a learner's machine would, and reports on each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.authoring.execute import LessonFailed, execute
from course.authoring.notebook_file import read_notebook
from course.authoring.notebook_rules import verdict_problems


@dataclass(frozen=True)
class Result:
    """What one run of a lesson gave; ``problem`` is empty when it went well."""

    lesson: str
    seconds: float
    passed: int
    checks: int
    problem: str


def code_cells(notebook: Any) -> int:
    """Returns the number of code cells."""
    return sum(cell.cell_type == "code" for cell in notebook.cells)


def run_lesson(path: Path, *, solved: bool, on_cell: Callable[[], object] = lambda: None) -> Result:
    """Executes a copy of a notebook in a temporary folder; the file itself is only read.

    Args:
        path: the notebook.
        solved: every check must then say passed.
        on_cell: called after each cell.

    Raises:
        LessonError: the file is no notebook.
    """
    notebook, problem = read_notebook(path), ""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="vpcourse-run-", ignore_cleanup_errors=True) as folder:
        try:
            execute(f"lesson {path.stem}", notebook, Path(folder), on_cell=on_cell)
        except LessonFailed as error:
            problem = str(error)
    seconds = time.perf_counter() - start
    checks = sum("check" in cell.metadata for cell in notebook.cells)
    lost = verdict_problems(f"lesson {path.stem}", notebook, "✓")
    if solved and lost and not problem:
        problem = lost[0]
    return Result(path.stem, seconds, checks - len(lost), checks, problem)


def table(results: list[Result]) -> str:
    """Returns the results as a table: lesson, seconds, checks passed of all, result."""
    width = max([len("lesson"), *(len(result.lesson) for result in results)])
    lines = [f"{'lesson':<{width}}  {'seconds':>7}  {'checks':>6}  result"]
    for result in results:
        checks, word = f"{result.passed}/{result.checks}", "FAILED" if result.problem else "ok"
        lines.append(f"{result.lesson:<{width}}  {result.seconds:>7.1f}  {checks:>6}  {word}")
    return "\n".join(lines)
