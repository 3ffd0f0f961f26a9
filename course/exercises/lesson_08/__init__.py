"""The exercises of lesson 08, bug museum, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_08.museum import ACCURACY, CHOOSE, COUNT, FROZEN, LEARNS, TEST_ACCURACY, WORN

QUIZ_ALIAS = QuizExercise(
    id="08-quiz-alias",
    points=1,
    choices="abc",
    right=frozenset({"61728e4a854d5b28"}),
    reasons={
        "78b891b54145c5fb": "training did change them; look at what the two variables hold",
        "3db5629737a8fd3c": "torch.equal compares every entry, and exactly",
    },
)
QUIZ_BATCHES = QuizExercise(
    id="08-quiz-batches",
    points=1,
    choices="abcd",
    right=frozenset({"52d63b40e08888c2", "8d3ac43a45d5c117"}),
    reasons={
        "c5b9307ee7858b2e": "seven full batches and one of 104 images, which then counts as much as a full one",
        "351e100d6817d8f8": "three full batches and one of a single image, which then counts a quarter",
    },
)
QUIZ_ZERO = QuizExercise(
    id="08-quiz-zero",
    points=1,
    choices="abc",
    right=frozenset({"af3fe8fe6423fb28"}),
    reasons={
        "b3b7a1cf6a50eecb": "it says how large an effect could hide here; with other sizes it may be a large one",
        "7af50a479ae942d6": "a fault is code that does not do what it says, whatever a number shows",
    },
)

EXERCISES = (
    WORN, LEARNS, ACCURACY, TEST_ACCURACY, CHOOSE, FROZEN, COUNT, QUIZ_ALIAS, QUIZ_BATCHES, QUIZ_ZERO,
)  # fmt: skip
