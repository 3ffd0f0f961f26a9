"""The exercises of lesson 09, the bake-off, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_09.protocol import AUDIT, EQUAL, SHOTS
from course.exercises.lesson_09.table import FRONT, HOLM, WINS

QUIZ_TRIALS = QuizExercise(
    id="09-quiz-trials",
    points=1,
    choices="abc",
    right=frozenset({"827f06e14626c4fb"}),
    reasons={
        "b5343e0629162659": "a method that is easy to tune would keep its gain with equal trials, too",
        "79005480ea66dce3": "the best of 30 noisy numbers is higher than the best of 3, without any test image",
    },
)
QUIZ_VALID = QuizExercise(
    id="09-quiz-valid",
    points=1,
    choices="abcd",
    right=frozenset({"c75eb294e9be5253"}),
    reasons={
        "69b8f3fe7a381b3e": "that may be read once, at the end; nothing may be chosen on it",
        "f4f4c97ec8e6a186": "a rate that fits ten images by heart need not be the best for others",
        "179592409671dbcb": "seeds are draws of chance: who picks the best one picks luck",
    },
)
QUIZ_TABLE = QuizExercise(
    id="09-quiz-table",
    points=1,
    choices="abc",
    right=frozenset({"d0809beea61d3403"}),
    reasons={
        "3b5ec7d69fcd83b6": "a difference of means says nothing without its interval",
        "ec53548ae7cd5697": "an interval around zero also holds gains: it cannot tell",
    },
)

EXERCISES = (SHOTS, EQUAL, AUDIT, FRONT, WINS, HOLM, QUIZ_TRIALS, QUIZ_VALID, QUIZ_TABLE)
