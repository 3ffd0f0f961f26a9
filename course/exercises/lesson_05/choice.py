"""Lesson 05: the exercises about claims: choose a layer, and what else could explain a gain."""

from __future__ import annotations

import torch

from course.check import FunctionExercise, Mistake
from course.exercises.lesson_05 import answers, wrong

HERE = "course.exercises.lesson_05.answers"

CHOOSE = FunctionExercise(
    id="05-choose",
    points=3,
    reference=answers.choose_layer,
    cases=answers.choose_cases,
    hints=(
        "valid.mean(1) is one number a layer; its argmax is the layer. After that, valid is not read any more.",
        "For each set: means = accuracies.mean(1), then means[layer], and how far it lies below means.max().",
        "report[name] = (means[layer], means.max() - means[layer]); return layer, report.",
    ),
    mistakes=(
        Mistake(
            "you choose the layer of the best single run: one lucky seed; take the mean over seeds first",
            wrong.choose_with(lambda valid: int(valid.max(1).argmax())),
        ),
        Mistake(
            "you choose the layer of the best median: asked for is the best mean over seeds",
            wrong.choose_with(wrong.by_median),
        ),
        Mistake(
            "you average over layers and choose a seed: rows are layers, so average over axis 1",
            wrong.choose_with(lambda valid: int(valid.mean(0).argmax())),
        ),
        Mistake(
            "you choose on test images of a set that you report: the layer comes from `valid` alone",
            wrong.choose_on_test,
        ),
        Mistake(
            "you report each set's best layer: report the layer that was chosen, and what that loses",
            wrong.choose_for_each,
        ),
        Mistake("your losses are negative: best mean minus the mean at the chosen layer", wrong.negative_loss),
        Mistake(
            "you compare with the best single run: compare with the best mean of a layer",
            wrong.choose_with(wrong.by_mean, lambda runs: float(runs.max())),
        ),
    ),
    forbids=(f"{HERE}.choose_layer",),
)

SAME = FunctionExercise(
    id="05-same-class",
    points=2,
    reference=answers.fold_into_delta,
    cases=answers.fold_cases,
    tolerance=1e-9,
    hints=(
        "The patch embedding is linear: W(x + M) + b = (Wx + b) + WM. Delta is WM, patch by patch.",
        "F.conv2d(added, weight, stride=patch) gives (1, D, H/p, W/p), and no bias is added.",
        ".flatten(2).transpose(1, 2) turns (1, D, H/p, W/p) into (1, N, D), row by row.",
    ),
    mistakes=(
        Mistake(
            "you add the patch bias, and embedding x adds it already: delta is W·M alone",
            wrong.fold_with(bias_too=True),
        ),
        Mistake(
            "your patches run down the columns, and a ViT reads them row by row: do not transpose the grid",
            wrong.fold_with(order="columns"),
        ),
        Mistake(
            "your reshape mixes positions and features: flatten(2) gives (1, D, N), then transpose(1, 2)",
            wrong.fold_with(order="reshaped"),
        ),
        Mistake("you subtract the tokens of M, and they are added", wrong.fold_with(sign=-1)),
        Mistake("all your tokens are alike: keep one row for each patch, without a mean", wrong.fold_mean),
    ),
    forbids=(f"{HERE}.fold_into_delta",),
)

CHANNELS = FunctionExercise(
    id="05-channels",
    points=1,
    reference=answers.to_channels,
    cases=answers.channel_cases,
    hints=(
        "A tensor that is the same at every place and closest to delta is its mean over places.",
        "A CNN's delta (1, C, H, W) has places in dimensions 2 and 3, a ViT's (1, T, D) in dimension 1.",
        "delta.mean(dim, keepdim=True) with dim = (2, 3) if delta.dim() == 4 else 1.",
    ),
    mistakes=(
        Mistake(
            "you sum over places: the nearest constant is the mean",
            wrong.channels_with(lambda delta, places: delta.sum(places, keepdim=True), lambda delta: delta),
        ),
        Mistake(
            "you take the size without the sign: average delta itself, not its absolute values",
            wrong.channels_with(wrong.mean, torch.abs),
        ),
        Mistake(
            "you average squares: that is an energy, and asked for is the part of delta that every place shares",
            wrong.channels_with(wrong.mean, torch.square),
        ),
        Mistake(
            "you take the first place: every place counts, so average",
            wrong.channels_with(wrong.mean, lambda delta: delta[..., :1, :1] if delta.dim() == 4 else delta[:, :1]),
        ),
    ),
    forbids=(f"{HERE}.to_channels",),
)

RANDOM = FunctionExercise(
    id="05-random",
    points=1,
    reference=answers.random_delta,
    cases=answers.random_cases,
    also=answers.judge_random,
    hints=(
        "Draw a direction, then give it the length of delta.",
        "torch.randn(delta.shape, generator=torch.Generator().manual_seed(seed)) is the direction.",
        "draw * delta.norm() / draw.norm()",
    ),
    mistakes=(
        Mistake(
            "your draw is uniform between 0 and 1, so that all entries push one way: use torch.randn",
            wrong.random_with(torch.rand),
        ),
        Mistake(
            "your delta is longer than the learned one: divide the draw by its own norm first",
            wrong.random_with(size=lambda delta, made: delta.norm()),
        ),
        Mistake(
            "your delta has length 1: multiply by the norm of the learned one",
            wrong.random_with(size=lambda delta, made: 1 / made.norm()),
        ),
        Mistake(
            "you match the standard deviation, which gives nearly the norm and not the norm: divide by draw.norm()",
            wrong.random_with(size=lambda delta, made: delta.std()),
        ),
        Mistake(
            "you shuffle what was learned: its values are no chance; draw new numbers",
            wrong.shuffled,
        ),
    ),
    forbids=(f"{HERE}.random_delta", "course.studies.layer_conditions.random_delta"),
)
