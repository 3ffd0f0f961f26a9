"""Lesson 09: the exercises about a fair protocol: few images, equal trials, and an audit of what was run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from course.check import FunctionExercise, Mistake, Variant, texts
from course.check.compare import compare
from course.exercises.lesson_09 import answers, wrong

HERE = "course.exercises.lesson_09.answers"

SHOTS = FunctionExercise(
    id="09-shots",
    points=2,
    reference=answers.few_shot,
    cases=answers.few_shot_cases,
    hints=(
        "labels[order] holds the labels in the drawn order: entry i belongs to the image order[i].",
        "order[labels[order] == label] are the images of one class in the drawn order; cut that after `shots`.",
        "Collect order[labels[order] == label][:shots] for each label in labels.unique(), and join with torch.cat.",
    ),
    mistakes=(
        Mistake("you take the first images of the file: follow `order`, which draws them", wrong.ignores_order),
        Mistake(
            "you return positions in `order`, not images: index `order` with them once more", wrong.takes_positions
        ),
        Mistake("you sort the images that you took: keep them in the drawn order", wrong.sorted_shots),
        Mistake("you list the images in the order of the draw: list them class by class", wrong.as_drawn),
        Mistake("your classes come in the order in which they are drawn: sort them", wrong.as_seen),
        Mistake("you return labels: return the indices of the images", wrong.labels_instead),
        Mistake("you take the last images of each class; the first `shots` make 1 a part of 4", wrong.takes_last),
        Mistake("you take `shots` images in all: it is `shots` of each class", wrong.shots_in_all),
        Mistake(
            "your mask labels == label says which images, but you put it on `order`: use labels[order] == label",
            wrong.mask_misplaced,
        ),
    ),
    forbids=("course.studies.study_09.draw_shots", f"{HERE}.few_shot"),
)

EQUAL = FunctionExercise(
    id="09-equal",
    points=3,
    reference=answers.choose_rates,
    cases=answers.choose_rates_cases,
    hints=(
        "First find the budget: the smallest number of trials that any method has.",
        "tried[:budget] are the trials that count; max(..., key=...) finds the best of them.",
        "{name: max(tried[:budget], key=lambda trial: trial[1])[0] for name, tried in trials.items()}; max keeps the "
        "first of equals.",
    ),
    variant=Variant(
        args="trials",
        note="{0}",
        values=(
            ("the second entry of a trial is an error: less is better", "-value", 1),
            ("return a hundred times the best rate", "value", 100),
            ("the second entry is an error, less is better; and return ten times the best rate", "-value", 10),
        ),
        given="{{name: [(rate, {1}) for rate, value in tried] for name, tried in trials.items()}}",
        taken="{{name: [(rate, {1}) for rate, value in tried] for name, tried in trials.items()}}",
        gives="{{name: {2} * rate for name, rate in out.items()}}",
        back="{{name: rate / {2} for name, rate in out.items()}}",
    ),
    mistakes=(
        Mistake(
            "you let each method use all its trials: who tried more rates gets more chances, so cut all to the fewest",
            wrong.rates_with(lambda found: max(map(len, found.values()))),
        ),
        Mistake("you keep the last trials of each method: keep the first ones", wrong.rates_with(last=True)),
        Mistake("among equal accuracies you take the later rate: take the first", wrong.rates_with(pick="tie")),
        Mistake("you choose the largest rate: choose the rate of the best accuracy", wrong.rates_with(pick="rate")),
        Mistake("you choose the worst accuracy: larger is better", wrong.rates_with(pick="worst")),
        Mistake("you return the best accuracy: return the rate that gave it", wrong.accuracies_instead),
        Mistake(
            "you cut all to the trials of the first method: cut to the fewest that any method has",
            wrong.rates_with(lambda found: len(next(iter(found.values())))),
        ),
        Mistake("you sort the trials by rate before you cut: keep the order they were tried in", wrong.sorted_first),
        Mistake("among equal accuracies you take the larger rate: take the first", wrong.rates_with(pick="large tie")),
        Mistake("among equal accuracies you take the smaller rate: take the first", wrong.rates_with(pick="small tie")),
    ),
    forbids=("vpcore.experiments.runs.lr_search.choose_rate", f"{HERE}.choose_rates"),
)


def judge_baseline(answer: Callable[..., Any]) -> str | None:
    """Say what is wrong where the baseline itself ran a seed twice, or None."""
    runs, baseline = answers.repeating_baseline()
    found = compare(answer(runs, baseline), {"probe": True, "norm": False})
    text = "the baseline ran seed 1 twice: then it breaks the rule itself, and a method with each seed once does not"
    return text + texts.WITH_INPUT.format(words=answers.audit_words(runs, baseline)[0]) if found else None


AUDIT = FunctionExercise(
    id="09-audit",
    points=3,
    reference=answers.audit,
    cases=answers.audit_cases,
    say=answers.audit_words,
    also=judge_baseline,
    hints=(
        "Two rules: no trial reads the test set, and the final seeds are those of the baseline, each once.",
        "One loop collects: a set of guilty methods, and a dictionary from method to the list of its final seeds.",
        "Afterwards: sorted(seeds[method]) != sorted(set(seeds[baseline])) is guilty too; a method with trials only "
        "has an empty list. Return {method: method in guilty for method in seeds}.",
    ),
    mistakes=(
        Mistake("you overlook trials that read the test set", wrong.audit_with(trials=False)),
        Mistake(
            "you count the seeds only: the same number of other seeds makes no pairs",
            wrong.audit_with(missing=False, repeats=False),
        ),
        Mistake(
            "you overlook a seed that was run twice: then the better run could be picked",
            wrong.audit_with(repeats=False),
        ),
        Mistake("you compare the order of the seeds, which does not matter: sort them", wrong.audit_with(order=True)),
        Mistake(
            "you take the seeds of the baseline's trials as well: those of its final runs are asked for",
            wrong.trials_of_baseline,
        ),
        Mistake("trials may read training images too: what they may not read is the test set", wrong.any_split),
        Mistake("final runs are meant to read the test set: only trials are not", wrong.any_test),
        Mistake("validation images are what trials may read: what they may not is the test set", wrong.any_valid),
        Mistake("you take the seeds of trials as well: the rule is about final runs", wrong.all_seeds),
        Mistake("you overlook a method that ran only some of the baseline's seeds", wrong.subset_of_seeds),
        Mistake("you overlook a method that never ran to the end: it has no final seed", wrong.only_finals),
    ),
    forbids=(f"{HERE}.audit",),
)
