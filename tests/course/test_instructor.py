"""The instructor's guide: its table is that of the lessons, and it covers every lesson."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from course import check
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


def test_what_trying_out_quizzes_costs_and_gains_is_said() -> None:
    """Each choice alone, as a learner may ask in a notebook, gives all right ones: no key can stop that."""
    quizzes = [one for one in check.all_exercises().values() if isinstance(one, check.QuizExercise)]
    tries = 0
    for quiz in quizzes:
        found = [choice for choice in quiz.choices if _is_right(quiz, choice)]
        assert quiz.examine(" ".join(found), None) is None
        tries += len(quiz.choices)
    most, points = max(len(quiz.choices) for quiz in quizzes), sum(quiz.points for quiz in quizzes)
    words = " ".join(GUIDE.split())
    assert f"{tries} choices in {len(quizzes)} quizzes, at most {most} in a quiz" in words
    assert f"quizzes give {points:g} of " in words
    assert {sum(quiz.points for quiz in quizzes if quiz.id.startswith(path.stem[:2])) for path in LESSONS} == {3}


def _is_right(quiz: check.QuizExercise, choice: str) -> bool:
    finding = quiz.examine(choice, None)
    return finding is None or finding.sentence.startswith("right so far")
