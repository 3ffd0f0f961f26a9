"""Lesson 06: the core exercises, which move an activation prompt into a bias and a scale into a weight."""

from __future__ import annotations

import torch

from course.check import FunctionExercise, Mistake, Variant
from course.exercises.lesson_06 import answers, cases, wrong

HERE = "course.exercises.lesson_06.answers"

NORM_BIAS = FunctionExercise(
    id="06-norm-bias",
    points=2,
    reference=answers.norm_bias,
    cases=cases.norm_bias,
    tolerance=1e-10,
    hints=(
        "After the norm, delta is added to weight · unit + bias: which of the three may take it over?",
        "In eval mode the norm is linear: weight · (z + delta − mean) / √(var + eps) + bias. Multiply out.",
        "before: bias + weight * delta.flatten() / torch.sqrt(var + eps); after: bias + delta.flatten().",
    ),
    mistakes=(
        Mistake(
            "you add delta itself also where it stands before the norm: there it is divided by √(var + eps) and "
            "multiplied by the weight",
            wrong.norm_bias_with(lambda d, *rest: d),
            hint="The paper's 'unit scaling' is the special case weight / √(var + eps) = 1.",
        ),
        Mistake(
            "your shift before the norm leaves out the norm's weight: multiply by it",
            wrong.norm_bias_with(lambda d, w, m, v, e: d / torch.sqrt(v + e)),
        ),
        Mistake(
            "you divide by the variance: a norm divides by its root, √(var + eps)",
            wrong.norm_bias_with(lambda d, w, m, v, e: w * d / (v + e)),
        ),
        Mistake(
            "your eps stands outside of the root: it is √(var + eps)",
            wrong.norm_bias_with(lambda d, w, m, v, e: w * d / (v.sqrt() + e)),
        ),
        Mistake(
            "you leave out eps: a norm divides by √(var + eps)",
            wrong.norm_bias_with(lambda d, w, m, v, e: w * d / v.sqrt()),
        ),
        Mistake(
            "you multiply by √(var + eps): a norm divides by it",
            wrong.norm_bias_with(lambda d, w, m, v, e: w * d * torch.sqrt(v + e)),
        ),
        Mistake(
            "you scale delta after the norm and leave it as it is before: it is the other way round",
            wrong.norm_bias_with(lambda d, *rest: d, wrong.right_before),
        ),
        Mistake(
            "you normalize delta, mean and all; the mean is subtracted from z already, so leave it out",
            wrong.norm_bias_with(lambda d, w, m, v, e: w * (d - m) / torch.sqrt(v + e)),
        ),
        Mistake(
            "you scale delta also where it stands after the norm: nothing scales it there",
            wrong.norm_bias_with(wrong.right_before, wrong.right_before),
        ),
    ),
    forbids=(f"{HERE}.norm_bias",),
)

HEAD_BIAS = FunctionExercise(
    id="06-head-bias",
    points=1,
    reference=answers.head_bias,
    cases=cases.head_bias,
    tolerance=1e-10,
    hints=(
        "Pooling takes the mean over height and width; it is linear, so what does it make of z + delta?",
        "delta.mean((0, 2, 3)) is what pooling makes of delta alone: a feature vector (C,).",
        "The head multiplies features by its weight: bias + weight @ delta.mean((0, 2, 3)).",
    ),
    mistakes=(
        Mistake(
            "you sum delta over the places, and the pooling averages: use the mean",
            wrong.head_bias_with(lambda delta: delta.sum((0, 2, 3))),
        ),
        Mistake(
            "you use one place of delta: the pooling averages all of them",
            wrong.head_bias_with(lambda delta: delta[0, :, 0, 0]),
        ),
        Mistake(
            "you use the largest entry of each channel: this pooling is an average",
            wrong.head_bias_with(lambda delta: delta.amax((0, 2, 3))),
        ),
        Mistake(
            "you average over channels too: each channel has its own mean and its own column of the weight",
            wrong.head_bias_with(lambda delta: delta.mean().expand(delta.shape[1])),
        ),
    ),
    forbids=(f"{HERE}.head_bias",),
)

BLOCK_BIAS = FunctionExercise(
    id="06-block-bias",
    points=2,
    reference=answers.block_bias,
    cases=cases.block_bias,
    tolerance=1e-10,
    hints=(
        "What enters block l is what block l − 1 puts out: its last step adds mlp.fc2's output to every token.",
        "For layer > 0 the name is f'blocks.{layer - 1}.mlp.fc2.bias', and its new value old + delta.flatten().",
        "Before block 0 there is no block; 'embed.net.pos_embed' (1, 1 + N, D) is added to every token, the class too.",
    ),
    mistakes=(
        Mistake(
            "you change the block behind the prompt; its output comes too late: take block layer − 1",
            wrong.block_bias_with("mlp.fc2", back=0),
        ),
        Mistake(
            "you change attn.proj.bias; the MLP reads that shift and puts out something else: take mlp.fc2.bias",
            wrong.block_bias_with("attn.proj"),
        ),
        Mistake(
            "at layer 0 you change the patch embedding's bias, which the class token never passes: take the position "
            "embedding",
            wrong.block_bias_with("mlp.fc2", start="embed.net.patch_embed.proj.bias"),
        ),
        Mistake(
            "at layer 0 your class token (position 0) gets no shift: a shared delta is added to every token",
            wrong.block_bias_with("mlp.fc2", rows=slice(1, None)),
        ),
        Mistake(
            "at layer 0 nothing but your class token is shifted: a shared delta is added to the patches as well",
            wrong.block_bias_with("mlp.fc2", rows=slice(1)),
        ),
    ),
    forbids=(f"{HERE}.block_bias",),
)

MERGE = FunctionExercise(
    id="06-merge",
    points=3,
    reference=answers.merge_scale,
    cases=cases.merge_scale,
    tolerance=1e-10,
    hints=(
        "scale · (W x + b) + shift = (scale · W) x + (scale · b + shift); scale has one entry for each output.",
        "Outputs are the first axis of every weight: scale.view(-1, 1) for (D, K), scale.view(-1, 1, 1, 1) for a conv.",
        "sizes = [-1] + [1] * (weight.dim() - 1) fits all; without a bias the new bias is shift alone.",
    ),
    variant=Variant(
        args="weight, bias, scale, shift",
        note="the layer shall put out scale · y {0} · shift",
        values=(("+ 2", 2.0), ("− 4", -4.0), ("+ 0.5", 0.5)),
        given="weight, bias, scale, {1} * shift",
        taken="weight, bias, scale, shift / {1}",
    ),
    mistakes=(
        Mistake(
            "you scale the inputs (second axis): scale has one entry for each output, the first axis",
            wrong.merge_with(rows=False),
        ),
        Mistake(
            "your new bias leaves the old one unscaled: the whole output is scaled, bias included",
            wrong.merge_with(bias=lambda b, s, t: b + t),
        ),
        Mistake(
            "your new bias scales the shift too: the shift is added after scaling",
            wrong.merge_with(bias=lambda b, s, t: s * (b + t)),
        ),
        Mistake(
            "your new bias lacks the shift: it is scale · bias + shift",
            wrong.merge_with(bias=lambda b, s, t: s * b),
        ),
        Mistake(
            "your new bias is the shift alone also where the layer had a bias: add scale · bias",
            wrong.merge_with(bias=lambda b, s, t: t.clone()),
        ),
    ),
    forbids=(f"{HERE}.merge_scale", "vpcore.tuning.ssf.SSF.weights", "vpcore.tuning.base.Tuning.merge"),
)
