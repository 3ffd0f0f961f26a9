"""What a regrading changed: marks before and after, exercise by exercise."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from course.grading.marks import Item, Mark, plain

FIELDS = ("file", "learner", "exercise", "before", "after", "outcome before", "outcome after", "words after")


@dataclass(frozen=True)
class Change:
    """One exercise of one unchanged file whose points or outcome are not what they were."""

    mark: Mark
    before: Item
    after: Item


def changes(before: dict[str, Mark], marks: list[Mark]) -> list[Change]:
    """Return what differs from the marks of earlier runs, for files whose content is the same."""
    found = []
    for mark in marks:
        old = before.get(mark.file)
        if old is None or old.content != mark.content:
            continue
        items = {item.id: item for item in old.items}
        pairs = [(items[item.id], item) for item in mark.items if item.id in items]
        found += [Change(mark, a, b) for a, b in pairs if (a.points, a.of, a.outcome) != (b.points, b.of, b.outcome)]
    return found


def line(change: Change) -> str:
    """Return a change for the terminal."""
    was, now = change.before, change.after
    points = f"{was.points:g} → {now.points:g} points" if was.points != now.points else f"{was.outcome} → {now.outcome}"
    return f"changed: {change.mark.file}, {now.id}: {points} ({now.sentence})"


def table(found: list[Change]) -> str:
    """Return the changes as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for change in found:
        was, now = change.before, change.after
        names = [plain(change.mark.file), plain(change.mark.learner), now.id]
        writer.writerow([*names, f"{was.points:g}", f"{now.points:g}", was.outcome, now.outcome, plain(now.sentence)])
    return text.getvalue()
