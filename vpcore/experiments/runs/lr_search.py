"""Choose a learning rate on validation data, with the same number of trials for every method."""

from __future__ import annotations

from collections.abc import Callable

STEP = 10**0.5  # ratio of neighboring rates of the first three trials


def choose_rate(
    score: Callable[[float], float], center: float, trials: int = 5, more: int = 0
) -> tuple[float, dict[float, float]]:
    """Try rates around a method's published value, and return the best one and what each trial scored.

    The first three rates are center / √10, center and center · √10. Then, as long as trials are left: if the best rate
    is the smallest or the largest so far, the grid grows by one step of √10 beyond it; else the wider of the two gaps
    beside the best rate is halved (on a log scale; the upper one if they are equal). So every method gets the same
    number of trials, also one whose best rate lies far from the published value. If the best rate is then still the
    smallest or the largest, up to `more` trials go on beyond it.

    Args:
        score: validation accuracy for a rate; larger is better, nan (a run that diverged) is worst.
        center: the published rate, > 0.
        trials: how many rates to try, 3 or more.
        more: how many trials may follow while the best rate is at an edge, 0 or more.

    Returns:
        The best rate (of equal ones the first that was tried), and {rate: score} in the order of trial.

    Raises:
        ValueError: fewer than 3 trials, or a center that is not positive.
    """
    if trials < 3 or not center > 0:
        raise ValueError(f"a search needs 3 trials or more and a positive rate, got {trials} and {center}")
    scores: dict[float, float] = {}  # by exponent: rate = center · STEP ** exponent

    def run(exponent: float) -> None:
        value = score(center * STEP**exponent)
        scores[exponent] = value if value == value else float("-inf")

    for exponent in (-1.0, 0.0, 1.0):
        run(exponent)
    while len(scores) < trials or (len(scores) < trials + more and _at_edge(scores)):
        run(_next(scores))
    best = max(scores, key=lambda exponent: scores[exponent])
    return center * STEP**best, {center * STEP**exponent: value for exponent, value in scores.items()}


def _at_edge(scores: dict[float, float]) -> bool:
    return max(scores, key=lambda exponent: scores[exponent]) in (min(scores), max(scores))


def _next(scores: dict[float, float]) -> float:
    tried = sorted(scores)
    place = tried.index(max(scores, key=lambda exponent: scores[exponent]))
    if place == 0:
        return tried[0] - 1
    if place == len(tried) - 1:
        return tried[-1] + 1
    below, best, above = tried[place - 1 : place + 2]
    return (best + above) / 2 if above - best >= best - below else (below + best) / 2
