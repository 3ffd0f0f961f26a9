"""Lesson 06: the extra exercises about merging: SSF into a norm, LoRA into a weight."""

from __future__ import annotations

import torch

from course.check import FunctionExercise, Mistake
from course.exercises.lesson_06 import answers, cases, wrong

HERE = "course.exercises.lesson_06.answers"

NORM_OF_SCALE = FunctionExercise(
    id="06-ssf-norm",
    points=2,
    reference=answers.norm_of_scale,
    cases=cases.norm_of_scale,
    tolerance=1e-10,
    hints=(
        "Write it out: weight · (scale · y + shift − mean) / std + bias, with std = √(var + eps).",
        "The new norm computes new_weight · (y − mean) / std + new_bias; compare the factors of y.",
        "new_weight = weight · scale; the rest: new_bias = bias + weight · (scale · mean + shift − mean) / std.",
    ),
    mistakes=(
        Mistake(
            "your bias forgets that scaling moves the mean as well: add weight · (scale · mean − mean) / std",
            wrong.norm_of_scale_with(lambda s, t, w, m, d: w * t / d),
        ),
        Mistake(
            "your shift does not pass through the norm: divide it by std and multiply it by the weight",
            wrong.norm_of_scale_with(lambda s, t, w, m, d: w * (s - 1) * m / d + t),
        ),
        Mistake(
            "you scale and shift what leaves the norm: scale · y + shift goes into it, so put that into its formula",
            wrong.scale_behind,
        ),
        Mistake(
            "your bias leaves out the norm's weight: everything in front of the norm is multiplied by it",
            wrong.norm_of_scale_with(lambda s, t, w, m, d: (s * m + t - m) / d),
        ),
        Mistake(
            "you leave out eps: std is √(var + eps)",
            wrong.norm_of_scale_with(wrong.right_moved, std_of=lambda v, e: torch.sqrt(v)),
        ),
        Mistake(
            "your eps stands outside of the root: std is √(var + eps)",
            wrong.norm_of_scale_with(wrong.right_moved, std_of=lambda v, e: torch.sqrt(v) + e),
        ),
        Mistake("your weight is the old one: multiply it by scale", wrong.norm_of_scale_with(wrong.right_moved, True)),
        Mistake(
            "your bias uses the new weight, and scale is in it twice then: use the old weight",
            wrong.norm_of_scale_with(lambda s, t, w, m, d: s * w * (s * m + t - m) / d),
        ),
    ),
    forbids=(f"{HERE}.norm_of_scale",),
)

LORA = FunctionExercise(
    id="06-lora",
    points=2,
    reference=answers.merge_lora,
    cases=cases.merge_lora,
    tolerance=1e-10,
    hints=(
        "Rows 0 … D − 1 of the fused weight make the query, the next D the key, the last D the value.",
        "A (rank, D) goes down, B (D, rank) up: the change is alpha / rank · B @ A, and rank = len(A).",
        "Copy the weight; for place, name in enumerate('qkv'): if name in factors, add to rows place · D onwards.",
    ),
    mistakes=(
        Mistake(
            "you divide with //, which makes 3 // 2 into 1: use /",
            wrong.lora_with(lambda alpha, rank: alpha // rank),
        ),
        Mistake("your change is not divided by the rank: alpha / rank", wrong.lora_with(lambda alpha, rank: alpha)),
        Mistake("your change leaves out alpha / rank", wrong.lora_with(lambda alpha, rank: 1.0)),
        Mistake("you put the value where the key is, and the key where the value is", wrong.lora_with(places="qvk")),
        Mistake(
            "you divide by D: the rank is the number of rows of A, len(A)",
            wrong.lora_with(lambda alpha, rank: alpha, by_dim=True),
        ),
        Mistake(
            "you put the parts one after the other: q, k and v have rows of their own, also where one is not there",
            wrong.lora_packed,
        ),
        Mistake("you replace the rows by the change: add it to them", wrong.lora_replaced),
        Mistake("your product is transposed: it is B @ A, outputs × inputs", wrong.lora_outer),
    ),
    forbids=(f"{HERE}.merge_lora", "vpcore.tuning.lora.LoRA.weights", "vpcore.tuning.base.Tuning.merge"),
)
