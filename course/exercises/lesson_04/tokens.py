"""Lesson 04: the exercises about the sequence, the shape of a token, what it costs, and how two kinds are mixed."""

from __future__ import annotations

from course.check import FunctionExercise, Mistake, Variant
from course.exercises.lesson_04 import answers, wrong

HERE = "course.exercises.lesson_04.answers"
SEQUENCE = "vpcore.prompts.parts.sequence"

TOKENS = FunctionExercise(
    id="04-tokens",
    points=3,
    reference=answers.run_blocks,
    cases=answers.run_cases,
    gradient=True,
    hints=(
        "Between two blocks the sequence is always (B, 1 + N, D): insert just before a block, throw away just after.",
        "torch.cat([z[:, :1], tokens[layer], z[:, 1:]], 1) inserts behind the class token; note z.shape[1] then.",
        "Behind the block: torch.cat([z[:, :1], z[:, 1 + count:]], 1), count = how many tokens you inserted.",
        "A block with layer >= len(tokens) gets none: count is 0 there, and z goes in as it is.",
    ),
    mistakes=(
        Mistake(
            "your tokens stand in front of the class token: z[:, :1] comes first, then the prompt, then the patches",
            wrong.run_with(wrong.first_token, lambda z, count: z[:, count:]),
        ),
        Mistake(
            "your tokens stand behind the patches: put them between the class token and the patches",
            wrong.run_with(wrong.last_token, wrong.drop_patches),
        ),
        Mistake(
            "you throw away the last tokens, which are patches: the prompt stands at 1 … L_p",
            wrong.run_with(None, wrong.drop_patches),
        ),
        Mistake(
            "you throw away len(tokens[layer]), which is the batch: the prompt's length is tokens[layer].shape[1]",
            wrong.batch_for_length,
        ),
        Mistake(
            "your loop ends with the last prompt, as zip does: the blocks that are left over run without one",
            wrong.zipped,
        ),
        Mistake("every block gets the first block's tokens: block `layer` has tokens[layer]", wrong.first_tokens),
        Mistake(
            "your prompts pile up: what a block made of its prompt is thrown away before the next one is inserted",
            wrong.run_with(None, wrong.keep_all),
        ),
        Mistake(
            "you insert the first block's tokens and let the blocks carry them along, as VPT-shallow does: "
            "each block has tokens of its own",
            wrong.shallow,
        ),
        Mistake(
            "behind the last prompted block your prompt stays in the sequence: blocks without tokens get none",
            wrong.left_in,
        ),
        Mistake(
            "your lengths leave the prompt out: note z.shape[1] after inserting, just before the block",
            wrong.lengths_behind,
        ),
    ),
    forbids=(
        f"{SEQUENCE}.insert_tokens",
        f"{SEQUENCE}.strip_tokens",
        "vpcore.prompts.tokens.DeepTokens",
        "vpcore.prompts.instance.InstancePrompt",
        f"{HERE}.run_blocks",
    ),
)

RESHAPE = FunctionExercise(
    id="04-reshape",
    points=2,
    reference=answers.to_tokens,
    cases=answers.reshape_cases,
    gradient=False,
    hints=(
        "One token has dim numbers, one channel has h · w of them: how many channels are a token, and what if the "
        "division leaves a rest?",
        "c = dim / (h · w) must be whole, and c must divide the number of channels; else return None.",
        "maps.reshape(B, K // c, dim) keeps the order: channels c·t … c·t + c − 1, row by row, are token t.",
    ),
    variant=Variant(
        args="maps, dim",
        note="`maps` has shape ({0})",
        values=(
            ("B, h, w, K", "0, 2, 3, 1", "0, 3, 1, 2"),
            ("K, B, h, w", "1, 0, 2, 3", "1, 0, 2, 3"),
            ("h, w, B, K", "2, 3, 0, 1", "2, 3, 0, 1"),
        ),
        given="maps.permute({2}), dim",
        taken="maps.permute({1}), dim",
    ),
    mistakes=(
        Mistake(
            "your token mixes all channels of a few positions: a token is c whole channels, so reshape without permute",
            wrong.positions_first,
        ),
        Mistake(
            "your token t holds maps that lie far apart: it is made of c maps in a row, c·t … c·t + c − 1",
            wrong.interleaved,
        ),
        Mistake("your channels are read column by column: reshape reads them row by row", wrong.columns_first),
        Mistake(
            "you cut wherever the numbers come out even, and a token may end inside a channel: "
            "h · w must divide dim, else return None",
            wrong.any_cut,
        ),
    ),
    forbids=(
        "vpcore.prompts.parts.prompters.SpecificPrompter",
        "vpcore.prompts.parts.prompters.token_grid",
        "vpcore.prompts.instance.InstancePrompt",
        f"{HERE}.to_tokens",
    ),
)

