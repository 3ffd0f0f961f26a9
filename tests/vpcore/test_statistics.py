"""Oracles: numbers from printed tables, textbook examples, and simulation; none from another statistics package."""

import math

import numpy as np
import pytest

from vpcore.statistics import (
    Interval,
    holm,
    image_variance,
    mean_sd,
    paired_interval,
    smallest_detectable_difference,
    t_interval,
    two_way_interval,
    two_way_p_value,
)

T_975 = {1: 12.706, 2: 4.303, 4: 2.776, 9: 2.262, 29: 2.045}  # two-sided 95 %, from a printed table
Z_975, Z_80 = 1.95996, 0.84162


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.1, 2, "above"),
        (-2, -0.1, "below"),
        (-0.1, 2, "cannot tell"),
        (0, 0, "cannot tell"),
        (0, 2, "cannot tell"),
        (np.nan, np.nan, "cannot tell"),
    ],
)
def test_the_verdict_follows_from_the_interval_alone(low, high, said):
    found = Interval((low + high) / 2, low, high)
    assert found.verdict() == said
    assert found.verdict("better", "worse") == {"above": "better", "below": "worse"}.get(said, said)


def test_mean_and_sample_deviation():
    mean, sd = mean_sd([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])  # sum of squares 32, n - 1 = 7
    assert mean == 5
    assert sd == pytest.approx(math.sqrt(32 / 7))
    assert mean_sd([0.25])[0] == 0.25
    assert math.isnan(mean_sd([0.25])[1])


@pytest.mark.parametrize("df", T_975)
def test_half_widths_are_those_of_the_t_table(df):
    values = list(np.random.default_rng(df).normal(size=df + 1))
    interval = t_interval(values)
    expected = T_975[df] * np.std(values, ddof=1) / math.sqrt(df + 1)
    assert (interval.high - interval.low) / 2 == pytest.approx(expected, rel=3e-4)
    assert (interval.high + interval.low) / 2 == pytest.approx(np.mean(values))
    assert interval.mean == pytest.approx(np.mean(values))


