"""The exercises of lesson 01, pixel prompts, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_01.loop import LEARN
from course.exercises.lesson_01.mapping import ITERATIVE, MAPPING
from course.exercises.lesson_01.pixels import COUNT, PAD, PATCH, RATE

QUIZ_SPACE = QuizExercise(
    id="01-quiz-space",
    points=1,
    choices="abcd",
    right=frozenset({"5a178a09693fc312"}),
    reasons={
        "0c33cb00eec33531": "the number stays the same only if σ is 1: pixels in [0, 1] are a smaller space",
        "5c55d27392275fe4": "that is one σ, from u = σ · δ; SGD also follows the gradient, which brings another",
        "5d037c0243abef7b": "you divided; pixels in [0, 1] are the smaller space, so steps are smaller there",
    },
)
QUIZ_LEARNS = QuizExercise(
    id="01-quiz-learns",
    points=1,
    choices="abc",
    right=frozenset({"625c11a32d13acab"}),
    reasons={
        "eda931d90c7e011e": "the old head is part of the frozen network; the mapping only chooses among its outputs",
        "ee5fca4eec8bdfc1": "the mapping is counted, not learned by gradients; something else is",
    },
)
QUIZ_DOUBLE = QuizExercise(
    id="01-quiz-double",
    points=1,
    choices="abc",
    right=frozenset({"f84c5629d440cde0"}),
    reasons={
        "66e60a1e94c4516a": "so it would be if the frame were four long strips; where do its inner strips lie?",
        "244e06561532967c": "the outer strip is the longest one; every further one is shorter",
    },
)

EXERCISES = (PAD, LEARN, COUNT, PATCH, RATE, MAPPING, ITERATIVE, QUIZ_SPACE, QUIZ_LEARNS, QUIZ_DOUBLE)
