"""Lesson 02: the exercises about maps, from upsampling to the position embedding."""

from __future__ import annotations

from course.check import FunctionExercise, Mistake, Variant
from course.exercises.lesson_02 import answers, wrong

MSVP = "vpcore.prompts.multiscale"
HERE = "course.exercises.lesson_02.answers"

AVERAGE = FunctionExercise(
    id="02-average",
    points=2,
    reference=answers.average_maps,
    cases=answers.average_cases,
    gradient=True,
    hints=(
        "F.interpolate stretches one map; the loop over the maps is yours.",
        "F.interpolate(prompt_map, size=size, mode='bilinear', align_corners=False) gives (1, C, H, W) for any map.",
        "Collect the stretched maps in a list, add them up, and divide by how many there are.",
    ),
    mistakes=(
        Mistake("you add the maps up, and MSVP averages them: divide by their number", wrong.sum_maps),
        Mistake(
            "your maps are stretched with align_corners=True, which moves the corner entries onto the border pixels: "
            "use align_corners=False",
            wrong.average_with(align_corners=True),
            hint="align_corners=False keeps pixel centers in place; it is also the default of F.interpolate.",
        ),
        Mistake(
            "your maps are stretched in blocks (nearest neighbor): use mode='bilinear'",
            wrong.average_with(mode="nearest", align_corners=None),
        ),
        Mistake("your maps are stretched by mode='bicubic': use mode='bilinear'", wrong.average_with(mode="bicubic")),
        Mistake("your size is (W, H): rows come first, size = (H, W) as it is given", wrong.average_turned),
        Mistake("only the last map is left: keep every stretched map, not just the newest", wrong.last_map),
    ),
    forbids=(f"{MSVP}.average_maps", f"{MSVP}.upsample", f"{MSVP}.MultiScalePrompt"),
)

COUNT = FunctionExercise(
    id="02-count",
    points=2,
    reference=answers.count_learned,
    cases=answers.count_cases,
    hints=(
        "Start with add: a map of scale s has s × s entries per channel.",
        "A 1×1 convolution from a to b channels has a · b weights, and b more with a bias.",
        "concat mixes the image and n maps, (n + 1) · C channels in, C out, no bias; gated has C in, C out, with bias.",
    ),
    variant=Variant(
        args="chans, scales, fusion",
        note="{0} tasks share the network, each with a prompt of its own: return the number for all of them",
        values=((7,), (12,), (30,)),
        gives="{0} * out",
        back="out // {0}",
    ),
    mistakes=(
        Mistake(
            "you count s entries for a map of scale s, and it has s × s of them",
            wrong.count_with(wrong.concat_right, wrong.gated_right, lambda scale: scale),
        ),
        Mistake(
            "your concat leaves out the image: its convolution reads (n + 1) · C channels, the n maps and x",
            wrong.count_with(lambda chans, n: n * chans**2, wrong.gated_right),
        ),
        Mistake(
            "your concat makes one channel: a 1×1 convolution from a to b channels has a · b weights, and b is C here",
            wrong.count_with(lambda chans, n: (n + 1) * chans, wrong.gated_right),
        ),
        Mistake(
            "your concat has a bias, and the method's 1×1 convolution has none",
            wrong.count_with(lambda chans, n: (n + 1) * chans**2 + chans, wrong.gated_right),
        ),
        Mistake(
            "your gate has no bias, and the method's 1×1 convolution has C of them",
            wrong.count_with(wrong.concat_right, lambda chans, n: chans**2),
        ),
        Mistake(
            "every fusion gets the count of add: concat and gated learn a 1×1 convolution as well",
            wrong.count_with(lambda chans, n: 0, lambda chans, n: 0),
        ),
    ),
    forbids=(f"{MSVP}.MultiScalePrompt", "vpcore.prompts.base.Prompt.num_learned", "vpcore.count.count"),
)

