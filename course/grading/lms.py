"""File names, class lists and grade tables of Canvas and Moodle.

Canvas names a downloaded submission NAME_USERID_SUBMISSIONID_FILE, with LATE_ behind the name where it was late, and
adds -1, -2, ... to FILE when it is handed in again. Moodle names a folder, or the start of a file,
FULL NAME_PARTICIPANT_assignsubmission_file_. Grade tables are the ones that both export; they are filled in and given
back with their own columns, as both ask for. Sources: Canvas, "How do I import grades in the Gradebook?"; Moodle,
"Using Assignment: Offline grading worksheet".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

CANVAS = re.compile(r"(?P<name>[^_/]+)_(?P<late>LATE_)?(?P<user>\d+)_(?P<number>\d+)_(?P<file>.+)(?i:\.ipynb)")
MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<user>\d+)_assignsubmission_file_?(?P<file>.*)")
AGAIN = re.compile(r"-(\d+)$")
TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %B %d, %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class Sender:
    """Who handed a file in, as its name says.

    Attributes:
        name: of the learner, as the file has it.
        user: number in the learning platform; empty if there is none.
        again: how often it was handed in before.
        late: Canvas says that it was late.
    """

    name: str
    user: str = ""
    again: int = 0
    late: bool = False


def sender(file: str) -> Sender:
    """Return who handed in a file, by its path below the folder of submissions."""
    first, *rest = Path(file).parts
    if found := MOODLE.fullmatch(first):
        return Sender(found["name"], found["user"])
    if found := CANVAS.fullmatch(first if not rest else Path(file).name):
        again = AGAIN.search(found["file"])
        return Sender(found["name"], found["user"], int(again[1]) if again else 0, bool(found["late"]))
    return Sender(first if rest else Path(file).stem)


def moodle_time(text: str, zone: tzinfo | None) -> datetime | None:
    """Return a time as Moodle's worksheet writes it in English, or None."""
    text = " ".join(text.split())
    for form in TIMES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone)
        except ValueError:
            continue
    return None


def fill_canvas(fields: list[str], rows: list[dict[str, str]], scores: list[dict[str, float]], full: dict[str, float],
                titles: dict[str, str]) -> tuple[list[str], list[dict[str, str]]]:  # fmt: skip
    """Return header and rows of a Canvas gradebook with scores in.

    Args:
        fields: its header.
        rows: its rows; the one whose Student is "Points Possible" belongs to no learner.
        scores: points by lesson, for each row.
        full: all points of each lesson.
        titles: of the lessons. A column whose title holds it, or starts with its number, is filled; else one is added.
    """
    kept = [name for name in ("Student", "ID", "SIS User ID", "SIS Login ID", "Section") if name in fields]
    columns = {lesson: _column(fields[len(kept) :], lesson, title) or title for lesson, title in titles.items()}
    made = []
    for row, score in zip(rows, scores, strict=True):
        filled = {name: row[name] for name in kept}
        possible = row["Student"].strip() == "Points Possible"
        for lesson, column in columns.items():
            value = full[lesson] if possible else score.get(lesson)
            filled[column] = "" if value is None else f"{value:g}"
        made.append(filled)
    return [*kept, *columns.values()], made


def fill_moodle(rows: list[dict[str, str]], shares: list[float | None], words: list[str]) -> list[dict[str, str]]:
    """Return the rows of a Moodle worksheet with grades in: a share of each row's maximum."""
    made = []
    for row, share, said in zip(rows, shares, words, strict=True):
        most = next((row[name] for name in ("Maximum Grade", "Maximum grade") if row.get(name)), "100")
        grade = row.get("Grade", "") if share is None else f"{share * float(most.replace(',', '.')):.2f}"
        filled = {**row, "Grade": grade}
        made.append(
            {**filled, "Feedback comments": said} if "Feedback comments" in row and share is not None else filled
        )
    return made


def _column(fields: list[str], lesson: str, title: str) -> str:
    number = lesson[:2]
    found = [name for name in fields if title.casefold() in name.casefold() or re.match(rf"0*{int(number)}\b", name)]
    return found[0] if found else ""
