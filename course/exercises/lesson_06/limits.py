"""Lesson 06: the extra exercises: other identities, and where they end."""

from __future__ import annotations

import torch

from course.check import FunctionExercise, Mistake
from course.exercises.lesson_06 import answers, cases, wrong

HERE = "course.exercises.lesson_06.answers"

TRAIN_NORM = FunctionExercise(
    id="06-train-norm",
    points=1,
    reference=answers.train_norm,
    cases=cases.train_norm,
    tolerance=1e-10,
    hints=(
        "One mean and one variance for each channel, over images and places: axes 0, 2 and 3, with keepdim=True.",
        "The variance that normalizes divides by the count itself: z.var((0, 2, 3), correction=0, keepdim=True).",
        "weight.view(1, -1, 1, 1) * (z − mean) / torch.sqrt(var + eps) + bias.view(1, -1, 1, 1).",
    ),
    mistakes=(
        Mistake(
            "your variance divides by n − 1: batch norm normalizes with n (correction=0)",
            wrong.train_norm_with(correction=1),
        ),
        Mistake(
            "you normalize each image by itself: a batch norm takes the mean over images as well",
            wrong.train_norm_with((2, 3)),
        ),
        Mistake(
            "you normalize each place by itself: a batch norm has one mean for a channel",
            wrong.train_norm_with((0,)),
        ),
        Mistake("you divide by the variance: divide by its root", wrong.train_norm_with(root=False)),
        Mistake("your mean is never subtracted", wrong.train_norm_with(mean=False)),
        Mistake("your eps stands outside of the root: it is √(var + eps)", wrong.train_norm_with(eps="outside")),
        Mistake("you leave out eps: it is √(var + eps)", wrong.train_norm_with(eps="none")),
        Mistake(
            "you take the mean over channels too: a batch norm has a mean of its own for each channel",
            wrong.train_norm_with((1, 2, 3)),
        ),
    ),
    forbids=(f"{HERE}.train_norm", "torch.nn.functional.batch_norm"),
)

UNEVEN = FunctionExercise(
    id="06-uneven",
    points=2,
    reference=answers.unevenness,
    cases=cases.unevenness,
    hints=(
        "The shift is what changes behind the norm: F.layer_norm(z + delta, (D,)) − F.layer_norm(z, (D,)).",
        "If it were a bias, every token would have the same shift: compare each with shift.mean(1, keepdim=True).",
        "(shift − mean).norm(dim=-1).mean() / shift.norm(dim=-1).mean(), as a float.",
    ),
    mistakes=(
        Mistake(
            "you add delta behind the norm, where it is a bias: add it to z",
            wrong.uneven_with(lambda z, delta: delta.expand_as(z)),
        ),
        Mistake(
            "you compare with a mean that is zero, as the shift's is over features: take the mean over tokens (axis 1)",
            wrong.uneven_with(wrong.normed, dim=-1),
        ),
        Mistake(
            "you average the ratios of the tokens: divide one mean length by the other",
            wrong.uneven_with(wrong.normed, sizes=wrong.mean_of_ratios),
        ),
        Mistake(
            "you take one length of all tokens together: take the length of each token, and then the mean",
            wrong.uneven_with(wrong.normed, sizes=wrong.ratio_of_norms),
        ),
        Mistake(
            "your result is not divided by the mean length of the shift",
            wrong.uneven_with(wrong.normed, sizes=lambda away, moved: away.norm(dim=-1).mean()),
        ),
        Mistake(
            "your shift is norm(z + δ) alone: subtract norm(z)",
            wrong.uneven_with(lambda z, delta: wrong.normed(torch.zeros_like(z), z + delta)),
        ),
        Mistake(
            "your sizes are squared: take the norm of each token's shift as it is",
            wrong.uneven_with(wrong.normed, sizes=wrong.ratio_of_squares),
        ),
        Mistake(
            "your norm runs over tokens and features together: a layer norm treats each token by itself",
            wrong.uneven_with(lambda z, delta: wrong.normed(z, delta, 2)),
        ),
    ),
    forbids=(f"{HERE}.unevenness",),
)

PICTURE = FunctionExercise(
    id="06-picture",
    points=2,
    reference=answers.picture_of,
    cases=cases.picture_of,
    tolerance=1e-9,
    hints=(
        "Without its bias, the patch embedding is a matrix (D, C · p · p): weight.flatten(1).",
        "torch.linalg.pinv of it maps tokens back to patches: tokens @ pinv.T is (1, N, C · p · p).",
        "F.fold(patches.transpose(1, 2), (size, size), p, stride=p) lays the patches out; size = p · √N.",
    ),
    mistakes=(
        Mistake(
            "you use the transposed matrix: it is the inverse only if rows are orthonormal; use torch.linalg.pinv",
            wrong.picture_transposed,
        ),
        Mistake(
            "your patches run down the columns, and a ViT reads them row by row: fold does that by itself",
            wrong.picture_by_columns,
        ),
        Mistake("your reshape mixes patches and pixels: lay the patches out with F.fold", wrong.picture_reshaped),
        Mistake("your picture has the opposite sign", lambda weight, tokens: -answers.picture_of(weight, tokens)),
    ),
    forbids=(f"{HERE}.picture_of",),
)

REACHING = FunctionExercise(
    id="06-reaching",
    points=1,
    reference=answers.reaching,
    cases=cases.reaching,
    tolerance=1e-10,
    hints=(
        "After the last block no token meets another one: only those that pooling reads matter.",
        "'token' reads position 0; 'avg' reads the patch tokens, positions 1, 2, …",
        "kept = torch.zeros_like(delta); then kept[:, 0] = delta[:, 0], or kept[:, 1:] = delta[:, 1:].",
    ),
    mistakes=(
        Mistake(
            "you keep every token also under token pooling, which reads position 0 alone",
            lambda delta, pool: delta.clone(),
        ),
        Mistake(
            "you keep the patches under token pooling and the class token under avg: it is the other way round",
            wrong.reaching_with(slice(1, None), slice(1)),
        ),
        Mistake(
            "your class token stands at the end: in a ViT it is position 0",
            wrong.reaching_with(slice(-1, None), slice(None, -1)),
        ),
        Mistake(
            "your avg pooling reads the class token too: here it averages the patch tokens",
            wrong.reaching_with(slice(1), slice(None)),
        ),
    ),
    forbids=(f"{HERE}.reaching",),
)
