"""Tells a learner what the grader would say about a file itself, before it is handed in: no code runs, no points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from course.authoring.lesson_names import ROOT, handed_out, is_lab, lessons_in
from course.authoring.notebook_file import read_notebook
from course.check.texts import join
from course.check.variants import plain_id
from course.grading.cells import Notebook
from course.grading.plan import answer_call
from course.grading.submission import BadSubmission, Submission, read_submission

WHOLE = "lesson {lesson}: {count} exercises, each with a cell that gives its answer"
PARTS = "lesson {lesson}: {count} exercises"
UNTOUCHED = "still as it was handed out: {ids}"
NOT_PYTHON = "cell {number} is no Python (line {line}: {words}); nothing in it counts"
MISSING = "{id}: no cell gives its answer; write it again, as the cell above its check"
MISSING_TEXT = "{id}: its cell is gone; take it from the notebook as it was handed out"
COPIES = "{id}: cells {numbers} give its answer; the last one above its check counts"
NO_CHECK = "{id}: its check is gone; the last cell that gives its answer counts"
GONE = "{file}: there is no such file; give the path of your notebook"
NAMED = "{file}: the grader does not read a file of this name; rename it to {stem}.ipynb"
LAB = "{file}: a notebook of a lab session; it can be graded, and check-file knows lessons only"
OTHER = "{file}: is of lesson {lesson!r}; there are: {known}"


@dataclass(frozen=True)
class Said:
    """What is to be said about a file: lines for its learner, and whether all of it can be graded."""

    lines: list[str]
    fine: bool


@dataclass(frozen=True)
class Asked:
    """One exercise as it was handed out: its id and its cell's id, the checked expression, and the cell's text."""

    id: str
    cell_id: str
    answer: str
    source: str


def check_file(path: Path, root: Path = ROOT) -> Said:
    """Compare a notebook with the one that was handed out.

    Args:
        path: the learner's file.
        root: the clone, whose notebooks/ are what was handed out, or where the package is installed.

    Raises:
        ValueError: there are no notebooks.
    """
    books = {found.stem: found for found in lessons_in(handed_out(root))}
    if not books:
        raise ValueError("notebooks/ holds no lesson to compare with; run this in a clone of the course")
    if not path.exists():
        return Said([GONE.format(file=path.name)], fine=False)
    if path.is_file() and path.suffix.lower() != ".ipynb":
        return Said([NAMED.format(file=path.name, stem=path.name.split(".")[0])], fine=False)
    try:
        submission = read_submission(path, path.parent)
    except BadSubmission as error:
        return Said([str(error).replace("ask for", "give")], fine=False)
    lesson = next((name for name in (submission.lesson, path.stem) if name in books), "")
    if not lesson and is_lab(submission.lesson, root):
        return Said([LAB.format(file=submission.file)], fine=True)
    if not lesson:
        other = OTHER.format(file=submission.file, lesson=submission.lesson[:60], known=", ".join(books))
        return Said([other], fine=False)
    return _compare(submission, lesson, asked_in(books[lesson]))


def _compare(submission: Submission, lesson: str, asked: list[Asked]) -> Said:
    notebook = Notebook([c["source"] if c["type"] == "code" else None for c in submission.cells], [])
    named = {plain_id(name): name for cell in submission.cells for name in cell["names"]}
    asked = [replace(one, id=named.get(one.id, one.id)) for one in asked]  # a class's version has ids of its own
    faults = [
        NOT_PYTHON.format(number=place + 1, line=error.lineno or 1, words=error.msg)
        for place, error in notebook.broken.items()
    ]
    notes, missing = [], []
    for one in asked:
        if one.answer:
            part = notebook.slice(one.id, one.answer)
            missing += [MISSING.format(id=one.id)] if part.own is None else []
            notes += [COPIES.format(id=one.id, numbers=join([str(n) for n in part.copies]))] if part.copies else []
            gone = part.own is not None and not _is_checked(submission, one)
            notes += [NO_CHECK.format(id=one.id)] if gone else []
        elif not cells_of(submission, one):
            missing.append(MISSING_TEXT.format(id=one.id))
    same = [one.id for one in asked if any(_text(c) == one.source.strip() for c in cells_of(submission, one)[-1:])]
    notes += [UNTOUCHED.format(ids=", ".join(same))] if same else []
    first = (PARTS if missing else WHOLE).format(lesson=lesson, count=len(asked))
    return Said([first, *faults, *missing, *notes], fine=not missing)


def cells_of(submission: Submission, one: Asked) -> list[dict[str, Any]]:
    """Return the cells of a submission that carry the name of an exercise."""
    return [cell for cell in submission.cells if cell["names"] & {one.id, one.cell_id}]


def _text(cell: dict[str, Any]) -> str:
    return cell["source"].replace("\r\n", "\n").strip()


def _is_checked(submission: Submission, one: Asked) -> bool:
    calls = [f"({quote}{one.id}{quote}," for quote in ('"', "'")]
    return any(call in cell["source"] for cell in submission.cells for call in calls if cell["type"] == "code")


@cache
def asked_in(path: Path) -> list[Asked]:
    """Return the exercises of a notebook as it was handed out, in order."""
    cells = read_notebook(path).cells
    answers = {
        cell.metadata["check"]: answer_call(f"notebooks/{path.name}", index, cell)
        for index, cell in enumerate(cells)
        if "check" in cell.metadata
    }
    found = [(cell.metadata["exercise"]["id"], cell) for cell in cells if "exercise" in cell.metadata]
    return [Asked(name, cell.id, _checked(*answers.get(name, ("written", ""))), cell.source) for name, cell in found]


def _checked(function: str, answer: str) -> str:
    return "" if function == "written" else answer
