"""The explorer of lesson 09's table: three views of the same runs."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from course.recorded import Recorded
from course.widgets.base import LONGEST
from course.widgets.results import VIEWS, ResultsExplorer
from vpcore.statistics import two_way_interval


def run(backbone: str, prompt: str, shots: int, seed: int, accuracy: float) -> dict:
    cell = {"data": "photodigits", "backbone": backbone, "prompt": prompt, "shots": shots, "seed": seed}
    return {
        "cell": cell,
        "accuracy": accuracy,
        "num_test": 397,
        "right": base64.b64encode(np.packbits(np.arange(397) < round(397 * accuracy)).tobytes()).decode(),
        "extra": {"prompt_or_tuning": 0 if "probe" in prompt else 96},
    }


@pytest.fixture
def explorer() -> ResultsExplorer:
    runs = [
        run(backbone, prompt, shots, seed, base + 0.01 * shots + 0.001 * seed * (prompt == "pad"))
        for backbone in ("resnet_nano", "vit_nano")
        for shots in (1, 4)
        for prompt, base in (("pad", 0.3), ("linear probe", 0.2), ("norm tuning", 0.2))
        for seed in (1, 0, 2)
    ]
    return ResultsExplorer(Recorded("toy", runs, [], {}, {}), "photodigits", ("resnet_nano", "vit_nano"))


def test_every_control_moves_it(explorer: ResultsExplorer) -> None:
    assert explorer.drive() == "3 controls driven: each changes the picture and brings it back."


def test_differences_are_paired_by_seed(explorer: ResultsExplorer) -> None:
    mean, low, high = explorer.differences()["pad"]
    hits = [np.stack([np.arange(397) < round(397 * (base + 0.01 + step * seed)) for seed in range(3)])
            for base, step in ((0.2, 0), (0.3, 0.001))]  # fmt: skip
    known = two_way_interval(*hits)
    assert (mean, low, high) == pytest.approx((100 * known.mean, 100 * known.low, 100 * known.high))
    mean, low, high = explorer.differences()["norm tuning"]  # right on the same images: still no proof of equality
    assert (mean, low) == pytest.approx((0, -high))
    assert 0 < high < 1


def test_the_sentence_fits_and_counts(explorer: ResultsExplorer) -> None:
    for view in VIEWS:
        explorer.controls["view"].value = view
        assert len(repr(explorer)) <= LONGEST
        assert "by paired 95 % intervals 1 of 2 above the probe, 0 below" in repr(explorer)
        assert explorer.picture().alt.startswith("resnet_nano, 1 image a class")
