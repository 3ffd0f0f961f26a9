"""The ten built lessons as submissions: solved, half solved and untouched."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
LESSONS = sorted(path.stem for path in (REPOSITORY / "solutions").glob("[0-9]*.ipynb"))


def read(folder: str, lesson: str) -> dict[str, Any]:
    """Return a built notebook; the folder is notebooks or solutions."""
    return json.loads((REPOSITORY / folder / f"{lesson}.ipynb").read_text(encoding="utf-8"))


def exercise_of(cell: dict[str, Any]) -> str:
    """Return the exercise that a cell answers, or nothing."""
    return cell["metadata"].get("exercise", {}).get("id", "")


def half(lesson: str) -> tuple[dict[str, Any], list[str]]:
    """Return a notebook in which every second exercise is solved, and the ids of those."""
    book = copy.deepcopy(read("notebooks", lesson))
    answers = {exercise_of(cell): cell for cell in read("solutions", lesson)["cells"] if exercise_of(cell)}
    chosen = list(answers)[::2]
    for cell in book["cells"]:
        if exercise_of(cell) in chosen:
            cell["source"] = answers[exercise_of(cell)]["source"]
    return book, chosen


def three(lesson: str) -> dict[str, dict[str, Any]]:
    """Return a solved, a half solved and an untouched notebook of a lesson, by these words."""
    return {"solved": read("solutions", lesson), "half": half(lesson)[0], "untouched": read("notebooks", lesson)}
