"""The exercises of lesson 06, prompts and norms, and its self-test."""

from __future__ import annotations

from course.check import QuizExercise
from course.exercises.lesson_06.limits import PICTURE, REACHING, TRAIN_NORM, UNEVEN
from course.exercises.lesson_06.merge import LORA, NORM_OF_SCALE
from course.exercises.lesson_06.places import BLOCK_BIAS, HEAD_BIAS, MERGE, NORM_BIAS

QUIZ_MERGE = QuizExercise(
    id="06-quiz-merge",
    points=1,
    choices="abcd",
    right=frozenset({"bb14a03dab8acb09", "61ed0d833944ba62"}),
    reasons={
        "0c2f69c1ad106a18": "no weight between two blocks of a ViT differs from token to token, so none can hold it",
        "1c69ac923549b626": "they make the sequence longer, and no weight of the network does that",
    },
)
QUIZ_SAME = QuizExercise(
    id="06-quiz-same",
    points=1,
    choices="abc",
    right=frozenset({"ffae86d2ef2b0e6a"}),
    reasons={
        "fcb8bcdfdacd7694": "the functions they can reach are the same; the steps that training takes are not",
        "709149c85fad7218": "exercise 06-ssf-norm turns any scale and shift before a frozen norm into the norm's own",
    },
)
QUIZ_TRAIN = QuizExercise(
    id="06-quiz-train",
    points=1,
    choices="abc",
    right=frozenset({"30d89d1046ba459e"}),
    reasons={
        "981a051bea9c4098": "that holds in eval mode, where the mean is a stored number",
        "82205eb300d285f2": "delta stands before the norm, and this norm subtracts the mean of its own batch",
    },
)

EXERCISES = (
    NORM_BIAS, HEAD_BIAS, BLOCK_BIAS, MERGE, TRAIN_NORM, UNEVEN, PICTURE, REACHING, NORM_OF_SCALE, LORA,
    QUIZ_MERGE, QUIZ_SAME, QUIZ_TRAIN,
)  # fmt: skip
