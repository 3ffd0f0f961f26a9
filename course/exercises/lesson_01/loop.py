"""Lesson 01: the loop that learns a prompt in front of a frozen network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course.check import Finding, JudgeExercise
from course.check.words import type_words
from course.exercises.lesson_01 import answers, wrong

HERE = "course.exercises.lesson_01.answers"
CLOSE = 1e-5
Batches = list[tuple[Tensor, Tensor]]

NOT_LIST = "your result is {got}: return the list of losses, one number for each batch"
LENGTH = "your list has {got} losses for {want} batches: note one in each step"
NOT_NUMBER = "your list holds {got}: note loss.item(), one number that keeps no graph"
IMAGES = "you changed the images of a batch: `images + delta` makes new ones, `images += delta` does not"
WEIGHTS = "the frozen network's weights moved ({name}): freeze them, and give the optimizer δ and the head alone"
STATISTICS = "the network's batch-norm statistics moved ({name}): call network.eval() before the first step"
NOT_FROZEN = "the network still computes gradients for its weights ({name}): network.requires_grad_(False) spares them"
A_COPY = (
    "your losses are right, and the network given to you ends neither frozen nor in eval mode: call "
    "network.requires_grad_(False).eval() on it, not on a copy, and leave it so"
)
NO_GRADIENT = "δ did not move, no gradient reached it: compute network(images + delta), without no_grad or detach"
NOT_HELD = "δ has a gradient and did not move: give it to the optimizer, [delta, *head.parameters()]"
HEAD = "the head did not move: give its parameters to the optimizer too, [delta, *head.parameters()]"
FIRST = (
    "your first loss is {got:.6g}, it should be {want:.6g} (batch of {size} images): the mean cross-entropy of "
    "head(network(images + delta)), noted before the step"
)
LATER = (
    "your first loss is right, and loss {number} of {count} is {got:.6g} instead of {want:.6g}: so a step differs; "
    "take one Adam step a batch, with `rate` and nothing else set"
)
ENDED = "your losses are right, and δ or the head ends elsewhere: take a step after the last batch too"


@dataclass
class Training:
    """What `learn_prompt` is given, made from a seed: the same each time."""

    network: nn.Module
    head: nn.Module
    delta: nn.Parameter
    batches: Batches
    rate: float


@dataclass(frozen=True)
class Case:
    """Sizes of one training: no two are equal, so that no axis is taken for another."""

    chans: int
    height: int
    width: int
    features: int
    classes: int
    sizes: tuple[int, ...]  # images of each batch
    seed: int

    def build(self) -> Training:
        """Return a network with batch norm, in training mode and not frozen, and all that goes with it."""
        rng, shape = torch.Generator().manual_seed(self.seed), (self.chans, self.height, self.width)
        with torch.random.fork_rng(devices=[]):  # layers draw a start of their own, which is replaced
            conv, head = nn.Conv2d(self.chans, self.features, 3, padding=1), nn.Linear(self.features, self.classes)
        for tensor in (*conv.parameters(), *head.parameters()):
            tensor.data = 0.3 * torch.randn(tensor.shape, generator=rng)
        network = nn.Sequential(conv, nn.BatchNorm2d(self.features), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        network(torch.randn(9, *shape, generator=rng))  # statistics other than 0 and 1
        delta = nn.Parameter(0.1 * torch.randn(1, *shape, generator=rng))
        batches = [
            (torch.randn(size, *shape, generator=rng), torch.randint(self.classes, (size,), generator=rng))
            for size in self.sizes
        ]
        return Training(network.train(), head, delta, batches, 0.05)


@dataclass(frozen=True)
class Prepared:
    """One case with the right losses and the right end, and those of each typical mistake."""

    case: Case
    losses: list[float]
    end: Training
    mistakes: list[tuple[str, list[float], Training]]


CASES = (Case(3, 6, 7, 8, 4, (9, 5, 11, 10, 2), 1), Case(1, 9, 5, 7, 3, (4, 8, 6), 2))
MISTAKES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("your gradients pile up from step to step: call optimizer.zero_grad() before each backward", {"zero": False}),
    (
        "you make a new optimizer in each step, so Adam forgets what it has seen: make one before the loop",
        {"new": True},
    ),
    ("you subtract δ, and a prompt is added", {"sign": -1.0}),
    ("your loss is a sum over the batch: cross_entropy takes the mean by itself", {"reduction": "sum"}),
    ("your optimizer is SGD, and Adam is asked for", {"optimizer": torch.optim.SGD}),
    ("your AdamW also shrinks δ and the head (weight decay 0.01): use Adam", {"optimizer": torch.optim.AdamW}),
    ("your loss is noted after the step: note the loss that backward is called on", {"after": True}),
    ("you learn from the first batch in every step: use the batch of the loop", {"first": True}),
)


def prepare(rng: torch.Generator) -> list[Prepared]:
    """Run the right loop and each wrong one, before any learner code runs."""
    prepared = []
    for case in CASES:
        end, mistakes = case.build(), []
        losses = wrong.learn_with(end)
        for sentence, fault in MISTAKES:
            other = case.build()
            mistakes.append((sentence, wrong.learn_with(other, **fault), other))
        prepared.append(Prepared(case, losses, end, mistakes))
    return prepared


def judge(answer: Any, prepared: Prepared) -> str | Finding | None:
    """Say what is wrong with a training loop on one case, or None."""
    mine, start = prepared.case.build(), prepared.case.build()
    got = answer(mine.network, mine.head, mine.delta, mine.batches, mine.rate)
    return (
        _form(got, len(prepared.losses))
        or (A_COPY if _as_given(mine.network) and _near(got, prepared.losses) else None)
        or _frozen(mine, start)
        or _moved(mine, start)
        or _known(got, mine, prepared)
        or _numbers(got, prepared)
        or (None if _same(mine, prepared.end) else ENDED)
    )


def _form(got: Any, steps: int) -> Finding | None:
    if type(got) not in (list, tuple):
        return Finding("type", NOT_LIST.format(got=type_words(got)))
    if len(got) != steps:
        return Finding("shape", LENGTH.format(got=len(got), want=steps))
    strange = [value for value in got if type(value) not in (int, float)]
    return Finding("type", NOT_NUMBER.format(got=type_words(strange[0]))) if strange else None


def _as_given(network: nn.Module) -> bool:
    return network.training and all(weight.requires_grad for weight in network.parameters())


def _frozen(mine: Training, start: Training) -> str | None:
    if any(not torch.equal(now, then) for (now, _), (then, _) in zip(mine.batches, start.batches, strict=True)):
        return IMAGES
    buffers = dict(start.network.named_buffers())
    before = start.network.state_dict()
    moved = [name for name, tensor in mine.network.state_dict().items() if not torch.equal(tensor, before[name])]
    for text, names in (
        (WEIGHTS, [name for name in moved if name not in buffers]),
        (STATISTICS, [name for name in moved if name in buffers]),
        (NOT_FROZEN, [name for name, weight in mine.network.named_parameters() if weight.requires_grad]),
    ):
        if names:
            return text.format(name=names[0])
    return None


def _moved(mine: Training, start: Training) -> str | None:
    if torch.equal(mine.delta, start.delta):
        return NOT_HELD if mine.delta.grad is not None else NO_GRADIENT
    return HEAD if _equal(mine.head, start.head) else None


def _known(got: list[float], mine: Training, prepared: Prepared) -> str | None:
    if _near(got, prepared.losses) and _same(mine, prepared.end):
        return None
    fitting = (said for said, losses, end in prepared.mistakes if _near(got, losses) and _same(mine, end))
    return next(fitting, None)


def _numbers(got: list[float], prepared: Prepared) -> Finding | None:
    pairs = list(zip(got, prepared.losses, strict=True))
    far = [place for place, (mine, right) in enumerate(pairs) if not _near([mine], [right])]
    if not far:
        return None
    said = dict(zip(("got", "want"), pairs[far[0]], strict=True))
    if far[0] == 0:
        return Finding("values", FIRST.format(**said, size=prepared.case.sizes[0]))
    return Finding("values", LATER.format(**said, number=far[0] + 1, count=len(pairs)))


def _near(got: list[float], want: list[float]) -> bool:
    return all(math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE) for one, other in zip(got, want, strict=True))


def _same(mine: Training, other: Training) -> bool:
    return torch.allclose(mine.delta, other.delta, atol=1e-4) and _equal(mine.head, other.head, 1e-4)


def _equal(mine: nn.Module, other: nn.Module, far: float = 0.0) -> bool:
    pairs = zip(mine.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(one, two, rtol=0.0, atol=far) for one, two in pairs)


LEARN = JudgeExercise(
    id="01-learn",
    points=4,
    reference=answers.learn_prompt,
    judge=judge,
    cases=prepare,
    hints=(
        "Before the loop: freeze the network (no gradients for its weights, eval mode), and make one optimizer, "
        "torch.optim.Adam([delta, *head.parameters()], lr=rate).",
        "In the loop, for each (images, labels): logits = head(network(images + delta)), then the cross-entropy.",
        "Then optimizer.zero_grad(), loss.backward(), optimizer.step(), and losses.append(loss.item()).",
    ),
    forbids=(f"{HERE}.learn_prompt", "vpcore.train.fit"),
)
