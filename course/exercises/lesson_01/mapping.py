"""Lesson 01: the exercises about reading target classes off source classes."""

from __future__ import annotations

from course.check import FunctionExercise, Mistake
from course.exercises.lesson_01 import answers, wrong

HERE = "course.exercises.lesson_01.answers"
LIBRARY = "vpcore.heads.label_mapping"

MAPPING = FunctionExercise(
    id="01-mapping",
    points=3,
    reference=answers.source_for_each,
    cases=answers.mapping_cases,
    hints=(
        "Find the largest count; its row is a source class, its column the target class. Then both are taken.",
        "divmod(int(counts.argmax()), num_classes) gives (row, column); argmax takes the first of equal counts.",
        "On a copy, set the taken row and column to −1, less than any count, and repeat once for each target class.",
    ),
    mistakes=(
        Mistake(
            "you make the sum of all counts as large as possible (the Hungarian method); the method is greedy: the "
            "largest count first, then the largest of what is left",
            wrong.best_sum,
        ),
        Mistake(
            "your target classes share source classes, so two of them could never be told apart: strike each taken row",
            wrong.each_alone,
        ),
        Mistake(
            "you serve the classes in order, so class 0 takes what class 1 needs more: take the largest count of all",
            wrong.in_order,
        ),
        Mistake(
            "you strike taken rows with 0, which is a count as well: use −1, so that an absent class gets a free row",
            wrong.marks_with_zero,
        ),
        Mistake("you take the smallest counts first: begin with the largest", wrong.smallest_first),
        Mistake("you divide by the size of each class first: here the counts themselves decide", wrong.by_share),
        Mistake("your mapping is the wrong way round: entry k names the source of target k", wrong.source_first),
    ),
    forbids=(f"{HERE}.source_for_each", f"{LIBRARY}.assign_greedily", f"{LIBRARY}.assign_optimally",
             f"{LIBRARY}.LabelMapping"),
)  # fmt: skip

ITERATIVE = FunctionExercise(
    id="01-iterative",
    points=2,
    reference=answers.mapping_per_epoch,
    cases=answers.epoch_cases,
    hints=(
        "Each epoch stands on its own: count its predictions from zero, then assign.",
        "counts[s, k] is how many images of class k were taken for source class s.",
        "for said in predictions: counts = torch.zeros(num_source, num_classes, dtype=torch.long), count, then "
        "assign_greedily(counts); torch.stack the results.",
    ),
    mistakes=(
        Mistake("you count the first epoch only, as frequency mapping does", wrong.epochs_with(first=True)),
        Mistake("your counts pile up over the epochs: begin each epoch with zeros", wrong.epochs_with(reset=False)),
        Mistake(
            "counts[said, labels] += 1 counts a pair once, however often it comes: add the images one by one, or use "
            "torch.bincount or index_put_(..., accumulate=True)",
            wrong.epochs_with(once=True),
        ),
        Mistake("each epoch uses the predictions of the one before: use its own", wrong.epochs_with(shift=-1)),
        Mistake(
            "your target classes share source classes: let assign_greedily turn the counts into a mapping",
            wrong.epochs_with(shared=True),
        ),
    ),
    forbids=(f"{HERE}.mapping_per_epoch", f"{LIBRARY}.count_pairs", f"{LIBRARY}.LabelMapping"),
)
