"""Figures of points: the sentence says what is seen, and every method and group is told apart without color."""

import numpy as np
import pytest

from course.show.clouds import clouds, tradeoff

SEEDS = np.array([50.0, 52.0, 54.0])


def test_a_tradeoff_says_cost_and_accuracy():
    points = {f"arm {number}": (100 * (number + 1), SEEDS + number) for number in range(10)}
    picture = tradeoff(points, "Cost", across="learned numbers", label="recorded, 3 seeds")
    assert "arm 0 100 and 52.0 ± 2.0" in picture.alt
    assert picture.alt.endswith("Recorded, 3 seeds.")
    panel = picture.figure.axes[0]
    assert [text.get_text() for text in panel.texts] == [str(number + 1) for number in range(10)]
    looks = [(bars[0].get_color(), bars[0].get_marker()) for bars in panel.containers]
    assert len(set(looks)) == 10
    assert panel.get_xscale() == "log"
    assert picture.png().startswith(b"\x89PNG")


def test_a_method_that_learns_nothing_has_a_place():
    picture = tradeoff({"none": (0, SEEDS), "some": (1_344, SEEDS)}, "Cost", across="learned numbers")
    panel = picture.figure.axes[0]
    assert (panel.get_xscale(), panel.containers[0][0].get_xdata()[0]) == ("symlog", 0)
    assert panel.get_xticks().tolist() == [0, 1_000, 10_000]
    assert "none 0 and" in picture.alt


def test_numbers_of_points_close_together_cover_nothing():
    places = [(7498, 27.0), (7322, 26.7), (7655, 27.8), (7400, 27.2), (900, 27.0), (9000, 40.0)]
    points = {f"arm {cost}": (cost, (SEEDS - 52) / 3 + mean) for cost, mean in places}
    figure = tradeoff(points, "Cost", across="learned numbers").figure
    panel = figure.axes[0]
    figure.canvas.draw()
    numbers = [text.get_window_extent() for text in panel.texts]
    assert not [(a, b) for a in range(6) for b in range(a) if numbers[a].overlaps(numbers[b])]
    marks = panel.transData.transform(places)
    assert not [1 for number in numbers for x, y in marks if number.contains(x, y)]


@pytest.mark.parametrize("count", [1, 3])
def test_clouds_draw_the_names_of_groups(count):
    rng = np.random.default_rng(0)
    panels = {f"panel {number}": (rng.normal(size=(6, 2)), ["0", "1", "2"] * 2) for number in range(count)}
    picture = clouds(panels, "Clouds", about="a point is an image", label="your run, seed 0")
    assert len(picture.figure.axes) == count
    assert [text.get_text() for text in picture.figure.axes[0].texts] == ["0", "1", "2"] * 2
    assert picture.alt.startswith("Clouds: a point is an image; one panel")
    assert picture.png().startswith(b"\x89PNG")
