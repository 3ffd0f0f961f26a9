"""Lesson 09, the bake-off: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course.exercises.lesson_09.answers import audit, choose_rates, few_shot


def ignores_order(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Take the first images of the file, whatever the order."""
    return few_shot(labels, torch.arange(len(labels)), shots)


def takes_positions(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Return positions in the order instead of images."""
    ranked = labels[order]
    return torch.cat([(ranked == label).nonzero()[:shots, 0] for label in labels.unique()])


def takes_last(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Take the last images of each class."""
    return torch.cat([order[labels[order] == label][-shots:] for label in labels.unique()])


def shots_in_all(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Take that many images in all."""
    return order[:shots]


def mask_misplaced(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Apply a mask over the images to the order."""
    return torch.cat([order[labels == label][:shots] for label in labels.unique()])


def sorted_shots(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Sort the images of each class."""
    chosen = few_shot(labels, order, shots)
    return torch.cat([chosen[labels[chosen] == label].sort().values for label in labels.unique()])


def as_drawn(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Mix the classes as they are drawn."""
    return order[torch.isin(order, few_shot(labels, order, shots))]


def as_seen(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Take the classes as they come."""
    seen = dict.fromkeys(labels[order].tolist())
    return torch.cat([order[labels[order] == label][:shots] for label in seen])


def labels_instead(labels: Tensor, order: Tensor, shots: int) -> Tensor:
    """Return labels."""
    return labels[few_shot(labels, order, shots)]


def rates_with(
    budget: Callable[[dict[str, Any]], int] | None = None, last: bool = False, pick: str = "first"
) -> Callable[[dict[str, Any]], dict[str, float]]:
    """Return a wrong choice of rates: another budget, the last trials, later ties, or the largest rate."""

    def wrong(trials: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
        count = (budget or (lambda found: min(map(len, found.values()))))(trials)
        kept = {name: tried[-count:] if last else tried[:count] for name, tried in trials.items()}
        if pick == "tie":
            return {name: max(reversed(tried), key=lambda one: one[1])[0] for name, tried in kept.items()}
        if pick == "small tie":
            return {name: max(tried, key=lambda one: (one[1], -one[0]))[0] for name, tried in kept.items()}
        if pick == "large tie":
            return {name: max(tried, key=lambda one: one[::-1])[0] for name, tried in kept.items()}
        if pick == "rate":
            return {name: max(rate for rate, _ in tried) for name, tried in kept.items()}
        if pick == "worst":
            return {name: min(tried, key=lambda one: one[1])[0] for name, tried in kept.items()}
        return {name: max(tried, key=lambda one: one[1])[0] for name, tried in kept.items()}

    return wrong


def sorted_first(trials: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
    """Sort by rate before the cut."""
    return choose_rates({name: sorted(tried) for name, tried in trials.items()})


def accuracies_instead(trials: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
    """Return the best accuracy instead of its rate."""
    rates = choose_rates(trials)
    return {name: dict(trials[name])[rates[name]] for name in trials}


def audit_with(
    trials: bool = True, missing: bool = True, repeats: bool = True, order: bool = False
) -> Callable[[list[dict[str, Any]], str], dict[str, bool]]:
    """Return an audit that overlooks something, or complains about the order of seeds."""

    def wrong(runs: list[dict[str, Any]], baseline: str) -> dict[str, bool]:
        seeds: dict[str, list[int]] = {}
        guilty = set()
        for run in runs:
            seeds.setdefault(run["method"], [])
            if trials and run["kind"] == "trial" and run["split"] == "test":
                guilty.add(run["method"])
            if run["kind"] == "final":
                seeds[run["method"]].append(run["seed"])
        for method, found in seeds.items():
            want = seeds[baseline]
            same = found == want if order else sorted(set(found)) == sorted(set(want))
            same = same or (not missing and len(found) == len(want))
            if not same or (repeats and len(found) > len(set(found))):
                guilty.add(method)
        return {method: method in guilty for method in seeds}

    return wrong


def any_valid(runs: list[dict[str, Any]], baseline: str) -> dict[str, bool]:
    """Name every method whose trials read validation images."""
    named = {run["method"] for run in runs if run["kind"] == "trial" and run["split"] == "valid"}
    quiet = [{**run, "split": "valid"} for run in runs]
    return {method: guilty or method in named for method, guilty in audit(quiet, baseline).items()}


def all_seeds(runs: list[dict[str, Any]], baseline: str) -> dict[str, bool]:
    """Take the seeds of trials for those of final runs."""
    peeked = {run["method"] for run in runs if run["kind"] == "trial" and run["split"] == "test"}
    guilty = audit([{**run, "kind": "final"} for run in runs], baseline)
    return {method: method in peeked or found for method, found in guilty.items()}


def trials_of_baseline(runs: list[dict[str, Any]], baseline: str) -> dict[str, bool]:
    """Count the seeds of the baseline's trials among those that all must have."""
    more = [{**run, "kind": "final"} for run in runs if run["method"] == baseline and run["kind"] == "trial"]
    guilty = audit([*runs, *more], baseline)
    want = {run["seed"] for run in runs if run["method"] == baseline}
    own = [run["seed"] for run in runs if run["method"] == baseline and run["kind"] == "final"]
    return {**guilty, baseline: sorted(own) != sorted(want)}


def any_split(runs: list[dict[str, Any]], baseline: str) -> dict[str, bool]:
    """Name every method whose trials read anything but validation images."""
    return audit([{**run, "split": "test" if run["split"] != "valid" else "valid"} for run in runs], baseline)


def subset_of_seeds(runs: list[dict[str, Any]], baseline: str) -> dict[str, bool]:
    """Ask only that no seed is foreign."""
    base = [run["seed"] for run in runs if run["kind"] == "final" and run["method"] == baseline]
    guilty = {run["method"]: False for run in runs}
    for run in runs:
        peeked = run["kind"] == "trial" and run["split"] == "test"
        guilty[run["method"]] |= peeked or (run["kind"] == "final" and run["seed"] not in base)
    return guilty


def any_test(runs: list[dict[str, Any]], baseline: str) -> dict[str, bool]:
    """Name every method that reads the test set at all."""
    reading = {run["method"] for run in runs if run["split"] == "test"}
    return {method: guilty or method in reading for method, guilty in audit(runs, baseline).items()}


def only_finals(runs: list[dict[str, Any]], baseline: str) -> dict[str, bool]:
    """Forget methods without any final run."""
    finished = {run["method"] for run in runs if run["kind"] == "final"}
    return {method: guilty and method in finished for method, guilty in audit(runs, baseline).items()}


def front_with(strict: bool = True, fewer: bool = True, higher: bool = True) -> Callable[[Any, Any], list[bool]]:
    """Return a wrong front: equals beat each other, or the direction of an axis is turned."""

    def wrong(parameters: list[int], accuracies: list[float]) -> list[bool]:
        points = [
            (p if fewer else -p, -a if higher else a) for p, a in zip(parameters, accuracies, strict=True)
        ]  # smaller is better
        kept = []
        for i, one in enumerate(points):
            rivals = [other for j, other in enumerate(points) if j != i]
            if strict:
                beaten = any(all(x <= y for x, y in zip(r, one, strict=True)) and r != one for r in rivals)
            else:
                beaten = any(all(x <= y for x, y in zip(r, one, strict=True)) for r in rivals)
            kept.append(not beaten)
        return kept

    return wrong


def front_both(parameters: list[int], accuracies: list[float]) -> list[bool]:
    """Call a method beaten only by one that is better in both."""
    pairs = list(zip(parameters, accuracies, strict=True))
    return [not any(q < p and b > a for q, b in pairs) for p, a in pairs]


def front_by_accuracy(parameters: list[int], accuracies: list[float]) -> list[bool]:
    """Call a method beaten only by one that is more accurate."""
    pairs = list(zip(parameters, accuracies, strict=True))
    return [not any(q <= p and b > a for q, b in pairs) for p, a in pairs]


def front_by_size(parameters: list[int], accuracies: list[float]) -> list[bool]:
    """Call a method beaten only by one that learns less."""
    pairs = list(zip(parameters, accuracies, strict=True))
    return [not any(q < p and b >= a for q, b in pairs) for p, a in pairs]


def front_per_number(parameters: list[int], accuracies: list[float]) -> list[bool]:
    """Keep the method with the most accuracy for each learned number."""
    ratios = [a / max(p, 1) for p, a in zip(parameters, accuracies, strict=True)]
    return [ratio == max(ratios) for ratio in ratios]


def wins_over_seeds(accuracies: Tensor, draws: Tensor) -> Tensor:
    """Count in how many seeds a method is best, without redrawing."""
    return torch.bincount(accuracies.argmax(0), minlength=len(accuracies)).double() / accuracies.shape[1]


def wins_counted(accuracies: Tensor, draws: Tensor) -> Tensor:
    """Leave counts instead of shares."""
    winners = accuracies[:, draws].mean(-1).argmax(0)
    return torch.bincount(winners, minlength=len(accuracies)).double()


def wins_single(accuracies: Tensor, draws: Tensor) -> Tensor:
    """Let every redrawn seed be a contest of its own."""
    winners = accuracies[:, draws].argmax(0).flatten()
    return torch.bincount(winners, minlength=len(accuracies)).double() / len(winners)


def wins_luckiest(accuracies: Tensor, draws: Tensor) -> Tensor:
    """Take the best of the redrawn seeds for their mean."""
    winners = accuracies[:, draws].max(-1).values.argmax(0)
    return torch.bincount(winners, minlength=len(accuracies)).double() / len(draws)


def wins_worst(accuracies: Tensor, draws: Tensor) -> Tensor:
    """Count the lowest mean."""
    winners = accuracies[:, draws].mean(-1).argmin(0)
    return torch.bincount(winners, minlength=len(accuracies)).double() / len(draws)


def holm_with(divide: Callable[[int, int], float], stop: bool = True) -> Callable[[list[float], float], list[bool]]:
    """Return a wrong correction: another divisor, or no stop at the first claim that falls."""

    def wrong(p_values: list[float], level: float) -> list[bool]:
        order = sorted(range(len(p_values)), key=lambda place: p_values[place])
        stands = [False] * len(p_values)
        for rank, place in enumerate(order):
            if p_values[place] <= level / divide(len(p_values), rank):
                stands[place] = True
            elif stop:
                break
        return stands

    return wrong


def holm_step_up(limit: Callable[[int, int], float]) -> Callable[[list[float], float], list[bool]]:
    """Return a correction that looks for the last claim under its limit, a share of the level."""

    def wrong(p_values: list[float], level: float) -> list[bool]:
        order, count = sorted(range(len(p_values)), key=lambda place: p_values[place]), len(p_values)
        under = [rank for rank, place in enumerate(order) if p_values[place] <= level * limit(count, rank)]
        stands = set(order[: max(under, default=-1) + 1])
        return [place in stands for place in range(count)]

    return wrong


def holm_strict(p_values: list[float], level: float) -> list[bool]:
    """Let a claim at its limit fall."""
    return holm_with(lambda n, r: (n - r) * (1 + 1e-9))(p_values, level)


def holm_sorted(p_values: list[float], level: float) -> list[bool]:
    """Leave the claims sorted."""
    return sorted(holm_with(lambda n, r: n - r)(p_values, level), reverse=True)


def holm_unsorted(p_values: list[float], level: float) -> list[bool]:
    """Go through the claims in the order they were given."""
    stands = [False] * len(p_values)
    for rank, p in enumerate(p_values):
        if p > level / (len(p_values) - rank):
            break
        stands[rank] = True
    return stands
