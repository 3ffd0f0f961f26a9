"""Lesson 07: the exercises about points: agreement of neighbors, and how far attention looks."""

from __future__ import annotations

from course.check import FunctionExercise, Mistake, Variant
from course.exercises.lesson_07 import answers, wrong

HERE = "course.exercises.lesson_07.answers"

NEIGHBORS = FunctionExercise(
    id="07-neighbors",
    points=3,
    reference=answers.agreement,
    cases=answers.agreement_cases,
    hints=(
        "torch.cdist(features, features) holds all distances; entry (i, i) is 0: a point is its own nearest neighbor.",
        "Infinity on the diagonal (fill_diagonal_), then distances.topk(k, largest=False).indices, of shape (N, k).",
        "labels[nearest] == labels[:, None] says which neighbors agree; its mean is the share.",
    ),
    variant=Variant(
        args="features, labels, k",
        note="return {0}",
        values=(
            ("the share with another label than the point's", "1 - out", "1 - out"),
            ("percent instead of a share", "100 * out", "out / 100"),
            ("the percent with another label than the point's", "100 * (1 - out)", "1 - out / 100"),
        ),
        gives="{1}",
        back="{2}",
    ),
    mistakes=(
        Mistake("your neighbors include the point itself, and it always agrees: leave it out",
                wrong.agreement_with(own=True)),
        Mistake("you take k + 1 points, and the point itself is one of them: leave it out", wrong.one_more),
        Mistake("you take k points and leave the point itself out of them, so k − 1 are left", wrong.one_less),
        Mistake("you take the k points furthest away: topk(..., largest=False) gives the nearest",
                wrong.agreement_with(far=True)),
        Mistake("you let the neighbors vote: here each neighbor counts by itself", wrong.agreement_with(vote=True)),
        Mistake("you compare by inner product: far points with long vectors win; use distances",
                wrong.agreement_with(angle=True)),
        Mistake("you compare angles, so the lengths of the vectors do not count: use distances",
                wrong.agreement_with(angle=True, unit=True)),
        Mistake("you count the neighbors with another label", wrong.disagreement),
        Mistake("you divide by the points only: a share of k neighbors is divided by k too", wrong.total),
    ),
    forbids=(f"{HERE}.agreement",),
)  # fmt: skip

DISTANCE = FunctionExercise(
    id="07-distance",
    points=2,
    reference=answers.mean_distance,
    cases=answers.distance_cases,
    hints=(
        "Take the class token out of rows and columns: weights[:, 1:, 1:].",
        "What is left of a row sums to less than 1: divide each row by its sum (dim −1, keepdim=True).",
        "Multiply by torch.cdist(places, places), sum over the last axis, average over the queries.",
    ),
    mistakes=(
        Mistake("your rows no longer sum to 1 after the class token is gone: divide each by its sum",
                wrong.distance_with(rescale=False)),
        Mistake("you apply softmax once more: the rows hold weights already, so divide each by its sum",
                wrong.softmax_twice),
        Mistake("you divide by the sum of the whole table: divide each row by its own sum", wrong.one_sum),
        Mistake("you divide columns by their sums: rows are queries, and a row is what one patch looks at",
                wrong.distance_with(keys=True)),
        Mistake("you average squared distances: take the distances themselves", wrong.distance_with(power=2)),
        Mistake("you go along rows and columns: take the straight line between two centers",
                wrong.distance_with(norm=1.0)),
        Mistake("you average over what is looked at, where a weighted sum is meant: mean over queries only",
                wrong.unmeaned),
        Mistake("you cut off the last token: the class token stands first", wrong.last_token),
    ),
    forbids=(f"{HERE}.mean_distance", "vpcore.inside.attention.mean_attention_distance"),
)  # fmt: skip
