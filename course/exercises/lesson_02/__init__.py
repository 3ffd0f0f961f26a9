"""The exercises of lesson 02, multiscale prompts, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_02.maps import AVERAGE, COUNT, FOLD, GATE, RANK
from course.exercises.lesson_02.seeds import IMAGES, INTERVAL, SETTLE

QUIZ_LEARNS = QuizExercise(
    id="02-quiz-learns",
    points=1,
    choices="abc",
    right=frozenset({"e828f9e249060b68"}),
    reasons={
        "c21b6031657cac86": "that would be a prompt for a frozen model; look at what `vpcore.count` prints here",
        "865820f6b6569fc0": "the head learns too, but there is more in what `vpcore.count` prints",
    },
)
QUIZ_CLASS = QuizExercise(
    id="02-quiz-class",
    points=1,
    choices="abcd",
    right=frozenset({"829f71812ea5b5ae", "df6239629c1def23", "0008b7e92bb43dad"}),
    reasons={"780ca15f4d35e690": "its map differs from image to image, and a position embedding is the same for all"},
)
QUIZ_CLAIM = QuizExercise(
    id="02-quiz-claim",
    points=1,
    choices="abc",
    right=frozenset({"bae20f5aff052c7e"}),
    reasons={
        "bb6e443fa802d5fd": "one draw from the lottery may be positive by chance; look at its spread",
        "119a8f7d0b4e319b": "a wide interval that holds zero also holds gains; absence of proof is no proof of absence",
    },
)

EXERCISES = (AVERAGE, COUNT, FOLD, INTERVAL, SETTLE, RANK, GATE, IMAGES, QUIZ_LEARNS, QUIZ_CLASS, QUIZ_CLAIM)
