"""Run the mutants of all lessons."""

from __future__ import annotations

import importlib
import linecache
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from course.check.exercise import Exercise
from course.check.registry import lesson_exercises, lesson_numbers

from .lessons import Lesson, lesson_problems, lessons
from .suite import UNSET, Report, Source, Suite, needs_suite, own_problems, report


def lesson_suites(number: str) -> dict[str, Suite]:
    """Return the suites of one lesson by exercise id, from `lesson_NN.py` and every `lesson_NN_part.py`."""
    names = sorted(path.stem for path in Path(__file__).parent.glob(f"lesson_{number}*.py"))
    tables = [getattr(importlib.import_module(f".{name}", __package__), "SUITES", {}) for name in names]
    return {name: suite for table in tables for name, suite in table.items()}


def exercise_report(exercise: Exercise, suite: Suite | None, lesson: Lesson | None) -> Report:
    """Return the report of one exercise, the rules for the exercise itself included."""
    own = tuple(own_problems(exercise))
    if not needs_suite(exercise):
        return Report(exercise.id, 0, 0, 0, 0, 0, own)
    if suite is None:
        return Report(exercise.id, 0, 0, 0, 0, 0, (*own, "has no mutants: add its suite in tests/mutants"))
    try:
        if lesson:
            suite = from_lesson(exercise.id, suite, lesson)
        shown = report(exercise, suite, loader(lesson))
    except Exception as error:
        return Report(exercise.id, 0, 0, 0, 0, 0, (*own, f"cannot be run: {type(error).__name__}: {error}"))
    return replace(shown, problems=(*own, *shown.problems))


def from_lesson(exercise_id: str, suite: Suite, lesson: Lesson) -> Suite:
    """Return the suite with solution and stub from the lesson source where it has none of its own."""
    solution = lesson.answer(exercise_id, True) if suite.solution is UNSET else suite.solution
    stub = lesson.answer(exercise_id, False) if suite.stub is UNSET else suite.stub
    return replace(suite, solution=solution, stub=stub)


def loader(lesson: Lesson | None) -> Callable[[Any], Any]:
    """Return what turns a Source into the object of that name, and leaves anything else alone."""

    def load(answer: Any) -> Any:
        if not isinstance(answer, Source):
            return answer
        space = lesson.space() if lesson else {"__name__": "mutant"}
        place = f"<mutant {hash(answer.text)}>"
        linecache.cache[place] = (len(answer.text), None, answer.text.splitlines(keepends=True), place)  # as cells have
        exec(compile(answer.text, place, "exec"), space)
        return space[answer.name]

    return load


def lesson_reports(number: str) -> list[Report]:
    """Return the report of every exercise of one lesson; a lesson that cannot be read is one broken row."""
    try:
        known, lesson = lesson_suites(number), lessons().get(number)
        exercises = lesson_exercises(number)
        shown = [exercise_report(exercise, known.get(name), lesson) for name, exercise in exercises.items()]
        agree = lesson_problems(lesson, exercises) if lesson else ()
    except Exception as error:
        return [_broken(number, f"cannot be read: {type(error).__name__}: {error}")]
    left_over = [f"{name} has mutants but no check: remove its suite" for name in set(known) - set(exercises)]
    return [*shown, *(_broken(number, problem) for problem in (*agree, *left_over))]


def reports() -> list[Report]:
    """Return the report of every exercise of every lesson."""
    return [row for number in lesson_numbers() for row in lesson_reports(number)]


def _broken(number: str, problem: str) -> Report:
    return Report(f"lesson {number}", 0, 0, 0, 0, 0, (problem,))


def table(shown: list[Report]) -> str:
    """Return the coverage as lines of text."""
    lines = ["exercise                  mutants  right form  library  alternatives  mistakes  rules"]
    for row in shown:
        counts = f"{row.mutants:7}  {row.right_form:10}  {row.library:7}  {row.alternatives:12}  {row.mistakes:8}"
        lines.append(f"{row.id:24}  {counts}  {'kept' if not row.problems else 'broken'}")
    lines += [f"{row.id} {problem}" for row in shown for problem in row.problems]
    total = sum(row.mutants for row in shown)
    return "\n".join([*lines, f"{len(shown)} exercises, {total} mutants"])
