"""Lesson 01: the exercises about learned pixels: where they are, how many, and how far a step moves them."""

from __future__ import annotations

import torch

from course.check import FunctionExercise, Mistake, Variant
from course.exercises.lesson_01 import answers, wrong

HERE = "course.exercises.lesson_01.answers"

PAD = FunctionExercise(
    id="01-pad",
    points=3,
    reference=answers.add_frame,
    cases=answers.frame_cases,
    gradient=True,
    hints=(
        "Build one picture (1, C, H, W) from the four strips and a middle of zeros, then add it to all images.",
        "The middle row is torch.cat([left, middle, right], dim=3), with middle = images.new_zeros(1, C, H − 2p, "
        "W − 2p).",
        "torch.cat([top, rows, bottom], dim=2) is the whole frame; p is top.shape[2]; return images + frame.",
    ),
    mistakes=(
        Mistake("you return the frame alone: add it to the images", wrong.frame_alone),
        Mistake(
            "your frame covers the border of the image, and in VP it is added: the picture stays visible under it",
            wrong.covers_images,
        ),
        Mistake("your top and bottom strips have changed places", wrong.swapped(0, 1)),
        Mistake("your left and right strips have changed places", wrong.swapped(2, 3)),
        Mistake("you subtract the frame, and it is added", wrong.subtracts),
        Mistake("your frame has no sides: left and right are missing", wrong.without(2, 3)),
        Mistake("your frame has sides only: top and bottom are missing", wrong.without(0, 1)),
    ),
    forbids=(
        f"{HERE}.add_frame",
        "vpcore.prompts.pad.PadPrompt",
        "vpcore.prompts.parts.border.paint",
        "vpcore.prompts.parts.border.border_pixels",
    ),
)

COUNT = FunctionExercise(
    id="01-count",
    points=1,
    reference=answers.count_frame,
    cases=answers.count_cases,
    hints=(
        "Count the four strips of one channel: two are W long, two are H − 2p long, all are p thick.",
        "Or take the picture's H · W pixels and subtract the hole in the middle.",
        "2 · p · W + 2 · p · (H − 2p), times C.",
    ),
    variant=Variant(
        args="chans, height, width, p",
        note="return the bytes that these numbers take, {0} bytes each",
        values=((2,), (4,), (8,)),
        gives="{0} * out",
        back="out // {0}",
    ),
    mistakes=(
        Mistake("you count one channel: each of the C channels has a frame of its own", wrong.one_channel),
        Mistake(
            "you count the four corners twice: the left and right strips are only H − 2p long",
            wrong.count_with(lambda height, width, p: 2 * p * (height + width)),
        ),
        Mistake("your image is square, and H and W may differ", wrong.square_only),
        Mistake(
            "your hole is H − p high: a frame of p pixels takes p from both ends",
            wrong.count_with(lambda height, width, p: height * width - (height - p) * (width - p)),
        ),
        Mistake(
            "you count the hole, where nothing is learned: subtract it from the whole picture",
            wrong.count_with(lambda height, width, p: (height - 2 * p) * (width - 2 * p)),
        ),
    ),
    forbids=(
        f"{HERE}.count_frame",
        "vpcore.prompts.pad.PadPrompt",
        "vpcore.prompts.base.Prompt.num_learned",
        "vpcore.count.count",
    ),
)

PATCH = FunctionExercise(
    id="01-patch",
    points=2,
    reference=answers.add_patches,
    cases=answers.patch_cases,
    gradient=True,
    hints=(
        "A p × p square fits at rows 0 … H − p: that is H − p + 1 places.",
        "int(draw · (H − p + 1)) gives each place the same chance, and the last one, H − p, comes too.",
        "out = images.clone(); for each i: out[i, :, row : row + p, column : column + p] += patch. (Autograd refuses "
        "changes in place where a loop runs over the images themselves.)",
    ),
    mistakes=(
        Mistake(
            "your square never reaches the last row and column: there are H − p + 1 places, not H − p",
            wrong.patches_with(last=0),
        ),
        Mistake(
            "you round the places, so the first and the last one get half the chance: int(draw · (H − p + 1))",
            wrong.patches_with(last=0, whole=round),
        ),
        Mistake(
            "your square lies at one place for the whole batch: use each image's own two numbers",
            wrong.patches_with(same=True),
        ),
        Mistake("you take the first number for the column, and it chooses the row", wrong.patches_with(exchange=True)),
        Mistake(
            "your square covers the image, and it is added: the picture stays visible under it",
            wrong.patches_with(replace=True),
        ),
    ),
    forbids=(f"{HERE}.add_patches", "vpcore.prompts.patch.PatchPrompt"),
)

RATE = FunctionExercise(
    id="01-rate",
    points=2,
    reference=answers.pixel_rate,
    cases=answers.rate_cases,
    hints=(
        "Write u = σ · δ. What is the gradient with respect to δ, if you know the one with respect to u?",
        "SGD moves δ by rate · σ · (gradient of u). By how much does u = σ · δ move then?",
        "Adam's step is about the rate, whatever the size of the gradient; so only the σ of u = σ · δ is left.",
    ),
    mistakes=(
        Mistake(
            "your SGD rate has one σ, and it needs two: one from the gradient, one from u = σ · δ",
            wrong.rate_with(lambda std: std, lambda std: std),
        ),
        Mistake(
            "your Adam rate has two σ: Adam divides the gradient by its own size, so only u = σ · δ counts",
            wrong.rate_with(lambda std: std**2, lambda std: std**2),
        ),
        Mistake(
            "you divide: a step of 1 in normalized units is a step of σ, a small one, in pixels",
            wrong.rate_with(lambda std: std**-2, lambda std: 1 / std),
        ),
        Mistake(
            "you exchange the optimizers: SGD follows the size of the gradient, Adam does not",
            wrong.rate_with(lambda std: std, lambda std: std**2),
        ),
        Mistake(
            "you return the rate as it is: the two spaces differ by σ",
            wrong.rate_with(torch.ones_like, torch.ones_like),
        ),
    ),
    forbids=(f"{HERE}.pixel_rate",),
)
