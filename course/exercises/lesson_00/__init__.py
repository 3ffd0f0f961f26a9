"""The exercises of lesson 00, start here, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_00.frozen import COUNT, FIRST, FREEZE
from course.exercises.lesson_00.numbers import CHOOSE, DETECTABLE, ERROR, PROBE

QUIZ_FREEZE = QuizExercise(
    id="00-quiz-freeze",
    points=1,
    choices="abc",
    right=frozenset({"eb5e6a9f6838a325"}),
    reasons={
        "41132c072a167d8d": "something is written to in every forward pass of training mode, without any gradient",
        "cbf9c71a66c456cd": "weights without a gradient are skipped by the optimizer; look for what needs no gradient",
    },
)
QUIZ_TEST = QuizExercise(
    id="00-quiz-test",
    points=1,
    choices="abcd",
    right=frozenset({"78c1dcafdb66e32c", "6fa04f57765462e6", "8349c24605aca3e8"}),
    reasons={"548308a26101f102": "this is what the test split is for, once, after every choice has been made"},
)
QUIZ_ERROR = QuizExercise(
    id="00-quiz-error",
    points=1,
    choices="abc",
    right=frozenset({"daee34b5c2f6d046"}),
    reasons={
        "1b2368f20019f16b": "with twice the images the error shrinks by √2 only",
        "09bd75084b812252": "the number of images stands under a root; put it into your formula",
    },
)

EXERCISES = (
    FIRST, FREEZE, COUNT, PROBE, ERROR, CHOOSE, DETECTABLE, QUIZ_FREEZE, QUIZ_TEST, QUIZ_ERROR,
)  # fmt: skip
