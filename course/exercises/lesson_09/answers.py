"""Lesson 09, the bake-off: the right answers, and the inputs they are compared on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["audit", "choose_rates", "few_shot", "front", "holm", "win_share"]


def few_shot(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Return, class by class, the first `shots` images of the class in this order."""
    chosen = []
    for label in labels.unique():
        members = order[labels[order] == label]
        chosen.append(members[:shots])
    return torch.cat(chosen)


def few_shot_cases(rng: torch.Generator) -> list[Any]:
    cases = []
    for classes, count, shots in ((3, 20, 1), (4, 30, 4), (2, 9, 16)):
        labels = torch.cat([torch.arange(classes), torch.randint(classes, (count - classes,), generator=rng)])
        cases.append((labels[torch.randperm(count, generator=rng)], torch.randperm(count, generator=rng), shots))
    return cases


def choose_rates(trials: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
    """Return each method's best rate among as many of its first trials as every method has."""
    budget = min(len(tried) for tried in trials.values())
    chosen = {}
    for method, tried in trials.items():
        best_rate, best = tried[0]
        for rate, accuracy in tried[1:budget]:
            if accuracy > best:
                best_rate, best = rate, accuracy
        chosen[method] = best_rate
    return chosen


def choose_rates_cases(rng: torch.Generator) -> list[Any]:
    fair = {"probe": [(0.1, 0.2), (0.013, 0.5), (0.7, 0.4)], "pad": [(0.1, 0.6), (0.013, 0.3), (0.7, 0.1)]}
    early = {"probe": [(0.1, 0.2), (0.013, 0.5)], "pad": [(0.1, 0.95), (0.013, 0.1), (0.7, 0.2), (3.1, 0.9)]}
    late = {"pad": [(0.7, 0.3), (0.1, 0.1), (0.013, 0.2), (3.1, 0.9)], "probe": [(0.1, 0.2), (0.013, 0.5)]}
    ties = {"probe": [(0.3, 0.5), (0.8, 0.5)], "pad": [(0.013, 0.1), (0.1, 0.4), (0.7, 0.8)]}
    ties["norm"] = [(0.8, 0.2), (0.05, 0.2)]  # of equals the first is once the smaller, once the larger rate
    return [fair, late, early, ties]


def audit(runs: list[dict[str, Any]], baseline: str) -> dict[str, bool]:
    """Return for each method whether it breaks the protocol."""
    seeds: dict[str, list[int]] = {}
    guilty = set()
    for run in runs:
        seeds.setdefault(run["method"], [])
        if run["kind"] == "trial" and run["split"] == "test":
            guilty.add(run["method"])
        if run["kind"] == "final":
            seeds[run["method"]].append(run["seed"])
    for method, found in seeds.items():
        if sorted(found) != sorted(set(seeds[baseline])):
            guilty.add(method)
    return {method: method in guilty for method in seeds}


def _runs(method: str, trials: str, seeds: list[int]) -> list[dict[str, Any]]:
    tried = [{"method": method, "kind": "trial", "split": s, "seed": 9 - i} for i, s in enumerate(trials.split())]
    return tried + [{"method": method, "kind": "final", "split": "test", "seed": seed} for seed in seeds]


def audit_cases(rng: torch.Generator) -> list[Any]:
    base = _runs("probe", "valid valid", [0, 1, 2])
    peeks = base + _runs("pad", "valid test", [0, 1, 2]) + _runs("AP", "valid valid valid", [0, 1, 2])
    clean = _runs("probe", "valid", [1, 4, 7]) + _runs("norm", "valid valid", [7, 1, 4]) + _runs("full", "", [1, 4, 7])
    seeds = _runs("probe", "valid valid", [1, 4, 7]) + _runs("pad", "valid", [2, 3, 7]) + _runs("AP", "valid", [1, 4])
    again = _runs("norm", "valid valid", [0, 1, 2, 2]) + base + _runs("AP", "test valid", [1, 2, 3])
    unfinished = base + _runs("pad", "valid valid", [])
    within = _runs("probe", "valid valid", [7, 8, 9]) + _runs("pad", "train valid", [9, 7, 8])  # trials have seeds 9, 8
    return [(runs, "probe") for runs in (peeks, clean, seeds, again, unfinished, within)]


def repeating_baseline() -> tuple[list[dict[str, Any]], str]:
    """Return runs in which the baseline itself ran a seed twice."""
    return _runs("probe", "valid", [0, 1, 1, 2]) + _runs("norm", "valid", [0, 1, 2]), "probe"


def audit_words(runs: list[dict[str, Any]], baseline: str) -> list[str]:
    """Say a list of runs in a few words: for each method the splits of its trials, and its final seeds."""
    said = []
    for method in dict.fromkeys(run["method"] for run in runs):
        mine = [run for run in runs if run["method"] == method]
        trials = " ".join(run["split"] for run in mine if run["kind"] == "trial")
        seeds = " ".join(str(run["seed"]) for run in mine if run["kind"] == "final")
        said.append(f"{method}: trials {trials or 'none'}, final seeds {seeds or 'none'}")
    return ["; ".join(said)]


def front(parameters: list[int], accuracies: list[float]) -> list[bool]:
    """Return for each method whether no other beats it: as few numbers, as much accuracy, and better in one."""
    kept = []
    for i in range(len(parameters)):
        beaten = False
        for j in range(len(parameters)):
            no_worse = parameters[j] <= parameters[i] and accuracies[j] >= accuracies[i]
            better = parameters[j] < parameters[i] or accuracies[j] > accuracies[i]
            beaten = beaten or (no_worse and better)
        kept.append(not beaten)
    return kept


def front_cases(rng: torch.Generator) -> list[Any]:
    return [
        ([0, 5000, 96, 640], [0.50, 0.90, 0.60, 0.55]),
        ([10, 10, 20, 20], [0.5, 0.6, 0.6, 0.7]),
        ([7, 7, 3], [0.5, 0.5, 0.2]),
        ([1, 2, 3], [0.9, 0.8, 0.7]),
        ([9, 5, 12], [0.4, 0.4, 0.8]),
    ]


def win_share(accuracies: Tensor, draws: Tensor) -> Tensor:
    """Return how often each method (row) has the highest mean over redrawn seeds: shares that sum to 1."""
    means = accuracies[:, draws].mean(-1)  # (methods, draws)
    winners = means.argmax(0)
    return torch.bincount(winners, minlength=len(accuracies)).double() / len(draws)


def win_share_cases(rng: torch.Generator) -> list[Any]:
    cases = []
    for methods, seeds, draws in ((3, 5, 200), (4, 6, 101)):
        accuracies = torch.rand(methods, seeds, generator=rng, dtype=torch.float64)
        cases.append((accuracies, torch.randint(seeds, (draws, seeds), generator=rng)))
    return cases


def holm(p_values: list[float], level: float) -> list[bool]:
    """Return which claims stand when all are to be true together with probability 1 − level (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    stands = [False] * len(p_values)
    for rank, place in enumerate(order):
        if p_values[place] > level / (len(p_values) - rank):
            break
        stands[place] = True
    return stands


def holm_cases(rng: torch.Generator) -> list[Any]:
    return [
        ([0.001, 0.04, 0.03, 0.2], 0.05),
        ([0.04, 0.0125, 0.045, 0.025], 0.05),  # 0.0125 is exactly at its limit
        ([0.02, 0.001, 0.2, 0.045, 0.012], 0.05),
        ([0.2, 0.025, 0.0127, 0.02], 0.05),
        ([0.03, 0.02, 0.9], 0.1),
    ]
