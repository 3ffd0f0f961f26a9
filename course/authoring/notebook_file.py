"""Reads notebooks, and writes them so that an interruption leaves the old file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from course.authoring.cells import LessonError
from course.authoring.lesson_names import is_clone


def read_notebook(path: Path) -> Any:
    """Reads a notebook.

    Raises:
        LessonError: the file is missing or is not a notebook.
    """
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, AttributeError, TypeError, UnboundLocalError, nbformat.ValidationError) as error:
        reason = "is not a readable notebook" if path.is_file() else "is missing"
        place = f"{path.parent.name}/{path.name}"
        cure = f"run: python -m course build {path.stem}" if is_clone(path.parents[1]) else "take a fresh copy of it"
        raise LessonError(f"{place} {reason}; {cure}") from error


def notebook_text(notebook: Any) -> str:
    """Returns the text of a notebook file: sorted keys, one newline at the end."""
    import nbformat

    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def make_folder(path: Path) -> None:
    """Makes a folder if it is not there.

    Raises:
        OSError: it cannot be made, for example because a file has its name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cause = error.strerror or str(error)
        raise OSError(f"cannot make the folder {path.name}: {cause}; move what is in its way") from error


def write_text(path: Path, text: str) -> None:
    """Writes a file as `vpcore.tensorfile.replace_file` does, in a folder that is made if it is not there.

    Raises:
        OSError: the folder is read-only or full; the old file is untouched.
    """
    from vpcore.tensorfile import replace_file

    make_folder(path.parent)
    replace_file(path, text.encode())