def test_students_sleep_data():
    """Student (1908): hours of sleep gained with two drugs; published mean 1.58, interval 0.70 … 2.46."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    interval = paired_interval(first, second)
    assert interval.mean == pytest.approx(1.58)
    assert (interval.low, interval.high) == pytest.approx((0.7001, 2.4599), abs=1e-4)


def test_pairs_matter_and_sign_is_treated_minus_baseline():
    baseline, treated = [0.1, 0.5, 0.9], [0.2, 0.6, 1.001]
    interval = paired_interval(baseline, treated)
    assert interval.mean == pytest.approx(0.301 / 3)
    assert interval.high - interval.low < 4e-3
    shuffled = paired_interval(baseline, treated[::-1])
    assert shuffled.high - shuffled.low > 1


def test_equal_values_that_round_otherwise_differ_in_nothing():
    interval = paired_interval([57.0, 29.0, 58.0], [100 * share for share in (0.57, 0.29, 0.58)])
    assert interval == (0, -math.inf, math.inf)
    assert interval.verdict() == "cannot tell"
    mixed = paired_interval([57.0, 29.0, 58.0], [100 * 0.57, 100 * 0.29, 59.0])
    assert mixed == paired_interval([0.0, 0.0, 0.0], [0.0, 0.0, 1.0])


def test_intervals_cover_as_often_as_they_say():
    draws = np.random.default_rng(0).normal(0.3, 2.0, size=(2000, 5))
    for level in (0.5, 0.95):
        found = [t_interval(list(row), level) for row in draws]
        covered = np.mean([interval.low <= 0.3 <= interval.high for interval in found])
        assert covered == pytest.approx(level, abs=0.03)


def studies(seeds, images, seed_sd, image_sd, count=2000):
    """Simulated comparisons with seeds and images both at random, and the true gain in accuracy."""
    rng, shift, hard = np.random.default_rng([seeds, images]), 0.1, 1.5
    for _ in range(count):
        difficulty = rng.normal(0, hard, (1, images))
        effect = shift + rng.normal(0, seed_sd, (seeds, 1)) + rng.normal(0, image_sd, (1, images))
        noise = rng.normal(size=(2, seeds, images))
        yield difficulty + noise[0] > 0, difficulty + effect + noise[1] > 0
    total = math.sqrt(1 + hard**2 + seed_sd**2 + image_sd**2)
    yield 0.5 * math.erf(shift / total / math.sqrt(2))


@pytest.mark.parametrize(
    ("seeds", "images", "seed_sd", "image_sd"), [(5, 400, 0.15, 0.3), (5, 1000, 0.1, 0.5), (3, 1000, 0.15, 0.4)]
)
def test_two_way_intervals_cover_as_often_as_they_say_and_one_lottery_alone_does_not(seeds, images, seed_sd, image_sd):
    *drawn, true = studies(seeds, images, seed_sd, image_sd)
    found = [two_way_interval(before, after) for before, after in drawn]
    covered = np.mean([interval.low <= true <= interval.high for interval in found])
    assert 0.93 <= covered <= 0.97
    spread = [math.sqrt(image_variance(before, after) / images) for before, after in drawn]
    alone = np.mean([abs(interval.mean - true) <= 1.96 * sd for interval, sd in zip(found, spread, strict=True)])
    assert alone < 0.9  # an interval of the test images alone


def test_a_two_way_interval_by_hand():
    """Gains [[1, 0, 0], [1, 1, 0]]: mean 1/2, MS_seed 1/6, MS_image 1/2, MS_rest 1/6."""
    interval = two_way_interval([[0, 0, 1], [0, 0, 1]], [[1, 0, 1], [1, 1, 1]])
    spread = 1 / 6 + (1 / 2 - 1 / 6)
    degrees = spread**2 / ((1 / 6) ** 2 / 1 + (1 / 2) ** 2 / 2 + (1 / 6) ** 2 / 2)  # 1.5
    assert degrees == pytest.approx(1.5)
    assert interval.mean == pytest.approx(0.5)
    assert interval.high - 0.5 == pytest.approx(6.0167 * math.sqrt(spread / 6), rel=1e-4)  # t of 1.5 degrees
    assert interval.low == pytest.approx(1 - interval.high)


def test_a_two_way_interval_is_never_narrower_than_that_of_the_images():
    rng = np.random.default_rng(0)
    before, after = rng.integers(0, 2, (5, 300)), rng.integers(0, 2, (5, 300))
    after[1:], before[1:] = after[0], before[0]  # all seeds agree
    half = two_way_interval(before, after).high - np.mean(after - before)
    assert half > 1.95 * math.sqrt(image_variance(before, after) / 300)


def test_equals_get_bounds_that_the_images_allow():
    """With no image of I on which two differ, the share of such images is below 1 - 0.025^(1/I): Clopper, Pearson."""
    same = np.random.default_rng(0).integers(0, 2, (3, 300))
    found = two_way_interval(same, same)
    assert (1 - found.high) ** 300 == pytest.approx(0.025)
    assert (found.mean, found.low) == (0, -found.high)
    assert two_way_interval(same[:, :100], same[:, :100]).high > found.high
    gained = two_way_interval(np.zeros((2, 40), int), np.ones((2, 40), int))
    assert (gained.mean, gained.high) == (1, 1)
    assert gained.low == pytest.approx(0.025 ** (1 / 40))
    assert (two_way_p_value(same, same), two_way_p_value(1 - same * 0, same * 0)) == (1, 0)
    for equal in ([0.1, 0.1, 0.1], [0.9 - 0.6, 0.8 - 0.5]):  # the last differ by rounding alone
        unknown = t_interval(equal)
        assert (unknown.low, unknown.high) == (-math.inf, math.inf)
    assert paired_interval([0.6, 0.5], np.array([0.9, 0.8])).high == math.inf


def test_a_p_value_is_the_level_at_which_the_interval_ends_at_zero():
    rng = np.random.default_rng(3)
    before, after = rng.random((4, 200)) < 0.6, rng.random((4, 200)) < 0.67
    p_value = two_way_p_value(before, after)
    assert 0.001 < p_value < 0.5
    assert two_way_interval(before, after, 1 - p_value).low == pytest.approx(0, abs=1e-9)
    assert two_way_p_value(after, before) == pytest.approx(p_value)


def test_holm_keeps_its_promise_and_is_the_step_down_of_its_author():
    assert holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]  # 0.03 > 0.05 / 2, so 0.04 falls too
    assert holm([0.049]) == [True]
    assert holm([]) == []
    rng = np.random.default_rng(0)
    false = np.mean([any(holm(list(rng.random(20)))) for _ in range(2000)])
    assert false <= 0.06  # of twenty equals; 0.64 without the correction


def test_plain_lists_and_arrays_give_one_answer():
    values = [0.5, 0.25, 0.75, 0.875]
    assert mean_sd(np.array(values)) == mean_sd(values)
    assert t_interval(np.array(values)) == t_interval(values)
    assert t_interval(np.float32(values)) == t_interval(values)
    assert paired_interval(np.array(values), np.array(values[::-1])) == paired_interval(values, values[::-1])


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_the_detectable_difference_is_found_with_the_power_it_says(seeds):
    rng, count = np.random.default_rng(seeds), 20_000
    true = smallest_detectable_difference(0.02, seeds, 0.0, 1000)
    drawn = rng.normal(true, 0.02, size=(count, seeds))
    ends = drawn.mean(1) / (drawn.std(1, ddof=1) / math.sqrt(seeds))
    critical = (t_interval(list(drawn[0])).high - drawn[0].mean()) / (drawn[0].std(ddof=1) / math.sqrt(seeds))
    assert np.mean(np.abs(ends) > critical) == pytest.approx(0.8, abs=0.01)


def test_detectable_difference_of_images_alone_is_that_of_the_normal_distribution():
    assert smallest_detectable_difference(0.0, 5, 0.04, 100_000) == pytest.approx(
        (Z_975 + Z_80) * math.sqrt(0.04 / 100_000), rel=1e-4
    )
    assert smallest_detectable_difference(0.0, 5, 0.0, 1000) == 0


def test_detectable_differences_grow_with_either_spread_and_shrink_with_more_of_either():
    both = smallest_detectable_difference(0.01, 5, 0.04, 1000)
    seeds, images = (smallest_detectable_difference(sd, 5, d, 1000) for sd, d in ((0.01, 0.0), (0.0, 0.04)))
    assert max(seeds, images) < both < seeds + images
    assert smallest_detectable_difference(0.01, 10, 0.04, 1000) < both
    assert smallest_detectable_difference(0.01, 5, 0.04, 4000) < both
    assert smallest_detectable_difference(0.01, 5, 0.04, 1000, power=0.9) > both
    assert smallest_detectable_difference(0.0, 5, 0.04, 4000) == pytest.approx(images / 2, rel=2e-3)


def test_image_variance_of_one_seed_is_that_of_mcnemar():
    baseline, treated = [[1, 1, 0, 0, 1, 0, 1, 1]], [[1, 0, 1, 1, 1, 0, 1, 1]]
    disagree, gain = 3 / 8, (2 - 1) / 8
    assert image_variance(baseline, treated) == pytest.approx(disagree - gain**2)
    assert image_variance(baseline, baseline) == 0


def test_image_variance_averages_over_seeds_first():
    assert image_variance([[0, 0], [1, 1]], [[1, 1], [0, 0]]) == 0
    assert image_variance([[0, 1], [0, 1]], [[1, 0], [1, 0]]) == 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mean_sd([]), "a mean needs at least one value"),
        (lambda: mean_sd([1.0, math.nan]), "values must be finite ones"),
        (lambda: mean_sd(np.ones((2, 3))), "values must be a list of numbers, got 2 dimensions: pass one row"),
        (lambda: t_interval([1.0, math.inf]), "values must be finite ones"),
        (lambda: paired_interval(np.array([1.0, math.nan]), np.array([1.0, math.nan])), "values must be finite ones"),
        (lambda: two_way_interval([[0, 1], [0, math.nan]], [[1, 1], [0, 1]]), "0 or 1"),
        (lambda: two_way_p_value([[0, 1], [0, 1]], [[1, 1], [0, 0.5]]), "0 or 1"),
        (lambda: image_variance([[0, math.nan]], [[1, 1]]), "0 or 1"),
        (lambda: holm([0.5, math.nan]), "p-values lie in 0 … 1, got nan"),
        (lambda: holm([0.5], 95), "level must lie between 0 and 1, got 95"),
        (lambda: two_way_interval([[0, 1]], [[1, 1]]), "two of each or more, got"),
        (lambda: two_way_interval([[0, 1], [0, 1]], [[1, 1], [0, 2]]), "0 or 1"),
        (lambda: two_way_interval([[0, 1], [0, 1]], [[1, 1], [0, 1]], 95), "level must lie between 0 and 1, got 95"),
        (lambda: t_interval([1.0]), "an interval needs at least 2 values, got 1: run more seeds"),
        (lambda: t_interval([1.0, 2.0], 1.0), "level must lie between 0 and 1, got 1.0"),
        (lambda: paired_interval([1.0, 2.0], [1.0]), "pairs need one value each, got 2 and 1"),
        (lambda: smallest_detectable_difference(0.1, 1, 0.1, 10), "at least 2 seeds and 1 test image, got 1 and 10"),
        (lambda: smallest_detectable_difference(0.1, 2, 0.1, 0), "at least 2 seeds and 1 test image, got 2 and 0"),
        (lambda: smallest_detectable_difference(-0.1, 2, 0.1, 10), "sd and disagreement must be 0 or more, got -0.1"),
        (
            lambda: smallest_detectable_difference(math.nan, 2, 0.1, 10),
            "sd and disagreement must be 0 or more, got nan",
        ),
        (lambda: smallest_detectable_difference(0.1, 2, 0.1, 10, power=0), "power must lie between 0 and 1, got 0"),
        (lambda: image_variance([[1, 0]], [[1, 0, 1]]), r"one row a seed and one entry an image, got \(1, 2\)"),
    ],
)
def test_errors_say_what_to_do(call, says):
    with pytest.raises(ValueError, match=says):
        call()
