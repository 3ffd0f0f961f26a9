"""The exercises of lesson 04, instance feature prompts, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_04.optimizer import OPTIMIZER
from course.exercises.lesson_04.tokens import COUNT, RESCALE, RESHAPE, TOKENS

QUIZ_THROWN = QuizExercise(
    id="04-quiz-thrown",
    points=1,
    choices="abc",
    right=frozenset({"5974f2680c59431c"}),
    reasons={
        "e66ef691139f0766": "that is VPT-shallow; look at what run_blocks does behind each block",
        "9952e47c02999544": "before they were thrown away, the class token and the patches had attended to them",
    },
)
QUIZ_FIRST = QuizExercise(
    id="04-quiz-first",
    points=1,
    choices="abcd",
    right=frozenset({"d64488efc6a14f24", "530d642ffc69cfdb"}),
    reasons={
        "37323c42ed4b5317": "these were in the optimizer's list",
        "d8f6f70dcdd1114b": "without it nothing could be classified; it was in the list",
    },
)
QUIZ_BETA = QuizExercise(
    id="04-quiz-beta",
    points=1,
    choices="abc",
    right=frozenset({"9f0d815de12a4cf1"}),
    reasons={
        "dee1d800177e5a1b": "let p^c shrink by 0.5 / 0.9 and the last layer of G_s grow by 5: the same tokens",
        "d2eda94025ea0fe7": "both weights stay above 0, so both kinds can be rescaled",
    },
)

EXERCISES = (TOKENS, RESHAPE, OPTIMIZER, COUNT, RESCALE, QUIZ_THROWN, QUIZ_FIRST, QUIZ_BETA)