COUNT = FunctionExercise(
    id="04-count",
    points=2,
    reference=answers.count_tokens,
    cases=answers.count_cases,
    hints=(
        "Common tokens: one set of L_p tokens, dim numbers each, for every block.",
        "A convolution from a to b channels with a k×k kernel learns a · b · k² weights and b biases.",
        "G_s has three of them: chans → p, p → 3p, 3p → 3p, with p = L_p.",
    ),
    mistakes=(
        Mistake(
            "your common tokens are one set for all blocks: every block has its own, so multiply by depth",
            wrong.count_with(lambda common, specific, p, depth, chans, kernels: (common // depth, specific)),
        ),
        Mistake(
            "your convolutions have no biases: b of them for b output channels",
            wrong.count_with(lambda common, specific, p, depth, chans, kernels: (common, specific - 7 * p)),
        ),
        Mistake("your kernels have k entries, and they have k × k", wrong.count_with(wrong.plain_kernels)),
        Mistake(
            "your inner convolutions grow with p on one side only: p · 3p and 3p · 3p channels, so p² in both",
            wrong.count_with(wrong.linear_width),
        ),
        Mistake(
            "you count G_s once a block: p^s is computed once and shared by all blocks",
            wrong.count_with(lambda common, specific, p, depth, chans, kernels: (common, specific * depth)),
        ),
    ),
    forbids=(
        "vpcore.prompts.parts.prompters.SpecificPrompter",
        "vpcore.prompts.instance.InstancePrompt",
        "vpcore.prompts.base.Prompt.num_learned",
        "vpcore.count.count",
        f"{HERE}.count_tokens",
    ),
)

RESCALE = FunctionExercise(
    id="04-rescale",
    points=2,
    reference=answers.rescale,
    cases=answers.rescale_cases,
    tolerance=1e-9,
    hints=(
        "Look at the two terms apart: other · p^c' must equal beta · p^c.",
        "And (1 − other) · p^s' must equal (1 − beta) · p^s, where p^s = weight · x + bias.",
        "So p^c grows by beta / other, weight and bias by (1 − beta) / (1 − other).",
    ),
    mistakes=(
        Mistake(
            "your factors are upside down: what gets a smaller weight must grow",
            wrong.rescale_with(lambda b, o: o / b, lambda b, o: (1 - o) / (1 - b)),
        ),
        Mistake(
            "your bias does not grow with its weight: p^s is both of them together",
            wrong.rescale_with(lambda b, o: b / o, lambda b, o: (1 - b) / (1 - o), bias=False),
        ),
        Mistake(
            "you use one factor for both kinds: beta is the weight of p^c, and 1 − beta that of p^s",
            wrong.rescale_with(lambda b, o: b / o, lambda b, o: b / o),
        ),
        Mistake(
            "your last layer keeps its size: its weight goes from 1 − beta to 1 − other",
            wrong.rescale_with(lambda b, o: b / o, lambda b, o: 1.0),
        ),
        Mistake(
            "your common tokens keep their size: their weight goes from beta to other",
            wrong.rescale_with(lambda b, o: 1.0, lambda b, o: (1 - b) / (1 - o)),
        ),
        Mistake(
            "your two factors are exchanged: p^c has the weight beta, p^s has 1 − beta",
            wrong.rescale_with(lambda b, o: (1 - b) / (1 - o), lambda b, o: b / o),
        ),
    ),
    forbids=("vpcore.prompts.instance.InstancePrompt", f"{HERE}.rescale"),
)
