"""Reads a submitted notebook that may be anything; every fault is one line that names the file and the cell."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.check.verdict import SYMBOLS
from course.grading.plan import Task

MEGABYTES = 20
NOTEBOOK = ".ipynb"
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


class BadSubmission(ValueError):
    """A file that cannot be graded; the message is one line that names it."""


@dataclass(frozen=True)
class Submission:
    """A submitted notebook.

    Attributes:
        file: path below the folder of submissions.
        learner: first folder of that path, or the file's name without ending.
        digest: hash of the file.
        cells: all cells, each with "type", "source", "names" and "shown", what stands below it as text.
        lesson: what the notebook says it is, or its file name.
    """

    file: str
    learner: str
    digest: str
    cells: tuple[dict[str, Any], ...]
    lesson: str


def find_files(folder: Path) -> list[Path]:
    """Return all notebooks below a folder, without checkpoints and links.

    Raises:
        ValueError: the folder is missing or holds none.
    """
    if not folder.is_dir():
        raise ValueError(f"SUBMISSIONS must be a folder of notebooks, and {folder} is none: give the folder")
    found = [path for path in _below(folder) if path.suffix.lower() == NOTEBOOK]
    if not found:
        raise ValueError(f"no notebook (*.ipynb) lies below {folder}: give the folder that holds the submissions")
    return found


def folder_notes(folder: Path) -> list[str]:
    """Return lines on what may hold submissions and is not read: archives, notebooks that are called something else,
    and learners' folders without any of these.
    """
    files = _below(folder)
    packed = [file_name(path, folder) for path in files if path.suffix.lower() in ARCHIVES]
    plain = (path for path in files if path.is_file() and not path.is_symlink())
    others = [path for path in plain if path.suffix.lower() not in (NOTEBOOK, *ARCHIVES)]
    named = [file_name(path, folder) for path in others if NOTEBOOK in path.name.lower() or _holds_notebook(path)]
    books = [file_name(path, folder) for path in files if path.suffix.lower() == NOTEBOOK]
    full = {Path(name).parts[0] for name in (*packed, *named, *books)}
    first = [path for path in sorted(folder.iterdir()) if path.is_dir() and not _hidden(path.relative_to(folder))]
    empty = [name for name in (file_name(path, folder) for path in first) if name not in full]
    ends = f"notebooks whose name does not end in {NOTEBOOK} are not read"
    said = (
        (packed, "archives are not opened", "unpack them and run again"),
        (named, ends, "rename them and run again"),
        (empty, "no notebook lies in these folders", "ask for the notebooks"),
    )
    return [f"note: {what}, {some(names)}: {cure}" for names, what, cure in said if names]


def some(names: list[str]) -> str:
    """Return how many names there are and the first of them, for a note."""
    return f"{len(names)} here ({', '.join([*names[:3], *(['…'] if names[3:] else [])])})"


def file_name(path: Path, folder: Path) -> str:
    """Return what tables call a file: its path below the folder, bytes that are no UTF-8 written as backslash codes."""
    return str(path.relative_to(folder)).encode("utf-8", "backslashreplace").decode("utf-8")


def learner_of(file: str) -> str:
    """Return whose a submitted file is: the first folder, or the file's own name."""
    parts = Path(file).parts
    return parts[0] if len(parts) > 1 else Path(file).stem


def read_submission(path: Path, folder: Path) -> Submission:
    """Read one submitted notebook.

    Raises:
        BadSubmission: it cannot be graded at all.
    """
    file = file_name(path, folder)
    return parse_submission(_bytes(path, file), file)


