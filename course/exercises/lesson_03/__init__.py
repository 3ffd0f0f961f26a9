"""The exercises of lesson 03, a prompt for each image, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_03.controls import ANOTHER, MEAN, SHARE
from course.exercises.lesson_03.pictures import PATCH, RECEPTIVE, RESCALE

QUIZ_SOURCE = QuizExercise(
    id="03-quiz-source",
    points=1,
    choices="abcd",
    right=frozenset({"69078443d93e27fb", "963481c70a118547"}),
    reasons={
        "251553fc4f170f15": "a universal prompt is one learned picture; nothing in it depends on the image",
        "48ca5094095163f2": "with one cluster every image has the same nearest center",
    },
)
QUIZ_CONTROL = QuizExercise(
    id="03-quiz-control",
    points=1,
    choices="abc",
    right=frozenset({"9c6ed871cc7006d1"}),
    reasons={
        "498934391991df4e": "the head was trained with the images' own pictures; a new head might win the points back",
        "ab5973a47ba50327": "the accuracy fell when the pictures changed, so the model does use them",
    },
)
QUIZ_BETA = QuizExercise(
    id="03-quiz-beta",
    points=1,
    choices="abc",
    right=frozenset({"a28cf3d18add5d1d"}),
    reasons={
        "aabd159b9e70b61b": "last layers of other sizes undo any change between two values inside 0 and 1",
        "7d53a0782e209251": "Adam moves a weight by about the rate, whatever beta is; beta scales the step it makes",
    },
)

EXERCISES = (PATCH, RECEPTIVE, MEAN, ANOTHER, RESCALE, SHARE, QUIZ_SOURCE, QUIZ_CONTROL, QUIZ_BETA)
