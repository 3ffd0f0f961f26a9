"""Copies the learner notebooks into a folder in which a learner works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from course.authoring.lesson_names import ROOT, handed_out, lessons_in, select
from course.authoring.notebook_file import write_text


@dataclass(frozen=True)
class New:
    """The notebooks of a folder: those written now, and those that lay there before and stay as they are."""

    written: list[Path]
    kept: list[Path]


def new_folder(folder: Path, names: tuple[str, ...] = (), root: Path = ROOT) -> New:
    """Copy learner notebooks into a folder; one that lies there already is never written over.

    Args:
        folder: is made if it is not there.
        names: lessons, by the start of their name; all when empty.
        root: a clone, or where the package is installed.

    Raises:
        ValueError: there is no such lesson.
        OSError: the folder cannot be made or written to.
    """
    paths = select(lessons_in(handed_out(root)), names)
    if not paths:
        raise ValueError("no notebook is there to copy: install vpcore again, or run this in a clone of the course")
    kept = [folder / path.name for path in paths if (folder / path.name).exists()]
    new = [path for path in paths if folder / path.name not in kept]
    for path in new:
        write_text(folder / path.name, path.read_text(encoding="utf-8"))
    return New([folder / path.name for path in new], kept)
