"""Marks of submissions: kept line by line while grading, as a table at the end, and as a page for each learner."""

from __future__ import annotations

import contextlib
import csv
import html
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from course.check.verdict import COLORS, SYMBOLS

FIELDS = ("file", "learner", "lesson", "points", "of", "by_hand", "isolation", "problem")
BY_HAND = "graded by your instructor with a rubric"


BADGES: dict[str, tuple[str, str]] = {name: (SYMBOLS[name], COLORS[name]) for name in SYMBOLS}
BADGES["hand"] = ("✎", "#1f5a99")


@dataclass(frozen=True)
class Item:
    """One exercise of one submission.

    Attributes:
        id: such as "02-average".
        outcome: as in a verdict, or "hand" for what an instructor grades.
        sentence: what the learner reads.
        points: earned in the check.
        of: full points.
        text: the learner's answer, where an instructor grades it.
        automatic: whether a check can grade this exercise at all.
    """

    id: str
    outcome: str
    sentence: str
    points: float
    of: float
    text: str = ""
    automatic: bool = True


@dataclass(frozen=True)
class Mark:
    """One graded submission; `problem` holds every fault of the file, each a line, and `key` what was graded."""

    file: str
    learner: str
    lesson: str
    key: str
    isolation: str
    items: tuple[Item, ...] = ()
    problem: str = ""

    @property
    def points(self) -> float:
        """Points that were checked."""
        return sum(item.points for item in self.items)

    @property
    def of(self) -> float:
        """Points that checks can give in this lesson, the same for every file."""
        return sum(item.of for item in self.items if item.automatic)

    @property
    def by_hand(self) -> float:
        """Points an instructor still gives, of written answers and of answers that no check could judge here."""
        return sum(item.of for item in self.items if item.outcome == "hand")


class Ledger:
    """A file of one line for each finished submission; a line that was written survives any kill.

    Args:
        path: the file; lines of earlier runs are read, a torn last line is dropped.

    Raises:
        OSError: the file cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.marks = {mark.key: mark for mark in _lines(path)}
        self._file = _locked(path)

    def add(self, mark: Mark) -> None:
        """Write a mark down, through to the disk.

        Raises:
            OSError: the disk is full.
        """
        self._file.write(("\n" if self._torn() else "") + json.dumps(asdict(mark)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.marks[mark.key] = mark

    def close(self) -> None:
        """Let another run write."""
        self._file.close()

    def _torn(self) -> bool:
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            return size > 0 and file.read(1) != b"\n"


def line(mark: Mark) -> str:
    """Return one line about a mark for the terminal."""
    problem = "; ".join(mark.problem.split("\n"))
    words = f"{mark.file}: {mark.points:g} of {mark.of:g} points"
    return f"{words} ({problem})" if problem else words


def table(marks: list[Mark]) -> str:
    """Return the marks as CSV, a row for each submission and a column for each exercise."""
    ids = sorted({item.id for mark in marks for item in mark.items})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FIELDS, *ids])
    for mark in marks:
        found = {item.id: f"{item.points:g}" if item.outcome != "hand" else "" for item in mark.items}
        sums = [f"{value:g}" for value in (mark.points, mark.of, mark.by_hand)]
        words = [mark.isolation.split(":")[0], " | ".join(mark.problem.split("\n"))]
        texts = [_plain(text) for text in (mark.file, mark.learner, mark.lesson)]
        writer.writerow([*texts, *sums, *map(_plain, words), *(found.get(name, "") for name in ids)])
    return text.getvalue()


def page(mark: Mark) -> str:
    """Return the feedback for one submission as HTML; everything a learner wrote is escaped."""
    title = html.escape(f"{mark.lesson}: {mark.learner}")
    hand = f", and {mark.by_hand:g} more by hand" if mark.by_hand else ""
    parts = [f"<h1>{title}</h1>", f"<p>{mark.points:g} of {mark.of:g} points{hand}.</p>"]
    parts += [f"<p>{html.escape(line)}</p>" for line in mark.problem.split("\n") if line]
    parts += ["<ul>", *map(_entry, mark.items), "</ul>"]
    style = "body{font-family:sans-serif;max-width:45em;margin:2em auto;padding:0 1em}li{margin:0.6em 0}"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{style}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _entry(item: Item) -> str:
    symbol, color = BADGES[item.outcome]
    badge = f'<span style="background:{color};color:#fff;padding:0 0.45em;border-radius:0.2em">{symbol}</span>'
    words = f"{badge} {html.escape(item.id)}: {html.escape(item.sentence)} ({item.points:g} of {item.of:g})"
    quoted = f"<pre>{html.escape(item.text)}</pre>" if item.text else ""
    return f"<li>{words}{quoted}</li>"


def _plain(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text  # a spreadsheet must not run it


def _lines(path: Path) -> Iterator[Mark]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        with contextlib.suppress(ValueError, TypeError, KeyError):
            found: dict[str, Any] = json.loads(line)
            yield Mark(**{**found, "items": tuple(Item(**item) for item in found["items"])})


def _locked(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise OSError(f"cannot write {path.name}: {error.strerror}; choose another --out") from error
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise OSError(f"another run is writing {path.name}; wait for it, or choose another --out") from error
    except (ImportError, OSError):  # a system or disk without locks
        pass
    return file
