"""The checks of the course: `from course import check`, then `check("02-average", average_maps)`.

A check answers with one sentence and never raises in a notebook; `check.grade` raises instead, for graders.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from course.check.engine import verdict as _verdict
from course.check.exercise import Exercise, Mistake
from course.check.functions import FunctionExercise
from course.check.modules import ModuleExercise
from course.check.points import MIME, GradeError, Points, sign, signed_points
from course.check.quiz import QuizExercise, WrittenExercise, seal
from course.check.registry import all_exercises, find, lesson_exercises, register
from course.check.session import forget, hint, made_by, remember, use
from course.check.texts import INTERNAL, TWO_ARGUMENTS
from course.check.values import JudgeExercise, Specimen, ValueExercise, judge_test
from course.check.variants import Variant
from course.check.verdict import Finding, Note, Verdict

__all__ = [
    "MIME",
    "Exercise",
    "Finding",
    "FunctionExercise",
    "GradeError",
    "JudgeExercise",
    "Mistake",
    "ModuleExercise",
    "Note",
    "Points",
    "QuizExercise",
    "Specimen",
    "ValueExercise",
    "Variant",
    "Verdict",
    "WrittenExercise",
    "all_exercises",
    "answer",
    "find",
    "forget",
    "grade",
    "hint",
    "judge_test",
    "lesson_exercises",
    "made_by",
    "quiz",
    "register",
    "seal",
    "sign",
    "signed_points",
    "use",
    "written",
]

GRADE_SECONDS = 20.0  # a grader stops a cell after 30 s
_FORGOTTEN = object()


def answer(exercise_id: Any = _FORGOTTEN, mine: Any = _FORGOTTEN) -> Verdict:
    """Check an answer, remember the verdict in this kernel and write progress down; never raises.

    `check(exercise_id, mine)` is the same. The two arguments may be left out only so that the verdict can say what
    is missing.
    """
    if not isinstance(exercise_id, str) or mine is _FORGOTTEN:
        return Verdict(exercise_id if isinstance(exercise_id, str) else "check", "error", TWO_ARGUMENTS)
    try:
        result = _verdict(exercise_id, mine)
        remember(result, mine)
        from course.check import progress

        progress.record(result)
    except Exception as error:
        return Verdict(str(exercise_id), "error", INTERNAL.format(error=type(error).__name__))
    return result


def quiz(exercise_id: Any = _FORGOTTEN, choice: Any = _FORGOTTEN) -> Verdict:
    """Check a choice ("b"), or several ("a, c"), of a self-test quiz."""
    return answer(exercise_id, choice)


def written(exercise_id: Any = _FORGOTTEN, text: Any = _FORGOTTEN) -> Verdict:
    """Record a written answer; an instructor grades it with a rubric."""
    return answer(exercise_id, text)


def grade(exercise_id: str, mine: Any, *, nonce: str = "") -> Points:
    """Return the full points of an exercise, for the last line of a graded cell.

    It reads no environment variable, writes nothing, and takes less than 30 s for Python code.

    Args:
        exercise_id: such as "02-average".
        mine: the learner's answer.
        nonce: key of the signature, put in by the grader.

    Raises:
        GradeError: the answer is anything but right, or the check failed; the message says why.
    """
    try:
        result = _verdict(exercise_id, mine, GRADE_SECONDS)
    except Exception as error:
        raise GradeError(f"{exercise_id}: {INTERNAL.format(error=type(error).__name__)}") from None
    if type(result) is not Verdict or result.outcome != "passed":
        raise GradeError(repr(result)) from None
    return Points(result.points, result.id, nonce)


class _Check(ModuleType):
    """This module, callable."""

    def __call__(self, exercise_id: Any = _FORGOTTEN, mine: Any = _FORGOTTEN) -> Verdict:
        """Check an answer; see `answer`."""
        return answer(exercise_id, mine)


sys.modules[__name__].__class__ = _Check
