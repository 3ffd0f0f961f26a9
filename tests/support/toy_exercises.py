"""One exercise of every kind, over the toy library."""

import torch
import toy_library

from course.check import (
    FunctionExercise,
    JudgeExercise,
    Mistake,
    ModuleExercise,
    QuizExercise,
    Specimen,
    ValueExercise,
    WrittenExercise,
    judge_test,
    seal,
)


def _pairs(rng):
    return [
        tuple(torch.randn(2, 3, generator=rng) for _ in "ab"),
        tuple(torch.randn(4, 4, generator=rng) for _ in "ab"),
    ]


def _sum(first, second):
    return first + second


class WithoutGain(toy_library.Shift):
    def forward(self, images):
        return images + self.row


class OnlyRow(torch.nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.row = torch.nn.Parameter(torch.zeros(width))

    def forward(self, images):
        return images + self.row


AVERAGE = FunctionExercise(
    id="99-average",
    points=2,
    reference=toy_library.average,
    cases=_pairs,
    gradient=True,
    hints=("add them", "then divide", "(first + second) / 2"),
    mistakes=(Mistake("you add the two, and a mean divides by two as well", _sum, hint="how many are there?"),),
    forbids=("toy_library.average", "toy_library.decorated_average"),
    seconds=1.0,
)
SHIFT = ModuleExercise(
    id="99-shift",
    points=3,
    reference=toy_library.Shift,
    construct=lambda cls: cls(width=4),
    cases=lambda rng: [torch.randn(2, 3, 4, generator=rng)],
    mistakes=(
        Mistake("your module never uses its gain", WithoutGain),
        Mistake("your module has no gain: learn one number that multiplies", OnlyRow),
    ),
    forbids=("toy_library.Shift",),
)
COUNT = ValueExercise(
    id="99-count", points=1, reference=243, mistakes=(Mistake("81 is one channel, and there are three", 81),)
)
TEST = JudgeExercise(
    id="99-test",
    points=1,
    judge=judge_test,
    reference=lambda mean: float(mean(torch.ones(2), torch.zeros(2))[0]) == 0.5,
    cases=lambda rng: [
        Specimen(toy_library.average, True, "the mean of two tensors"),
        Specimen(_sum, False, "adds and never divides"),
        Specimen(lambda first, second: first, False, "ignores the second"),
    ],
)
QUIZ = QuizExercise(
    id="99-quiz",
    points=1,
    choices="abc",
    right=frozenset({seal("99-quiz", "b")}),
    reasons={seal("99-quiz", "a"): "a sum is no mean", seal("99-quiz", "c"): "a product is no mean"},
)
MULTIPLE = QuizExercise(
    id="99-multiple",
    points=1,
    choices="abcd",
    right=frozenset({seal("99-multiple", "a"), seal("99-multiple", "c")}),
    reasons={seal("99-multiple", "b"): "not b", seal("99-multiple", "d"): "not d"},
)
WRITTEN = WrittenExercise(id="99-why", points=2, min_words=3)

ALL = (AVERAGE, SHIFT, COUNT, TEST, QUIZ, MULTIPLE, WRITTEN)
