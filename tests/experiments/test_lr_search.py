"""The search for a learning rate: where it looks, and how often."""

import math

import pytest

from vpcore.experiments.runs.lr_search import choose_rate


@pytest.mark.parametrize("best", [1e-5, 0.03, 1.0, 7.0, 1e3])
@pytest.mark.parametrize("trials", [3, 4, 5, 8])
def test_every_method_gets_the_same_number_of_trials(best: float, trials: int) -> None:
    asked: list[float] = []

    def score(rate: float) -> float:
        asked.append(rate)
        return -abs(math.log(rate / best))

    rate, scores = choose_rate(score, center=1.0, trials=trials)
    assert len(asked) == len(set(asked)) == trials
    assert list(scores) == pytest.approx(asked)
    assert score(rate) == max(scores.values())


def test_grid_grows_towards_a_best_rate_at_its_edge() -> None:
    rate, scores = choose_rate(lambda rate: rate, center=1.0, trials=5)
    assert rate == pytest.approx(10**1.5)
    assert sorted(scores)[0] == pytest.approx(10**-0.5)


def test_grid_gets_finer_around_a_best_rate_inside() -> None:
    _, scores = choose_rate(lambda rate: -abs(math.log(rate)), center=1.0, trials=5)
    assert sorted(scores) == pytest.approx([10**-0.5, 10**-0.25, 1, 10**0.25, 10**0.5])


@pytest.mark.parametrize(("best", "asked"), [(1.0, 5), (10.0, 5), (30.0, 6), (100.0, 7), (1e-3, 8), (1e9, 8)])
def test_a_best_rate_at_an_edge_gets_more_trials_until_it_is_inside_or_they_are_spent(best: float, asked: int) -> None:
    rate, scores = choose_rate(lambda rate: -abs(math.log(rate / best)), center=1.0, trials=5, more=3)
    assert len(scores) == asked
    assert (min(scores) < rate < max(scores)) is (best not in (1e-3, 1e9))
    without, few = choose_rate(lambda rate: -abs(math.log(rate / best)), center=1.0, trials=5)
    assert list(few.items()) == list(scores.items())[:5]  # the same first trials
    assert rate == without or asked > 5


def test_diverged_trial_is_worst() -> None:
    rate, _ = choose_rate(lambda rate: math.nan if rate > 0.5 else 0.1, center=1.0, trials=3)
    assert rate == pytest.approx(10**-0.5)


@pytest.mark.parametrize(("center", "trials"), [(1.0, 2), (0.0, 5), (-1.0, 5), (math.nan, 5)])
def test_refuses_what_cannot_be_searched(center: float, trials: int) -> None:
    with pytest.raises(ValueError, match="3 trials or more and a positive rate"):
        choose_rate(lambda rate: rate, center, trials)
