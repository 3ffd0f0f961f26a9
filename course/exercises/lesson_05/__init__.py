"""The exercises of lesson 05, activation prompts, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_05.choice import CHANNELS, CHOOSE, RANDOM, SAME
from course.exercises.lesson_05.layers import CACHED, FIRST, MODULE

QUIZ_LAST = QuizExercise(
    id="05-quiz-last",
    points=1,
    choices="abc",
    right=frozenset({"5b0a9350e365dcf2"}),
    reasons={
        "990f6c1fcf3eadcc": "pooling averages each channel over its places, so where delta acts cannot matter there",
        "b56d0469f5cb35c6": "delta is the same for all images, so it moves all their features by one constant",
    },
)
QUIZ_CACHE = QuizExercise(
    id="05-quiz-cache",
    points=1,
    choices="abc",
    right=frozenset({"8e17e863ac5b28c9"}),
    reasons={
        "68edbb199497f597": "each epoch crops other images, so these activations change too",
        "bf472f2a95307902": "block 3 reads delta, which changes in every step, and everything behind it does",
    },
)
QUIZ_CONTROL = QuizExercise(
    id="05-quiz-control",
    points=1,
    choices="abc",
    right=frozenset({"a46c2cc99bf78014"}),
    reasons={
        "9f4fb7b1dd1b7328": "more seeds make the interval narrower; they do not say what the gain comes from",
        "6480391f3abc1482": "a better rival at the pixels says nothing about the layer",
    },
)

EXERCISES = (MODULE, FIRST, CACHED, SAME, CHANNELS, RANDOM, CHOOSE, QUIZ_LAST, QUIZ_CACHE, QUIZ_CONTROL)
