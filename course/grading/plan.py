"""What grading needs to know of a lesson: its exercises, the cells each one needs, and the right answers."""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.authoring.cells import LessonError, cell_name, where
from course.check.exercise import Exercise
from course.grading.cells import CALLS, Notebook

GRADER = ("check", "grading", "show")
TITLE = re.compile(r"^#+ Exercise: *(.+)$", re.MULTILINE)
RUBRIC = re.compile(r"^### BEGIN MARK SCHEME\n(.*?)^### END MARK SCHEME", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Task:
    """One exercise of a lesson.

    Attributes:
        id: such as "02-average".
        points: full points.
        cell_id: id of the answer's cell in every notebook built from the lesson.
        answer: the expression that is checked, such as "average_maps"; empty for a written answer.
        exercise: its check; None for a written answer.
        prepared: right answers, computed once.
        automatic: whether the sandbox can check it; an instructor grades the others.
        title: what its heading calls it; the id if it has none.
        rubric: for whom grades it by hand; empty if the lesson has none.
        given: ids and texts of the cells that the lesson hands out.
    """

    id: str
    points: float
    cell_id: str
    answer: str
    exercise: Exercise | None
    prepared: Any
    automatic: bool
    title: str = ""
    rubric: str = ""
    given: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """A lesson as a grader sees it.

    Attributes:
        lesson: such as "02_multiscale_prompts".
        tasks: its exercises in order.
        cells: source of each cell that the lesson itself brings, those with a name last, for a notebook that lost one.
        preload: modules that the right answers import.
        digest: changes with the lesson's source, its checks, the code that grades, the library and its versions.
        title: the lesson's first heading.
    """

    lesson: str
    tasks: tuple[Task, ...]
    cells: dict[str, str]
    preload: tuple[str, ...]
    digest: str
    title: str = ""


def answer_call(place: str, index: int, cell: Any) -> tuple[str, str]:
    """Return the function (answer, quiz, written, grade) and the checked expression of a check cell.

    Raises:
        LessonError: the cell does not call check with two arguments.
    """
    for node in ast.walk(ast.parse(cell.source)):
        if isinstance(node, ast.Call) and len(node.args) == 2 and (name := _function(node.func)):
            first = node.args[0]
            if isinstance(first, ast.Constant) and first.value == cell.metadata["check"]:
                return name, ast.unparse(node.args[1])
    wanted = f'check("{cell.metadata["check"]}", answer)'
    raise LessonError(f"{where(place, index, cell)}: the cell cannot be graded; it must call {wanted}")


def make_plan(path: Path) -> Plan:
    """Read a lesson source and compute the right answers of its exercises.

    Raises:
        LessonError: the lesson breaks a rule, or a check cell cannot be graded.
        ValueError: the course has no check of an exercise's id.
    """
    from course.authoring.learner import add_model_answers
    from course.authoring.lesson import solved_notebook

    notebook = solved_notebook(path)
    checks = {
        cell.metadata["check"]: answer_call(f"lesson {path.stem}", index, cell)
        for index, cell in enumerate(notebook.cells)
        if "check" in cell.metadata
    }
    answers = [cell for cell in notebook.cells if "exercise" in cell.metadata]
    titles = _titles(notebook.cells)
    whole = add_model_answers(copy.deepcopy(notebook), notebook).cells
    given = frozenset(text for cell in whole for text in (cell.id, cell.source.strip()))
    tasks = tuple(_task(cell, titles, given, *checks.get(cell_name(cell), ("written", ""))) for cell in answers)
    named = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.metadata.get("name")]
    plain = [cell for cell in notebook.cells if cell.cell_type == "code" and not cell_name(cell)]
    cells = {cell.id: cell.source for cell in plain} | {cell_name(cell): cell.source for cell in named}
    solved = Notebook([cell.source if cell.cell_type == "code" else None for cell in notebook.cells], [])
    needed = [s.node for task in tasks if task.automatic for s in solved.slice(task.id, task.answer).statements]
    folder = Path(__file__).parents[1] / "exercises" / f"lesson_{path.stem[:2]}"
    files = [path, *sorted(folder.glob("*.py"))]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files) + what_grades().encode()).hexdigest()
    preload = [name for node in needed for name in _imports(node)]
    if any("optim" in ast.unparse(node) for node in needed):
        preload.append("torch._dynamo")  # the first optimizer imports it, which takes seconds
    headings = [cell.source.split("\n")[0] for cell in notebook.cells if cell.source.startswith("# ")]
    title = headings[0].removeprefix("# ").strip() if headings else path.stem
    return Plan(path.stem, tasks, cells, tuple(dict.fromkeys(preload)), digest, title)


def all_needs(cells: list[Any]) -> dict[str, tuple[str, ...]]:
    """Return for each exercise the names of the cells it needs, and what those need, in the lesson's order."""
    needs: dict[str, tuple[str, ...]] = {}
    for cell in cells:
        direct = cell.metadata.get("exercise", {}).get("needs", ())
        needs[cell_name(cell)] = tuple(name for need in direct for name in (*needs.get(need, ()), need))
    return {name: tuple(dict.fromkeys(found)) for name, found in needs.items()}


@functools.cache
def what_grades() -> str:
    """Return a hash of the code and the versions that decide about an answer besides its lesson."""
    import numpy as np
    import torch

    import vpcore

    course, library = Path(__file__).parents[1], Path(vpcore.__file__).parent
    folders = [*(course / name for name in GRADER), library]
    found = hashlib.sha256(f"{sys.version_info[:3]} {torch.__version__} {np.__version__}".encode())
    for file in sorted(file for folder in folders for file in folder.rglob("*.py")):
        found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()


def _titles(cells: list[Any]) -> dict[str, str]:
    """Return for each exercise the words of the last heading "Exercise: ..." above it that no other one has taken."""
    titles: dict[str, str] = {}
    heading = ""
    for cell in cells:
        found = TITLE.findall(cell.source) if cell.cell_type == "markdown" else []
        heading = found[-1].strip() if found else heading
        if "exercise" in cell.metadata:
            titles[cell_name(cell)], heading = heading or cell_name(cell), ""
    return titles


def _task(cell: Any, titles: dict[str, str], given: frozenset[str], function: str, answer: str) -> Task:
    from course.check.guards import guarded
    from course.check.registry import find
    from course.grading.judge import KINDS
    from course.grading.objects import Objects
    from course.grading.wire import Unsendable, encode

    metadata = cell.metadata["exercise"]
    exercise = prepared = None
    automatic = False
    if function != "written":
        exercise = find(metadata["id"])
        if isinstance(exercise, KINDS):
            prepared = guarded(exercise.prepare, 60.0, [])
            inputs = (
                [case.inputs for case in prepared or () if hasattr(case, "inputs")] if type(prepared) is list else []
            )
            with contextlib.suppress(Unsendable):
                encode(inputs, strict=True, pack=Objects(None, trusting=False).pack)
                automatic = True
    rubric = "\n".join(RUBRIC.findall(cell.source)).strip()
    title = titles[metadata["id"]]
    return Task(
        metadata["id"], metadata["points"], cell.id, answer, exercise, prepared, automatic, title, rubric, given
    )


def _function(node: ast.expr) -> str:
    if isinstance(node, ast.Name) and node.id == "check":
        return "answer"
    inside = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "check"
    return node.attr if inside and isinstance(node, ast.Attribute) and node.attr in CALLS else ""


def _imports(statement: ast.stmt) -> list[str]:
    found: list[str] = []
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found