FOLD = FunctionExercise(
    id="02-fold",
    points=3,
    reference=answers.fold,
    cases=answers.fold_cases,
    tolerance=1e-9,
    hints=(
        "The patch embedding is linear: what does it make of M alone, without its bias?",
        "F.conv2d(added, weight, stride=patch) gives (1, D, H/p, W/p); .flatten(2).transpose(1, 2) gives (1, N, D).",
        "Copy the position embedding and add the tokens of M to positions 1, 2, …; position 0 is the class token's.",
    ),
    mistakes=(
        Mistake(
            "you add the patch bias as well, and the patch embedding of x adds it already: fold W·M alone",
            wrong.fold_with(bias_too=True),
        ),
        Mistake(
            "your tokens start at position 0, which belongs to the class token: start at position 1",
            wrong.fold_with(first=0),
        ),
        Mistake(
            "your patches run down the columns, and a ViT reads them row by row: flatten without a transpose before it",
            wrong.fold_with(order="columns"),
        ),
        Mistake(
            "your reshape mixes positions and features: flatten(2) gives (1, D, N), then transpose(1, 2)",
            wrong.fold_with(order="reshaped"),
        ),
        Mistake("your tokens take the place of the position embedding: add them to it", wrong.fold_with(keep=False)),
        Mistake("you subtract the tokens of M, and they are added", wrong.fold_with(sign=-1)),
    ),
    forbids=(f"{HERE}.fold",),
)

RANK = FunctionExercise(
    id="02-rank",
    points=2,
    reference=answers.additive_rank,
    cases=lambda rng: [((1, 4, 8), 28), ((1, 4), 28), ((1, 4, 8), 9), ((2, 6), 30), ((3, 4), 24)],
    hints=(
        "Every additive map is a sum of stretched maps with a single 1 in them: those are the rows of a matrix.",
        "torch.eye(s * s).view(-1, 1, s, s) holds all unit maps of scale s; F.interpolate stretches them in one call.",
        "Flatten each stretched map to a row, torch.cat the scales, and ask torch.linalg.matrix_rank (use float64).",
    ),
    mistakes=(
        Mistake(
            "you count the learned numbers; some maps are sums of others, so ask for the rank of the stretched maps",
            wrong.count_numbers,
        ),
        Mistake(
            "your maps are stretched in blocks (nearest neighbor): use mode='bilinear'",
            wrong.rank_with(mode="nearest"),
        ),
        Mistake(
            "your maps are stretched with align_corners=True: MSVP uses align_corners=False",
            wrong.rank_with(mode="bilinear", align_corners=True),
        ),
        Mistake("only the last scale is left: join the rows of all scales with torch.cat", wrong.rank_last),
        Mistake(
            "you take away one redundant number in all, and every scale after the first brings the constants again",
            wrong.one_less,
        ),
        Mistake(
            "you take away one number for each scale after the first, and how many are redundant depends on where the "
            "grid points lie: build the pictures and ask for their rank",
            wrong.less_by_scales,
        ),
    ),
    forbids=(f"{HERE}.additive_rank",),
)

GATE = FunctionExercise(
    id="02-gate",
    points=1,
    reference=answers.gated,
    cases=answers.gated_cases,
    gradient=True,
    hints=(
        "The gate is a number between 0 and 1 for every channel and place: torch.sigmoid of a 1×1 convolution.",
        "The convolution reads the averaged map M, not the image: F.conv2d(average, weight, bias).",
        "images + gate * average; the batch dimension is broadcast.",
    ),
    mistakes=(
        Mistake("your gate reads the image; in MSVP it reads the map M alone", wrong.gate_sees_image),
        Mistake("your gate multiplies the image: it belongs to the map, x + gate · M", wrong.gate_on_image),
        Mistake("your gate blends image and map: the image stays whole, x + gate · M", wrong.gate_blends),
        Mistake("your gate is added itself: multiply it with the map M first", wrong.gate_is_map),
        Mistake("your gate is not squeezed into 0 … 1: apply torch.sigmoid", wrong.gate_open),
        Mistake("your gate leaves out the bias of its convolution", wrong.gate_no_bias),
    ),
    forbids=(f"{MSVP}.MultiScalePrompt", f"{HERE}.gated"),
)
