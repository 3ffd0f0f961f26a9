"""From a lesson to the notebooks an nbgrader course needs: checks stay as they are, graded cells stand at the end.

A learner's check cell answers with a sentence and never stops the notebook. The graded cell repeats the question
with `check.grade`, which raises or returns points; as last cells they do not stop a learner's "run all".
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from course.authoring.cells import cell_name
from course.authoring.learner import learner_notebook
from course.authoring.lesson import solved_notebook
from course.grading.plan import answer_call

HEADING = (
    "## Graded cells\n\nLeave these cells alone. Each gives the points of an exercise, or says why there are none."
)
BEGIN, END = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
READ_ONLY = {"schema_version": 3, "grade": False, "locked": True, "solution": False, "task": False}


def nbgrader_source(path: Path) -> Any:
    """Return the solved notebook of a lesson with graded cells, for the folder source/.

    Raises:
        LessonError: the lesson breaks a rule, or a check cell cannot be graded.
    """
    import nbformat

    notebook = solved_notebook(path)
    answers = {cell_name(cell): cell for cell in notebook.cells if "exercise" in cell.metadata}
    graded = []
    for index, cell in enumerate(notebook.cells):
        if "check" not in cell.metadata:
            continue
        name, points = cell.metadata["check"], cell.metadata["nbgrader"]["points"]
        function, answer = answer_call(f"lesson {path.stem}", index, cell)
        cell.metadata["nbgrader"] = nbformat.from_dict({**READ_ONLY, "grade_id": f"{name}-check"})
        cell.source, hidden = _without_hidden(cell.source)
        if function == "written":
            answers[name].metadata["nbgrader"] |= {"grade": True, "points": points}
        else:
            graded.append(_graded_cell(path.stem, name, points, answer, hidden))
    if graded:
        heading = nbformat.v4.new_markdown_cell(HEADING, id=_id(path.stem, "graded-cells"))
        heading.metadata["nbgrader"] = nbformat.from_dict({**READ_ONLY, "grade_id": f"{path.stem}-graded-cells"})
        notebook.cells += [heading, *graded]
    return notebook


def nbgrader_release(source: Any) -> Any:
    """Return what learners get of a notebook made by `nbgrader_source`."""
    return learner_notebook(source)


def _graded_cell(lesson: str, name: str, points: float, answer: str, hidden: list[str]) -> Any:
    import nbformat

    lines = ["from course import check", "", *hidden, f'check.grade("{name}", {answer})']
    cell = nbformat.v4.new_code_cell("\n".join(lines), id=_id(lesson, f"{name}-grade"))
    metadata = {**READ_ONLY, "grade": True, "points": points, "grade_id": f"{name}-grade"}
    cell.metadata["nbgrader"] = nbformat.from_dict(metadata)
    return cell


def _without_hidden(source: str) -> tuple[str, list[str]]:
    kept: list[str] = []
    hidden: list[str] = []
    inside = False
    for line in source.split("\n"):
        inside = inside or line.strip() == BEGIN
        (hidden if inside else kept).append(line)
        inside = inside and line.strip() != END
    return "\n".join(kept).strip("\n"), hidden


def _id(lesson: str, name: str) -> str:
    return hashlib.sha256(f"{lesson}\n{name}".encode()).hexdigest()[:12]
