"""Find an exercise by its id: the id "02-average" leads to `course.exercises.lesson_02`."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from course.check import texts
from course.check.exercise import Exercise
from course.check.variants import split_id

_REGISTERED: dict[str, Exercise] = {}
_LESSONS: dict[str, dict[str, Exercise]] = {}


class UnknownExercise(ValueError):
    """There is no exercise of this name."""


def register(exercise: Exercise) -> None:
    """Add an exercise at run time; one of the same id is replaced."""
    _REGISTERED[exercise.id] = exercise


def find(exercise_id: str) -> Exercise:
    """Return the exercise of this id; "01-count-v7" is 01-count in the version of seed 7, where it has versions.

    Raises:
        UnknownExercise: there is none; the sentence names the nearest id.
    """
    if exercise_id in _REGISTERED:
        return _REGISTERED[exercise_id]
    lesson = lesson_exercises(str(exercise_id).split("-")[0])
    if exercise_id in lesson:
        return lesson[exercise_id]
    plain, seed = split_id(str(exercise_id))
    known = {**lesson, **_REGISTERED}
    if seed is not None and plain in known and (varied := known[plain].varied(exercise_id, seed)):
        return varied
    near = difflib.get_close_matches(str(exercise_id), [*lesson, *_REGISTERED], n=1, cutoff=0.5)
    raise UnknownExercise(texts.UNKNOWN.format(guess=texts.UNKNOWN_GUESS.format(name=near[0]) if near else ""))


def lesson_exercises(number: str) -> dict[str, Exercise]:
    """Return the exercises of a lesson by id, in order; none if the lesson has no exercise module.

    Raises:
        ValueError: the module exports no tuple EXERCISES, two of them share an id, or an id does not start with
            the number of its lesson.
    """
    if number not in _LESSONS:
        if f"lesson_{number}" not in _modules():
            return {}
        listed = getattr(importlib.import_module(f"course.exercises.lesson_{number}"), "EXERCISES", None)
        if not isinstance(listed, tuple):
            raise ValueError(f"lesson_{number} must export EXERCISES, a tuple of exercises: add it")
        table = {exercise.id: exercise for exercise in listed}
        if len(table) != len(listed):
            raise ValueError(f"exercise ids must be unique, lesson_{number} has one twice: rename one of them")
        astray = [name for name in table if not name.startswith(f"{number}-")]
        if astray:
            raise ValueError(f"ids in lesson_{number} must start with '{number}-', got {astray[0]!r}: rename it")
        _LESSONS[number] = table
    return _LESSONS[number]


def all_exercises() -> dict[str, Exercise]:
    """Return every exercise of every lesson by id, in the order of the lessons."""
    table: dict[str, Exercise] = {}
    for number in lesson_numbers():
        table |= lesson_exercises(number)
    return table


def lesson_numbers() -> list[str]:
    """Return the numbers of the lessons that have an exercise module, such as "02"."""
    return sorted(name.removeprefix("lesson_") for name in _modules())


def _modules() -> list[str]:
    import course.exercises

    return [entry.name for entry in pkgutil.iter_modules(course.exercises.__path__) if entry.name.startswith("lesson_")]
