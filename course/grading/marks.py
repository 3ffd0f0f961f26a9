"""Marks of submissions: kept line by line while grading, as a table at the end, and as a page for each learner."""

from __future__ import annotations

import csv
import hashlib
import html
import io
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from course.check.verdict import COLORS, SYMBOLS
from vpcore.experiments.runs.runlog import append_line, locked, read_runs, repair_locked

FIELDS = ("file", "learner", "lesson", "points", "of", "by_hand", "isolation", "problem", "marked", "total", "total_of")
NAME_BYTES = 150  # of a page's name; most file systems take 255, and some space is for what is added
BY_HAND = "graded by your instructor with a rubric"


BADGES: dict[str, tuple[str, str]] = {name: (SYMBOLS[name], COLORS[name]) for name in SYMBOLS}
BADGES["hand"] = BADGES["marked"] = ("✎", "#1f5a99")


@dataclass(frozen=True)
class Item:
    """One exercise of one submission.

    Attributes:
        id: such as "02-average".
        outcome: as in a verdict, "hand" for what an instructor still grades, or "marked" for what one has graded.
        sentence: what the learner reads.
        points: earned in the check.
        of: full points.
        text: the learner's answer, where the check did not give full points.
        automatic: whether a check can grade this exercise at all.
        title: what the lesson calls the exercise.
        given: points that an instructor gave, in place of those of the check.
    """

    id: str
    outcome: str
    sentence: str
    points: float
    of: float
    text: str = ""
    automatic: bool = True
    title: str = ""
    given: float = 0.0


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
    def marked(self) -> float:
        """Points that an instructor gave."""
        return sum(item.given for item in self.items)

    @property
    def total(self) -> float:
        """Points that were checked or given."""
        return self.points + self.marked

    @property
    def total_of(self) -> float:
        """All points of the lesson, the same for every file."""
        return sum(item.of for item in self.items)

    @property
    def content(self) -> str:
        """What identifies the submitted file's bytes, and nothing that graded it."""
        return self.key.split("|")[-2] if self.key.count("|") > 1 else self.key

    @property
    def by_hand(self) -> float:
        """Points an instructor still gives, of written answers and of answers that no check could judge here."""
        return sum(item.of for item in self.items if item.outcome == "hand")


class Ledger:
    """A file of one line for each finished submission; a line that was written survives any kill.

    Args:
        path: the file; lines of earlier runs are read, a torn last line is moved aside.

    Attributes:
        marks: the last mark of each key.
        before: the last mark of each file that an earlier run wrote.

    Raises:
        OSError: the file cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._open = path, ExitStack()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open.enter_context(locked(path, wait=False))
            repair_locked(self._file, path)
        except BlockingIOError as error:
            raise OSError(f"another run is writing {path.name}; wait for it, or choose another --out") from error
        except OSError as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            raise OSError(f"cannot write {path.name}: {cause.strerror}; choose another --out") from error
        self.marks: dict[str, Mark] = {}
        self.before: dict[str, Mark] = {}
        for found in read_runs(path, skip_damaged=True):
            with suppress(TypeError, KeyError):  # of another release: graded again
                mark = Mark(**{**found, "items": tuple(Item(**item) for item in found["items"])})
                self.marks[mark.key] = self.before[mark.file] = mark

    def add(self, mark: Mark) -> None:
        """Write a mark down, through to the disk.

        Raises:
            OSError: the disk is full.
        """
        append_line(self._file, self.path, asdict(mark))
        self.marks[mark.key] = mark

    def close(self) -> None:
        """Let another run write."""
        self._open.close()


def page_path(file: str) -> Path:
    """Return where the page of a submission lies below the folder of pages.

    Folders that end as pages do, files that end otherwise than in .ipynb, and names too long for a file system with
    what is added to them, get a hash.
    """
    *folders, name = Path(file).parts
    names = [_short(part, changed=part.endswith(".html")) for part in folders]
    return Path(*names, f"{_short(Path(name).stem, changed=not name.endswith('.ipynb'))}.html")


def _short(name: str, changed: bool = False) -> str:
    if len(name.encode()) <= NAME_BYTES and not changed:
        return name
    return f"{name.encode()[:NAME_BYTES].decode(errors='ignore')}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


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
        found = {item.id: f"{item.points + item.given:g}" if item.outcome != "hand" else "" for item in mark.items}
        sums = [f"{value:g}" for value in (mark.points, mark.of, mark.by_hand)]
        totals = [f"{value:g}" for value in (mark.marked, mark.total, mark.total_of)]
        words = [mark.isolation.split(":")[0], " | ".join(mark.problem.split("\n"))]
        texts = [plain(text) for text in (mark.file, mark.learner, mark.lesson)]
        writer.writerow([*texts, *sums, *map(plain, words), *totals, *(found.get(name, "") for name in ids)])
    return text.getvalue()


def page(mark: Mark, notes: tuple[str, ...] = ()) -> str:
    """Return the feedback for one submission as HTML; everything a learner wrote is escaped."""
    title = html.escape(f"{mark.lesson}: {mark.learner}")
    hand = f", and {mark.by_hand:g} more by hand" if mark.by_hand else ""
    total = (
        f" {mark.marked:g} points were given by hand: {mark.total:g} of {mark.total_of:g} in all."
        if mark.marked
        else ""
    )
    parts = [f"<h1>{title}</h1>", f"<p>{mark.points:g} of {mark.of:g} points{hand}.{total}</p>"]
    parts += [f"<p>{html.escape(line)}</p>" for line in (*notes, *mark.problem.split("\n")) if line]
    parts += ["<ul>", *map(_entry, mark.items), "</ul>"]
    return document(title, parts)


def document(title: str, parts: list[str], width: str = "45em") -> str:
    """Return a page of HTML; title and parts are escaped already."""
    style = f"body{{font-family:sans-serif;max-width:{width};margin:2em auto;padding:0 1em}}li{{margin:0.6em 0}}"
    style += "pre{white-space:pre-wrap;background:#f4f4f4;padding:0.6em}"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{style}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def badge(item: Item) -> str:
    """Return the symbol of an outcome on its color."""
    symbol, color = BADGES[item.outcome]
    return f'<span style="background:{color};color:#fff;padding:0 0.45em;border-radius:0.2em">{symbol}</span>'


def plain(text: str) -> str:
    """Return a text of a learner as a cell of a table that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _entry(item: Item) -> str:
    name = html.escape(item.title or item.id)
    name = f"<strong>{name}</strong>" if name.endswith("?") else f"<strong>{name}:</strong>"
    words = f"{badge(item)} {name} {html.escape(item.sentence)} ({item.points + item.given:g} of {item.of:g})"
    quoted = f"<pre>{html.escape(item.text)}</pre>" if item.text and item.outcome in ("hand", "marked") else ""
    return f"<li>{words}{quoted}</li>"
