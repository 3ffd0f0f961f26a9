"""Lesson 04: find the prompter that never learned."""

from __future__ import annotations

from typing import Any

from course.check import Finding, JudgeExercise
from course.check.copies import touched
from course.check.words import type_words
from course.exercises.lesson_04 import answers

NOT_TWO = "your result is {got}: return two lists of names, (missing, silent)"
CHANGED = (
    "your code changes `{name}`: read model and optimizer as they are after backward(), without step() or zero_grad()"
)
FROZEN = "`{name}` is frozen on purpose: skip tensors that do not require a gradient"
HELD = "`{name}` is in the optimizer, in group {group}: look through all groups, and compare ids"
WRONG_LIST = "`{name}` is in the wrong list: {place}"
NOT_FOUND = "you miss `{name}` ({words}): no group of the optimizer holds this very tensor, so ask for its id()"
NO_GRADIENT = "you miss `{name}` ({words}): the optimizer holds it, but its .grad is None after the backward pass"
HAS_GRADIENT = "`{name}` has a gradient, even if all of it is zero now: only .grad None belongs in the second list"
NO_NAME = "{name} is no name of model.named_parameters(): your lists hold names of parameters"
ORDER = "your names are right, but not in the order of model.named_parameters(), or one is there twice"


def judge(answer: Any, training: answers.Training) -> str | Finding | None:
    """Say what is wrong with an answer on one training, or None."""
    model, optimizer = training.build()
    before = _state(model)
    got = answer(model, optimizer)
    pair = type(got) in (tuple, list) and len(got) == 2
    if not pair or any(type(part) not in (tuple, list) for part in got):
        words = " and ".join(type_words(part) for part in got) if pair else type_words(got)
        return Finding("type", NOT_TWO.format(got=words))
    after = _state(model)
    changed = next((name for name in before if touched(before[name], after[name])), None)
    if changed:
        return CHANGED.format(name=changed)
    want = expected(training)
    said = (_too_much(got, want, model, optimizer), _too_little(got, want, training.words))
    return next((sentence for sentence in said if sentence), None) or _order(got, want)


def _state(model: Any) -> dict[str, list[Any]]:
    """Return the values of every parameter and its gradient, in copies."""
    named = model.named_parameters()
    return {name: [each if each is None else each.detach().clone() for each in (p, p.grad)] for name, p in named}


def expected(training: answers.Training) -> tuple[list[str], list[str]]:
    """Return the right lists, from how the training was built."""
    model, _ = training.build()
    starts = tuple(start for group in training.groups for start in group)
    trainable = [name for name, tensor in model.named_parameters() if tensor.requires_grad]
    missing = [name for name in trainable if not name.startswith(starts)]
    silent = [name for name in trainable if training.unused and name.startswith("specific")]
    return missing, [name for name in silent if name not in missing]


def _too_much(got: Any, want: Any, model: Any, optimizer: Any) -> str | None:
    named = dict(model.named_parameters())
    for mine, right, other in ((got[0], want[0], want[1]), (got[1], want[1], want[0])):
        for name in mine:
            if type(name) is not str or name not in named:
                return NO_NAME.format(name=f"`{name}`" if type(name) is str else type_words(name))
            if not named[name].requires_grad:
                return FROZEN.format(name=name)
            if name in other:
                place = "it is in no group at all" if mine is got[1] else "the optimizer holds it; it has no gradient"
                return WRONG_LIST.format(name=name, place=place)
            if name not in right:
                group = _group(named[name], optimizer)
                return HELD.format(name=name, group=group) if mine is got[0] else HAS_GRADIENT.format(name=name)
    return None


def _group(tensor: Any, optimizer: Any) -> int:
    """Return the number of the optimizer's group that holds a tensor."""
    groups = enumerate(optimizer.param_groups)
    return next(number for number, group in groups if any(tensor is held for held in group["params"]))


def _too_little(got: Any, want: Any, words: str) -> str | None:
    for mine, right, text in ((got[0], want[0], NOT_FOUND), (got[1], want[1], NO_GRADIENT)):
        lost = next((name for name in right if name not in mine), None)
        if lost:
            return text.format(name=lost, words=words)
    return None


def _order(got: Any, want: Any) -> str | None:
    same = all(list(mine) == right for mine, right in zip(got, want, strict=True))
    return None if same else ORDER


OPTIMIZER = JudgeExercise(
    id="04-optimizer",
    points=3,
    reference=answers.never_learned,
    judge=judge,
    cases=lambda rng: list(answers.TRAININGS),
    hints=(
        "Collect what the optimizer holds: for group in optimizer.param_groups, for tensor in group['params'].",
        "Keep id(tensor), not the tensor: `in` compares values, and two tensors may have equal values.",
        "Go through model.named_parameters() and skip what has requires_grad False.",
        "id not among those held: first list. Else, if tensor.grad is None: second list.",
    ),
    forbids=("vpcore.count.trainable_report", "course.exercises.lesson_04.answers.never_learned"),
)
