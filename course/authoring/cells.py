"""What a notebook cell is called in a message."""

from __future__ import annotations

import re
from typing import Any

HEADING = re.compile(r"#{1,6} ")


class LessonError(ValueError):
    """A lesson source, or a notebook built from one, breaks a rule."""


def cell_name(cell: Any) -> str:
    """Returns the name an author gave to a cell: exercise id, check id or ``name=``; empty when there is none."""
    metadata = cell.metadata
    if "exercise" in metadata:
        return str(metadata["exercise"]["id"])
    return f"{metadata['check']}-check" if "check" in metadata else str(metadata.get("name", ""))


def has_heading(cell: Any) -> bool:
    """Says whether a markdown cell holds a heading."""
    return any(HEADING.match(line) for line in cell.source.split("\n"))


def where(place: str, index: int, cell: Any) -> str:
    """Returns the words that point a reader to a cell, counted from 1."""
    name = f" ({cell_name(cell)})" if _is_named(cell) else ""
    first = next((line.strip() for line in cell.source.split("\n") if line.strip()), "empty")
    return f"{place}, cell {index + 1}{name or f' ({first[:40]!r})'}"


def _is_named(cell: Any) -> bool:
    exercise = cell.metadata.get("exercise", {"id": ""})
    return isinstance(exercise, dict) and "id" in exercise and bool(cell_name(cell))
