"""Lesson 07: the exercises about comparing maps: shuffled networks, rank correlation and its interval."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course.check import FunctionExercise, JudgeExercise, Mistake
from course.check.copies import touched
from course.check.guards import watched
from course.exercises.lesson_07 import answers, wrong

HERE = "course.exercises.lesson_07.answers"


def judge_shuffle(answer: Callable[..., Any], case: answers.Cascade) -> str | None:
    """Say what is wrong with a shuffled copy, or None."""
    given = copy.deepcopy(case.parts)
    kept = copy.deepcopy(case.parts)
    made, spent = watched(answer, given, case.count, case.seed)
    if not isinstance(made, nn.ModuleList):
        return f"your function returns a {type(made).__name__}: return the copy, a ModuleList"
    return (
        _untouched(made, given, kept)
        or _places(made, kept, case.count)
        or (spent and "you draw from a global random stream: make a generator of your own from the seed")
        or _repeats(answer, case, made)
        or None
    )


def _untouched(made: nn.ModuleList, given: nn.ModuleList, kept: nn.ModuleList) -> str | None:
    if not _same(given, kept):
        return "your function changes the network that it was given: copy it first, with copy.deepcopy"
    if touched(kept, given):
        return "your function puts the network that it was given into another mode: call eval() on the copy alone"
    theirs = {values.data_ptr() for values in given.state_dict().values()}
    if any(values.data_ptr() in theirs for values in made.state_dict().values()):
        return "your copy shares tensors with the original: copy.deepcopy copies the tensors too"
    return None


def _places(made: nn.ModuleList, kept: nn.ModuleList, count: int) -> str | None:
    if len(made) != len(kept):
        return f"your copy has {len(made)} parts, and the original has {len(kept)}: keep the others as they are"
    first = len(kept) - count
    moved = [not _same(a, b) for a, b in zip(made, kept, strict=True)]
    if not count and all(moved):
        return "with count 0 you shuffle everything: a slice [-0:] is the whole list; start at len(parts) - count"
    if moved[:first] != [False] * first:
        return "you shuffle parts at the bottom: only the last `count` are meant, the rest keeps its weights"
    pairs = [(a, b) for x, y in zip(made[first:], kept[first:], strict=True) for a, b in zip(
        x.parameters(), y.parameters(), strict=True)]  # fmt: skip
    if any(a.shape != b.shape or not torch.equal(a.flatten().sort()[0], b.flatten().sort()[0]) for a, b in pairs):
        return "your entries are not the old ones in another order: shuffle each parameter's entries, draw none anew"
    if any(b.numel() > 3 and torch.equal(a, b) for a, b in pairs):
        return "you leave some parameters of the last parts as they were: shuffle biases and norm weights too"
    axes = [(a.movedim(axis, 0), b.movedim(axis, 0)) for a, b in pairs if b.dim() > 1 for axis in range(b.dim())]
    if any(_rows(a) == _rows(b) for a, b in pairs if b.dim() > 1):
        return "you move whole rows of a weight: shuffle all its entries, flattened"
    if any(_rows(a) == _rows(b) for a, b in axes):
        return "you move whole columns of a weight: shuffle all its entries, flattened"
    if any(torch.equal(a.flatten(1).sort()[0], b.flatten(1).sort()[0]) for a, b in axes):
        return "you shuffle within rows or columns of a weight: shuffle all its entries, flattened"
    buffers = zip(made.named_buffers(), kept.buffers(), strict=True)
    moved_buffers = [name for (name, a), b in buffers if not torch.equal(a, b)]
    if moved_buffers:
        return "you shuffle the statistics of a batch norm, which are buffers: only parameters are meant"
    return None


def _repeats(answer: Callable[..., Any], case: answers.Cascade, made: nn.ModuleList) -> str | None:
    if not _same(made, answer(copy.deepcopy(case.parts), case.count, case.seed)):
        return "your copy comes out differently at each call: take every order from a generator with the given seed"
    if case.count and _same(made, answer(copy.deepcopy(case.parts), case.count, case.seed + 1)):
        return "your copy is the same for every seed: give the seed to the generator"
    return None


def _same(a: nn.Module, b: nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def _rows(values: torch.Tensor) -> list[list[float]]:
    return sorted(values.detach().flatten(1).tolist())


RANDOMIZE = JudgeExercise(
    id="07-randomize",
    points=3,
    reference=answers.shuffle_top,
    judge=judge_shuffle,
    cases=answers.cascades,
    hints=(
        "shuffled = copy.deepcopy(parts) first; from then on touch only the copy.",
        "draw = torch.Generator().manual_seed(seed), and torch.randperm(n, generator=draw) is a random order of n.",
        "Under torch.no_grad(), for each part of list(shuffled)[len(parts) - count:], for each of its parameters: "
        "values.copy_(values.flatten()[order].view_as(values)).",
    ),
    forbids=(f"{HERE}.shuffle_top",),
)

RANK = FunctionExercise(
    id="07-rank",
    points=3,
    reference=answers.rank_correlation,
    cases=answers.rank_cases,
    hints=(
        "stats.rankdata(values) flattens an array and gives equal values their mean rank.",
        "Rank both, take off each one's mean, then Σ a·b / √(Σ a² · Σ b²).",
        "If all values of an array are equal, its ranks are too, and the denominator is 0: return 0.0 then.",
    ),
    mistakes=(
        Mistake("you correlate the values: take the ranks of both first", wrong.on_values),
        Mistake("you correlate the values themselves, which is nan where all are equal: take the ranks of both first",
                wrong.on_values_unguarded),
        Mistake("you give equal values different ranks, by their place: equal values share their mean rank",
                wrong.ordinal),
        Mistake("argsort twice gives equal values different ranks: equal values share their mean rank",
                wrong.sorted_twice),
        Mistake("you give equal values the smallest of their ranks: they share their mean rank", wrong.smallest_rank),
        Mistake("argsort says where each rank stands, not which rank each entry has: use stats.rankdata",
                wrong.places),
        Mistake("1 − 6 Σ d² / (n(n² − 1)) holds without ties only: correlate the ranks", wrong.short_formula),
        Mistake("you return nan for an array whose values are all equal: return 0.0", wrong.unguarded),
        Mistake("you drop the sign: opposite orders have a correlation of −1", wrong.absolute),
    ),
    forbids=(f"{HERE}.rank_correlation",),
)  # fmt: skip

INTERVAL = FunctionExercise(
    id="07-interval",
    points=2,
    reference=answers.bootstrap_interval,
    cases=answers.bootstrap_cases,
    hints=(
        "One row of draws picks n pairs, some of them more than once: x[draw] and y[draw], with the same draw.",
        "Collect stats.spearmanr(x[draw], y[draw]).statistic for every row.",
        "low, high = np.quantile(found, (0.025, 0.975))",
    ),
    mistakes=(
        Mistake("you draw x and leave y in place, which tears the pairs apart: index both with the same draw",
                wrong.bootstrap_with(pairs=False)),
        Mistake("you leave out 5 % at each end: for 95 % in the middle take the quantiles 0.025 and 0.975",
                wrong.bootstrap_with(level=0.9)),
        Mistake("np.percentile counts in percent: take 2.5 and 97.5 there, or np.quantile", wrong.in_percent),
        Mistake("you correlate the values of each draw: correlate their ranks", wrong.bootstrap_with(ranks=False)),
        Mistake("you rank all pairs once, before you draw: rank anew within each draw", wrong.ranked_once),
        Mistake("your interval is mean ± 1.96 sd, which can pass 1: take quantiles of the draws",
                wrong.bootstrap_with(normal=True)),
        Mistake("your interval is the whole range of the draws: leave out 2.5 % at each end", wrong.extremes),
    ),
    forbids=(f"{HERE}.bootstrap_interval", f"{HERE}.rank_correlation"),
)  # fmt: skip
