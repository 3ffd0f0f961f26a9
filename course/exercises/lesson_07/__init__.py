"""The exercises of lesson 07, do the pictures explain, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_07.clouds import DISTANCE, NEIGHBORS
from course.exercises.lesson_07.maps import INTERVAL, RANDOMIZE, RANK

QUIZ_CLUSTERS = QuizExercise(
    id="07-quiz-clusters",
    points=1,
    choices="abc",
    right=frozenset({"d2d7e3f2c16c1c1f"}),
    reasons={
        "5b61139ffba3c654": "nothing was learned: its weights are as they were drawn",
        "a4e037d2396d60a7": "the points may well be near in the original space too; measure it there",
    },
)
QUIZ_PLOT = QuizExercise(
    id="07-quiz-plot",
    points=1,
    choices="abcd",
    right=frozenset({"f2513c13468e22f7", "45611ae82b06f77e", "fcb73c9e16bb1a40"}),
    reasons={"5de2d623b771f0f1": "this is the one thing that t-SNE tries to keep"},
)
QUIZ_SIX = QuizExercise(
    id="07-quiz-six",
    points=1,
    choices="abc",
    right=frozenset({"d6191d0a19711fbd"}),
    reasons={
        "a8eaf0a1360bd873": "one order of six points in four is at least as far from zero, by chance alone",
        "ec6b3b7b5651eb06": "a strong link can give 0.6 in six points as well",
    },
)

EXERCISES = (NEIGHBORS, RANDOMIZE, RANK, INTERVAL, DISTANCE, QUIZ_CLUSTERS, QUIZ_PLOT, QUIZ_SIX)
