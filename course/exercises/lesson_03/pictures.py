"""Lesson 03: the exercises about drawing a picture from an image: patch by patch, from afar, and with another beta."""

from __future__ import annotations

from course.check import FunctionExercise, Mistake, Variant
from course.exercises.lesson_03 import answers, wrong

PROMPTERS = "vpcore.prompts.parts.prompters"
HERE = "course.exercises.lesson_03.answers"

PATCH = FunctionExercise(
    id="03-patch",
    points=3,
    reference=answers.patch_picture,
    cases=answers.patch_cases,
    gradient=True,
    hints=(
        "Three steps: cut the images into patches, send every patch through the same MLP, and tile the results back.",
        "F.unfold(images, patch, stride=patch) gives (B, P, N), F.linear works on the last dimension: transpose(1, 2).",
        "F.linear, F.relu, F.linear; then F.fold(drawn.transpose(1, 2), (H, W), patch, stride=patch).",
    ),
    mistakes=(
        Mistake(
            "your patches are reshaped from (B, P, N) to (B, N, P), which mixes patches: use transpose(1, 2)",
            wrong.patch_with(order="reshaped"),
        ),
        Mistake(
            "your drawings are reshaped back to (B, P, N), which mixes patches: transpose(1, 2) before F.fold",
            wrong.patch_with(back="reshaped"),
        ),
        Mistake(
            "your drawings are viewed as an image, so each patch becomes a strip of rows: put the tiles back by F.fold",
            wrong.patch_with(back="view"),
            hint="F.fold is the inverse of F.unfold when the patches do not overlap.",
        ),
        Mistake("your MLP has no ReLU between its two layers", wrong.patch_with(bend=False)),
        Mistake(
            "you apply ReLU after the last layer, so the picture can only brighten: leave it out there",
            wrong.patch_with(last=True),
        ),
        Mistake(
            "your patches are flattened with the channels last: a patch is read as (channel, row, column)",
            wrong.patch_with(order="channels last"),
        ),
        Mistake("you return the prompted images: return the picture alone, without x", wrong.patch_added),
    ),
    forbids=(
        f"{PROMPTERS}.PatchPrompter",
        "vpcore.prompts.instance_image.InstanceImagePrompt",
        f"{HERE}.patch_picture",
    ),
)

RECEPTIVE = FunctionExercise(
    id="03-receptive",
    points=2,
    reference=answers.receptive_field,
    cases=answers.receptive_cases,
    hints=(
        "Start with 1: without any layer, a pixel sees itself. Each layer makes the field wider.",
        "A kernel of k entries, d apart, spans (k − 1) · d steps; a step is one pixel until a stride makes it longer.",
        "field += (kernel - 1) * dilation * jump, and after that jump *= stride.",
    ),
    variant=Variant(
        args="layers",
        note="`layers` lists ({0}), in this order",
        values=(("dilation, stride, kernel",), ("stride, kernel, dilation",), ("dilation, kernel, stride",)),
        given="[(kernel, dilation, stride) for {0} in layers]",
        taken="[({0}) for kernel, dilation, stride in layers]",
    ),
    mistakes=(
        Mistake(
            "you leave out the dilation: k entries that are d apart span (k − 1) · d steps",
            wrong.receptive_with(grow=lambda kernel, dilation: kernel - 1),
        ),
        Mistake(
            "each layer of yours adds k · d: the middle entry is the pixel itself, so k − 1 steps are added",
            wrong.receptive_with(grow=lambda kernel, dilation: kernel * dilation),
        ),
        Mistake(
            "you leave out the strides: after a stride of 2, one step is two pixels",
            wrong.receptive_with(jumps=False),
        ),
        Mistake(
            "a layer's stride lengthens the steps of the layers after it, not its own: multiply after adding",
            wrong.receptive_with(early=True),
        ),
        Mistake(
            "your step is the last stride alone: strides multiply, jump *= stride", wrong.receptive_with(last=True)
        ),
        Mistake("you unpack (kernel, stride, dilation): the order is kernel, dilation, stride", wrong.receptive_turned),
        Mistake("you start from 0 pixels: without any layer a pixel sees itself", wrong.receptive_with(start=0)),
        Mistake(
            "you dilate the whole kernel, k · d − 1: the last entry has no gap behind it, so it spans (k − 1) · d",
            wrong.receptive_with(grow=lambda kernel, dilation: kernel * dilation - 1),
        ),
    ),
    forbids=(f"{PROMPTERS}.GlobalPrompter", f"{HERE}.receptive_field"),
)

RESCALE = FunctionExercise(
    id="03-rescale",
    points=2,
    reference=answers.rescale,
    cases=answers.rescale_cases,
    hints=(
        "Write down what each picture is multiplied by: the global one by old before, by new after.",
        "A picture is linear in its last layer: weight and bias times a make it a times as strong. Choose a for each.",
        "The global layer times old / new, the patch layer times (1 − old) / (1 − new), weights and biases alike.",
    ),
    mistakes=(
        Mistake(
            "your factors are upside down: with a larger new beta, the global layer must become smaller",
            wrong.rescale_with(lambda old, new: new / old, lambda old, new: (1 - new) / (1 - old)),
        ),
        Mistake(
            "your biases keep their size: a picture is scaled only if weight and bias of its last layer are",
            wrong.rescale_with(lambda old, new: old / new, lambda old, new: (1 - old) / (1 - new), bias=False),
        ),
        Mistake(
            "both layers get the global factor: the patch picture is weighed by 1 − β",
            wrong.rescale_with(lambda old, new: old / new, lambda old, new: old / new),
        ),
        Mistake(
            "your patch layer keeps its size: its weight changes from 1 − old to 1 − new as well",
            wrong.rescale_with(lambda old, new: old / new, lambda old, new: 1.0),
        ),
        Mistake(
            "your global layer keeps its size: its weight changes from old to new as well",
            wrong.rescale_with(lambda old, new: 1.0, lambda old, new: (1 - old) / (1 - new)),
        ),
        Mistake(
            "your two factors are exchanged: β weighs the global picture, 1 − β the patch picture",
            wrong.rescale_with(lambda old, new: (1 - old) / (1 - new), lambda old, new: old / new),
        ),
    ),
    forbids=(f"{HERE}.rescale",),
)
