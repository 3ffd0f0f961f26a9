"""The instructor's guide: its table is that of the lessons, and it covers every lesson."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from course.authoring.instructor_table import rows

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "course" / "instructor.md").read_text(encoding="utf-8")
LESSONS = sorted((ROOT / "course" / "lessons").glob("[0-9][0-9]_*.py"))


def test_the_table_is_that_of_the_lessons() -> None:
    found = [line for line in GUIDE.splitlines() if re.match(r"\| \d\d ", line)]
    assert found == rows(LESSONS), "run: python -m course.authoring.instructor_table"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_has_aim_misconceptions_and_questions(path: Path) -> None:
    part = GUIDE.split(f"### {path.stem[:2]} ", 1)[1].split("\n##", 1)[0]
    assert all(f"*{word}.*" in part for word in ("Aim", "Misconceptions", "Ask"))
