"""Lesson 09: the exercises about reading a table: who is beaten, who wins by luck, which claims stand together."""

from __future__ import annotations

from course.check import FunctionExercise, Mistake, Variant
from course.exercises.lesson_09 import answers, wrong

HERE = "course.exercises.lesson_09.answers"

FRONT = FunctionExercise(
    id="09-front",
    points=2,
    reference=answers.front,
    cases=answers.front_cases,
    hints=(
        "For each method i, look at every method j: does j have as few numbers and as much accuracy?",
        "Equal in both is no defeat: j must also be strictly better in one of the two.",
        "beaten = p[j] <= p[i] and a[j] >= a[i] and (p[j] < p[i] or a[j] > a[i]); entry i is True if no j beats it.",
    ),
    variant=Variant(
        args="parameters, accuracies",
        note="{0}",
        values=(
            ("the second list holds errors: less is better", "[-error for error in accuracies]", "out"),
            ("return True for each method that is beaten", "accuracies", "[not each for each in out]"),
            (
                "the second list holds errors, less is better; and return True for each method that is beaten",
                "[-error for error in accuracies]",
                "[not each for each in out]",
            ),
        ),
        given="parameters, {1}",
        taken="parameters, {1}",
        gives="{2}",
        back="{2}",
    ),
    mistakes=(
        Mistake(
            "two equal methods beat each other in your code, and both are gone: ask for strictly better in one",
            wrong.front_with(strict=False),
        ),
        Mistake(
            "you call a method beaten only by one better in both: better in one and no worse in the other is enough",
            wrong.front_both,
        ),
        Mistake(
            "among equally accurate methods fewer numbers win too: you ask for more accuracy each time",
            wrong.front_by_accuracy,
        ),
        Mistake(
            "among methods of one size more accuracy wins too: you ask for fewer numbers each time",
            wrong.front_by_size,
        ),
        Mistake("you prefer more learned numbers: fewer are better", wrong.front_with(fewer=False)),
        Mistake("you prefer less accuracy: more is better", wrong.front_with(higher=False)),
        Mistake(
            "you rank by accuracy for each number, which a tiny method always wins: compare methods in pairs",
            wrong.front_per_number,
        ),
    ),
    forbids=(f"{HERE}.front",),
)

WINS = FunctionExercise(
    id="09-wins",
    points=2,
    reference=answers.win_share,
    cases=answers.win_share_cases,
    hints=(
        "accuracies[:, draws] has the shape (methods, draws, seeds): every row of draws is one redrawn set of seeds.",
        "Mean over the last axis, then argmax over the methods: one winner for each row of draws.",
        "torch.bincount(winners, minlength=len(accuracies)).double() / len(draws)",
    ),
    mistakes=(
        Mistake("you count wins of single seeds: take the mean over the redrawn seeds first", wrong.wins_single),
        Mistake("you never use `draws`: redraw the seeds, then average", wrong.wins_over_seeds),
        Mistake("you return counts: divide by the number of redrawn sets", wrong.wins_counted),
        Mistake("you count the lowest mean: use argmax", wrong.wins_worst),
        Mistake("you take the best of the redrawn seeds: take their mean", wrong.wins_luckiest),
    ),
    forbids=(f"{HERE}.win_share",),
)

HOLM = FunctionExercise(
    id="09-holm",
    points=2,
    reference=answers.holm,
    cases=answers.holm_cases,
    hints=(
        "Go through the claims from the smallest p-value up; remember where each one came from.",
        "With n claims the smallest is held against level / n, the next against level / (n − 1), and so on.",
        "Stop at the first claim whose p-value is above its limit: it and all later ones fall.",
    ),
    mistakes=(
        Mistake("you hold every claim against `level`: many claims are many chances", wrong.holm_with(lambda n, r: 1)),
        Mistake(
            "you hold every claim against level / n (Bonferroni's rule): after each that stands, n shrinks by one",
            wrong.holm_with(lambda n, r: n),
        ),
        Mistake(
            "you go on after the first claim that falls: all later ones fall with it",
            wrong.holm_with(lambda n, r: n - r, stop=False),
        ),
        Mistake(
            "your limits are one step too generous: the smallest p-value is held against level / n",
            wrong.holm_with(lambda n, r: max(n - r - 1, 1)),
        ),
        Mistake(
            "your limits grow as level · k / n (Benjamini and Hochberg's rule): Holm's are level / (n − k + 1)",
            wrong.holm_step_up(lambda n, r: (r + 1) / n),
        ),
        Mistake(
            "you look for the last claim under its limit, and let all before it stand: stop at the first above it",
            wrong.holm_step_up(lambda n, r: 1 / (n - r)),
        ),
        Mistake(
            "your limits are one step too strict: the largest p-value is held against level",
            wrong.holm_with(lambda n, r: n - r + 1),
        ),
        Mistake(
            "your limits shrink from level on: they start at level / n and grow", wrong.holm_with(lambda n, r: r + 1)
        ),
        Mistake("a claim exactly at its limit stands: the rule says ≤", wrong.holm_strict),
        Mistake("your list follows the sorted p-values: put each claim back to its place", wrong.holm_sorted),
        Mistake("you go through the claims as they were given: sort by p-value first", wrong.holm_unsorted),
    ),
    forbids=(f"{HERE}.holm", "vpcore.statistics.holm"),
)