def parse_submission(data: bytes, file: str) -> Submission:
    """Read the bytes of a notebook.

    Raises:
        BadSubmission: it cannot be graded at all.
    """
    try:
        book = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadSubmission(f"{file}: is not JSON{where}; ask for the notebook file itself") from error
    cells = book.get("cells") if type(book) is dict else None
    if type(cells) is not list:
        raise BadSubmission(f"{file}: has no list of cells; ask for a notebook of format 4")
    lesson = _readable(str(_part(_part(book, "metadata"), "course").get("lesson", Path(file).stem)))
    read = tuple(_cell(file, index, cell) for index, cell in enumerate(cells, 1))
    return Submission(file, learner_of(file), hashlib.sha256(data).hexdigest(), read, lesson)


def answer_place(submission: Submission, task: Task) -> int | None:
    """Return the place of the learner's cell of an exercise, the last one if it was copied; None if it is gone."""
    wanted = {task.id, task.cell_id}
    return max((place for place, cell in enumerate(submission.cells) if cell["names"] & wanted), default=None)


def answer_source(submission: Submission, task: Task) -> str:
    """Return the text of the learner's cells of an exercise; empty if they are gone.

    A written answer may go on in texts below that the learner added, up to the next cell of the lesson.
    """
    wanted, texts, below = {task.id, task.cell_id}, [], False
    for cell in submission.cells:
        mine = bool(cell["names"] & wanted)
        given = cell["names"] & task.given or cell["source"].strip() in task.given
        below = mine or (below and not given)
        if mine or (below and task.exercise is None and cell["type"] == "markdown"):
            texts.append(cell["source"])
    return "\n\n".join(texts)


def says_passed(submission: Submission, task: Task) -> bool:
    """Say whether the notebook shows that the exercise was passed, under a cell that checks it."""
    return any(f"{SYMBOLS['passed']} {task.id}: " in cell["shown"] for cell in submission.cells)


def _bytes(path: Path, file: str) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            raise BadSubmission(f"{file}: is a link or no plain file; ask for the notebook file itself")
        size = path.stat().st_size
        if size > MEGABYTES * 2**20:
            raise BadSubmission(f"{file}: has {size // 2**20} MB, at most {MEGABYTES} are read; clear its outputs")
        return path.read_bytes()
    except OSError as error:
        raise BadSubmission(f"{file}: cannot be read ({error.strerror}); copy it again") from error


def _cell(file: str, index: int, cell: Any) -> dict[str, Any]:
    source = cell.get("source", "") if type(cell) is dict else None
    if type(source) is list and all(type(line) is str for line in source):
        source = "".join(source)
    if type(source) is not str:
        raise BadSubmission(f"{file}: cell {index} is no notebook cell; ask for the notebook file itself")
    metadata = _part(cell, "metadata")
    names = [cell.get("id"), metadata.get("name")]
    names += [_part(metadata, key).get(name) for key, name in (("nbgrader", "grade_id"), ("exercise", "id"))]
    known = {name for name in names if type(name) is str}
    return {"type": cell.get("cell_type"), "source": _readable(source), "names": known, "shown": _shown(cell)}


def _readable(text: str) -> str:
    """Return a text that can be written as UTF-8: a notebook may hold halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _shown(cell: dict[str, Any]) -> str:
    outputs = cell.get("outputs")
    parts: list[Any] = []
    for output in outputs if type(outputs) is list else []:
        if type(output) is dict:
            parts += [_part(output, "data").get("text/plain"), output.get("text")]
    texts = ["".join(map(str, part)) if type(part) is list else part for part in parts]
    return "\n".join(text for text in texts if type(text) is str)


def _part(found: dict[str, Any], key: str) -> dict[str, Any]:
    part = found.get(key)
    return part if type(part) is dict else {}


def _below(folder: Path) -> list[Path]:
    """Return everything below a folder that is not hidden, in order."""
    return [path for path in sorted(folder.rglob("*")) if not _hidden(path.relative_to(folder))]


def _holds_notebook(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if file.read(1000).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] != b"{":
                return False
        data = _bytes(path, "")
    except (OSError, BadSubmission):
        return False
    return b'"cells"' in data and b'"nbformat"' in data


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
