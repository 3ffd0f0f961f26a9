"""Lesson 05: the exercises about one layer: the module, what must be run again, and the cache."""

from __future__ import annotations

from course.check import FunctionExercise, Mistake, ModuleExercise, Variant
from course.exercises.lesson_05 import answers, wrong

HERE = "course.exercises.lesson_05.answers"
CACHE = ("vpcore.cache.cached", "vpcore.cache.below", "vpcore.backbone.Backbone.activations")


def starts_at_zero(cls: type) -> str | None:
    """Say so if a fresh module changes the activations."""
    fresh = cls(((5, 4), (2, 3, 6)), 0)  # as a ViT has them: tokens, numbers
    if any(bool(tensor.any()) for tensor in fresh.parameters()):
        return "your delta starts at random numbers: start at zero, so that training starts from the plain linear probe"
    return None


MODULE = ModuleExercise(
    id="05-module",
    points=3,
    reference=answers.ActivationDelta,
    construct=lambda cls: cls(answers.SHAPES, 1),
    cases=answers.module_cases,
    also=starts_at_zero,
    hints=(
        "Call super().__init__() first; then keep the number of the layer and one nn.Parameter.",
        "torch.zeros(1, *shapes[layer]) has the shape of one image's activations, with a batch axis of size 1.",
        "forward: if layer is self.layer return z + self.delta, else return z as it is.",
    ),
    mistakes=(
        Mistake(
            "your prompt acts at every layer it is shown: compare the layer in forward with the one of __init__",
            wrong.EveryLayer,
        ),
        Mistake(
            "your prompt acts one layer late: layer l is the input of block l, so add where the two are equal",
            wrong.OneLater,
        ),
        Mistake("your delta multiplies the activations: an activation prompt is added", wrong.Scales),
        Mistake("your forward returns delta alone: add it to z", wrong.Replaces),
        Mistake(
            "your delta has one number a channel: here every place has a number of its own, shape (1, *shapes[layer])",
            wrong.Channels,
        ),
        Mistake("your delta has the shape of layer 0: take shapes[layer]", wrong.FirstShape),
    ),
    forbids=("vpcore.prompts.activation.ActivationPrompt", f"{HERE}.ActivationDelta"),
)

FIRST = FunctionExercise(
    id="05-first-layer",
    points=2,
    reference=answers.plan,
    cases=answers.plan_cases,
    hints=(
        "Whatever stands below everything that learns gives the same numbers in every epoch.",
        "The lowest place counts: min of both lists together; min(..., default=...) takes care of empty lists.",
        "A block b runs once if b < first; with pixels (−1) none does, with nothing inside (depth + 1) all do.",
    ),
    variant=Variant(
        args="prompted, tuned, depth",
        note="blocks are numbered from {0} to depth + {1}, so the pixels are {1}, in both lists and in your answer",
        values=((1, 0), (2, 1), (10, 9)),
        given="[place - {0} for place in prompted], [place - {0} for place in tuned], depth",
        taken="[place + {0} for place in prompted], [place + {0} for place in tuned], depth",
        gives="(out[0] + {0}, [block + {0} for block in out[1]])",
        back="(out[0] - {0}, [block - {0} for block in out[1]])",
    ),
    mistakes=(
        Mistake(
            "your first place is the highest one: what lies between two learned places changes in every step, take min",
            wrong.plan_with(max),
        ),
        Mistake(
            "with nothing learned inside, even pooling runs once: return depth + 1, not depth",
            wrong.plan_with(empty=0),
        ),
        Mistake(
            "your list holds block `first` as well, and its input or its weights change in every step",
            wrong.plan_with(extra=1),
        ),
        Mistake("you leave out the blocks whose weights learn: they change too", wrong.plan_with(weights=False)),
        Mistake("you leave out the prompted layers: count them with the tuned blocks", wrong.plan_with(prompts=False)),
    ),
    forbids=(f"{HERE}.plan", "vpcore.cache.first_layer"),
)

CACHED = FunctionExercise(
    id="05-cached",
    points=3,
    reference=answers.cached_logits,
    cases=answers.cached_cases,
    tolerance=1e-6,
    also=answers.judge_cached,
    hints=(
        "backbone.embed, the list backbone.blocks and backbone.pool are modules: call them one after the other.",
        "Under torch.no_grad(): z = backbone.embed(x), then the blocks in backbone.blocks[:layer].",
        "Then y = z + delta, the blocks in backbone.blocks[layer:], head(backbone.pool(y)); return z and the logits.",
    ),
    mistakes=(
        Mistake(
            "your z holds delta already: delta changes in every step, so the cache must not know it",
            wrong.cached_with(into_cache=True),
        ),
        Mistake(
            "your z is one block too far: before block `layer` only the blocks [:layer] have run",
            wrong.cached_with(below=1, above=1),
        ),
        Mistake(
            "your second half repeats a block that z has behind it: go on with blocks[layer:]",
            wrong.cached_with(above=-1),
        ),
        Mistake("your second half leaves out block `layer`: go on with blocks[layer:]", wrong.cached_with(above=1)),
        Mistake("you add delta after block `layer`: it is added in front of it", wrong.cached_with(after=1)),
        Mistake(
            "you average over places yourself: backbone.pool is a part of the network, and may do more than that",
            wrong.cached_with(own_pool=True),
        ),
        Mistake("your logits know nothing of delta: add it to z before the other blocks", wrong.cached_with(scale=0)),
    ),
    forbids=(*CACHE, "vpcore.backbone.Backbone.forward", f"{HERE}.cached_logits"),
)
