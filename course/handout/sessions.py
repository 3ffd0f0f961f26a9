"""Cuts lessons into lab sessions: one self-standing notebook for each session, from a table of exercises.

A session holds, for each of its exercises, the named cells it needs, the first words of its section, and its own cells
from the question to the check.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.authoring.cells import cell_name
from course.authoring.learner import learner_notebook
from course.authoring.lesson import solved_notebook
from course.authoring.notebook_file import notebook_text, write_text
from course.grading.plan import all_needs


@dataclass(frozen=True)
class Session:
    """One lab session: its file name, title, minutes, and exercise ids in order."""

    name: str
    title: str
    minutes: int
    exercises: tuple[str, ...]


LAB_2X90 = (
    Session("lab_1", "Lab 1: freeze, frame, three scales", 90, ("00-freeze", "01-pad", "02-average", "02-interval")),
    Session("lab_2", "Lab 2: a prompt for each image, a prompt for each layer", 90,
            ("03-patch", "05-module", "05-first-layer", "05-choose", "09-report")),
)  # fmt: skip
PATHS: dict[str, tuple[Session, ...]] = {"lab2x90": LAB_2X90}


def export_sessions(sessions: tuple[Session, ...], lessons: dict[str, Path], folder: Path) -> list[Path]:
    """Write the learner notebook of each session; returns the files.

    Args:
        sessions: a value of PATHS.
        lessons: number of a lesson, such as "02", to its source.
        folder: receives the notebooks.

    Raises:
        ValueError: a lesson or exercise of the table does not exist yet; nothing is written.
        OSError: a notebook cannot be written.
    """
    wanted = [name for session in sessions for name in session.exercises]
    lacking = sorted({name[:2] for name in wanted} - set(lessons))
    if lacking:
        there = ", ".join(sorted(lessons)) or "none"
        raise ValueError(
            f"the sessions need lessons {', '.join(lacking)}, which do not exist yet (there are: {there}); "
            "write them, or take them out of the table in course/handout/sessions.py"
        )
    books = {number: solved_notebook(lessons[number]) for number in sorted({name[:2] for name in wanted})}
    known = {cell_name(cell) for book in books.values() for cell in book.cells}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"no lesson has the exercise {unknown[0]!r}: correct the table in course/handout/sessions.py")
    texts = [(folder / f"{session.name}.ipynb", session_notebook(session, books)) for session in sessions]
    for path, notebook in texts:
        write_text(path, notebook_text(notebook))
    return [path for path, _ in texts]


def session_notebook(session: Session, books: dict[str, Any]) -> Any:
    """Return the learner notebook of a session, without outputs.

    Args:
        session: its exercises.
        books: number of a lesson to its solved notebook.
    """
    import nbformat

    cells = [nbformat.v4.new_markdown_cell(_title(session), id=session.name.replace("_", "-"))]
    taken: set[str] = set()
    for name in session.exercises:
        for cell in _parts(name, books[name[:2]]):
            if cell.id not in taken:
                taken.add(cell.id)
                cells.append(copy.deepcopy(cell))
    notebook = copy.deepcopy(next(iter(books.values())))
    notebook.cells = cells
    notebook.metadata["course"] = {"lesson": session.name, "kind": "session"}
    notebook = learner_notebook(notebook)
    notebook.metadata["course"]["kind"] = "session"
    return notebook


def _title(session: Session) -> str:
    names = "\n".join(f"- {name}" for name in session.exercises)
    return f"# {session.title}\n\n**Your time**: {session.minutes} minutes. The exercises:\n\n{names}"


def _parts(name: str, book: Any) -> list[Any]:
    cells = book.cells
    place = next(index for index, cell in enumerate(cells) if cell_name(cell) == name)
    needs = all_needs(cells)[name]
    needed = [cell for cell in cells[:place] if cell_name(cell) in needs]
    text = [index for index in range(place) if cells[index].cell_type == "markdown"]
    start = text[-1] if text else place
    section = next((index for index in reversed(text) if cells[index].source.startswith("## ")), start)
    stop = next((index for index in range(place, len(cells)) if cell_name(cells[index]) == f"{name}-check"), place)
    return [*needed, *cells[section : section + (section < start)], *cells[start : stop + 1]]
