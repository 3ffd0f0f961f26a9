"""Writes lab sessions: whole notebooks with a story of their own, which take exercises from the lessons.

A session is a lesson source in `course/lessons/labs/` with cells `# %% take="01-pad"`. Each stands for an exercise: the
words under its heading, the cell of the answer, and its check. Exercises are numbered anew, and need the setup alone.
"""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from course.authoring.cells import HEADING, LessonError, cell_name
from course.authoring.learner import learner_notebook, plain_values
from course.authoring.lesson import AUTHOR_EXTRA, read_lesson, solved_notebook
from course.authoring.lesson_names import ROOT
from course.authoring.notebook_file import notebook_text, write_text

LABS = ROOT / "course" / "lessons" / "labs"
PATHS: dict[str, Path] = {"lab2x90": LABS}
SPAN = re.compile(r"^## .* \((\d):(\d\d) – (\d):(\d\d)\)$", re.MULTILINE)
README = """# Lab sessions

`release/` holds what learners get, a notebook for each session. `source/` holds them solved: keep it to yourself.
A session needs nothing of the lessons. Its plan stands at its top, minute by minute. Grade with

    python -m course grade SUBMISSIONS --out grades.csv --root {source}

Written answers wait for you, as in every lesson; their rubrics stand in `source/`.
"""


def export_sessions(labs: Path, lessons: Mapping[str, Path], folder: Path) -> list[Path]:
    """Write the notebooks of all sessions in a folder of labs; returns the files.

    Args:
        labs: a value of PATHS.
        lessons: number of a lesson, such as "02", to its source.
        folder: receives release/, source/ and a README.

    Raises:
        LessonError: a session breaks a rule, or takes an exercise that no lesson has; nothing is written for it.
        OSError: a notebook cannot be written.
    """
    texts = {path: session_source(path, lessons) for path in sorted(labs.glob("[0-9]*.py"))}
    sources = folder / "source" / "course" / "lessons"
    written: list[Path] = []
    for path, text in texts.items():
        write_text(sources / path.name, text)
        release = plain_values(learner_notebook(solved_notebook(sources / path.name)))
        written.append(folder / "release" / f"{path.stem}.ipynb")
        write_text(written[-1], notebook_text(release))
    write_text(folder / "README.md", README.format(source=shlex.quote(str(folder / "source"))))
    return [*written, folder / "README.md", *(sources / path.name for path in texts)]


def session_source(path: Path, lessons: Mapping[str, Path]) -> str:
    """Return the source of a session as one lesson, with the exercises it takes in their places.

    Raises:
        LessonError: the session takes an exercise that no lesson has.
        ImportError: the author tools are not installed.
    """
    try:
        import jupytext
    except ImportError as error:
        raise ImportError(AUTHOR_EXTRA) from error
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    books: dict[str, Any] = {}
    cells: list[Any] = []
    for cell in notebook.cells:
        name = cell.metadata.get("take", "")
        if name and name[:2] in lessons:
            books.setdefault(name[:2], read_lesson(lessons[name[:2]]))
        cells += _taken(path.stem, name, books.get(name[:2])) if name else [cell]
    _number(cells)
    notebook.cells = cells
    notebook.metadata["jupytext"] = {"cell_metadata_filter": "all", "notebook_metadata_filter": "-all"}
    return jupytext.writes(notebook, fmt="py:percent")


def spans(text: str) -> list[tuple[int, int]]:
    """Return the first and last minute of each section of a session, as its headings say."""
    return [(60 * int(a) + int(b), 60 * int(c) + int(d)) for a, b, c, d in SPAN.findall(text)]


def _taken(session: str, name: str, book: Any) -> list[Any]:
    """Return copies of the cells of an exercise: words, answer, and check where there is one."""
    names = [cell_name(cell) for cell in book.cells] if book else []
    if name not in names:
        raise LessonError(
            f"session {session} takes the exercise {name!r}, which no lesson has: correct course/lessons/labs"
        )
    place = names.index(name)
    above = next(cell for cell in reversed(book.cells[:place]) if cell.cell_type == "markdown")
    words, answer = copy.deepcopy(above), copy.deepcopy(book.cells[place])
    lines = words.source.split("\n")
    last = max(number for number, line in enumerate(lines) if HEADING.match(line))
    words.source = "\n".join(lines[last:])
    words.metadata.clear()
    if answer.metadata["exercise"].get("needs"):
        answer.metadata["exercise"]["needs"] = ["setup"]
    check = [copy.deepcopy(cell) for cell in book.cells if cell_name(cell) == f"{name}-check"]
    return [words, answer, *check]


def _number(cells: list[Any]) -> None:
    """Give the exercises of a session numbers from 1, and a level below its sections."""
    number = 0
    for cell, after in pairwise(cells):
        if "exercise" in after.metadata:
            number += 1
            cell.source = re.sub(r"\A#+ Exercise:", f"### Exercise {number}:", cell.source)
