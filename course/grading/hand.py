"""Marks by hand: a page and a table of what waits for an instructor, and the filled table read back."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path

from course.check.texts import plural
from course.grading.marks import Item, Mark, badge, document, plain
from course.grading.plan import Plan
from course.grading.tables import read_table, table_text

FIELDS = ("file", "version", "exercise", "title", "of", "points", "comment")
SHORT = 12  # characters of a file's hash, enough to see that it changed


def read_hand(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows of a table of marks in which points or a comment stand, by (file, exercise).

    Raises:
        ValueError: it is no UTF-8, a column is missing, or points are no number.
        OSError: it cannot be read.
    """
    fields, rows = read_table(path)
    missing = [name for name in ("file", "exercise", "points") if rows and name not in fields]
    if missing:
        raise ValueError(f"{path.name} needs the columns file, exercise and points, and has no {missing[0]}: add it")
    found: dict[tuple[str, str], dict[str, str]] = {}
    for number, row in enumerate(rows, 2):
        if not (row["points"].strip() or row.get("comment", "").strip()):
            continue
        try:
            float(row["points"].strip().replace(",", ".") or 0)
        except ValueError as error:
            said = f"line {number} of {path.name}: points must be a number, got {row['points']!r}"
            raise ValueError(said) from error
        found[row["file"].removeprefix("'"), row["exercise"]] = row
    return found


def give(marks: list[Mark], rows: dict[tuple[str, str], dict[str, str]], name: str) -> tuple[list[Mark], list[str]]:
    """Enter marks by hand; returns all marks, and a line on each row that could not be entered.

    Points given by hand take the place of those of the check. What can be earned stays the same.
    """
    problems, given = [], []
    left = dict(rows)
    for mark in marks:
        items = []
        for item in mark.items:
            row = left.pop((mark.file, item.id), None)
            wrong = _problem(mark, item, row) if row else ""
            problems += [f"{name}: {mark.file}, {item.id}: {wrong}"] if wrong else []
            items.append(_marked(item, row) if row and not wrong else item)
        given.append(replace(mark, items=tuple(items)))
    problems += [f"{name}: {file}, {exercise}: there is no such file or exercise" for file, exercise in left]
    return given, problems


def table(marks: list[Mark]) -> str:
    """Return the table to fill: a row for each answer that waits, or was marked, or got no points from its check."""
    rows = []
    for mark, item in _to_mark(marks):
        points, comment = (f"{item.given:g}", item.sentence) if item.outcome == "marked" else ("", "")
        row = (
            plain(mark.file),
            mark.content[:SHORT],
            item.id,
            plain(item.title),
            f"{item.of:g}",
            points,
            plain(comment),
        )
        rows.append(row)
    return table_text(FIELDS, rows)


def page(marks: list[Mark], plans: dict[str, Plan]) -> str:
    """Return the page to mark from: for each exercise its rubric, then each learner's answer and why it waits."""
    groups: dict[tuple[str, str], list[tuple[Mark, Item]]] = {}
    for mark, item in _to_mark(marks):
        groups.setdefault((mark.lesson, item.id), []).append((mark, item))
    parts = ["<h1>To mark</h1>", "<p>Enter points and comments into the table beside this page, then run the command "
             "again with --hand and the table.</p>"]  # fmt: skip
    tasks = {(lesson, task.id): task for lesson, plan in plans.items() for task in plan.tasks}
    order = {key: place for place, key in enumerate(tasks)}
    for (lesson, exercise), answers in sorted(groups.items(), key=lambda group: order.get(group[0], len(order))):
        task = tasks.get((lesson, exercise))
        waiting = sum(item.outcome == "hand" for _, item in answers)
        title, points = html.escape(answers[0][1].title or exercise), plural(answers[0][1].of, "point")
        parts.append(f"<h2>{html.escape(lesson)}: {title} ({html.escape(exercise)}), {points}</h2>")
        parts.append(f"<p>{waiting} waiting, {plural(len(answers) - waiting, 'other')}</p>")
        parts += [f"<pre>{html.escape(task.rubric)}</pre>"] if task and task.rubric else []
        parts += [_answer(mark, item) for mark, item in sorted(answers, key=lambda pair: pair[1].outcome != "hand")]
    return document("To mark", parts, width="70em")


def is_filled(path: Path) -> bool:
    """Say whether a table holds points or comments that somebody entered."""
    try:
        return bool(read_hand(path))
    except (OSError, ValueError):
        return path.exists()


def _to_mark(marks: list[Mark]) -> list[tuple[Mark, Item]]:
    kept = ("hand", "marked", "wrong", "error")
    return [(mark, item) for mark in marks for item in mark.items if item.outcome in kept]


def _problem(mark: Mark, item: Item, row: dict[str, str]) -> str:
    if not row["points"].strip():
        return "has a comment and no points: enter points"
    points, version = float(row["points"].replace(",", ".")), row.get("version", "").strip()
    if version and version != mark.content[:SHORT]:
        return "the file changed since it was marked: look again, and correct the version"
    if not 0 <= points <= item.of:
        return f"points must be 0 to {item.of:g}, got {points:g}"
    return ""


def _marked(item: Item, row: dict[str, str]) -> Item:
    said = row.get("comment", "").strip().removeprefix("'") or "marked by your instructor"
    return replace(item, outcome="marked", given=float(row["points"].replace(",", ".")), points=0.0, sentence=said)


def _answer(mark: Mark, item: Item) -> str:
    name = html.escape(f"{mark.learner} ({mark.file})")
    given = f" {item.given:g} of {item.of:g}." if item.outcome == "marked" else ""
    words = f"<p>{badge(item)} <b>{name}</b>.{given} {html.escape(item.sentence)}</p>"
    return f"{words}<pre>{html.escape(item.text or 'no answer')}</pre>"
