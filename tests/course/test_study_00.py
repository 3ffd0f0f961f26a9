"""Lesson 00's study: draws of training images, the search that reads the test set, a tiny run."""

import json
from pathlib import Path

import pytest
import torch

from course.studies import study_00
from course.studies.study_00 import ARMS, Arm, drawn, main, network, probe, train

SIZE = 200
TINY = Arm("photodigits", "resnet_nano", 20, "probe:train=20")
SAME = Arm("photodigits", "resnet_nano", 20, "probe:train=20,same images")


def test_a_seed_draws_its_own_images_unless_they_are_held_fixed() -> None:
    assert not torch.equal(drawn(TINY, 0, SIZE), drawn(TINY, 1, SIZE))
    assert torch.equal(drawn(SAME, 0, SIZE), drawn(SAME, 1, SIZE))
    assert len(drawn(TINY, 0, SIZE).unique()) == 20


def test_a_smaller_draw_is_part_of_a_larger_one() -> None:
    large = Arm("photodigits", "resnet_nano", 50, "probe:train=50")
    assert set(drawn(TINY, 3, SIZE).tolist()) < set(drawn(large, 3, SIZE).tolist())


def test_features_are_frozen_and_pixels_are_pixels() -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = probe("pixels", 0)
    assert torch.allclose(model.features(images), ((images - 0.5) / 0.25).flatten(1))
    same, other = network("resnet_nano:random", 0), network("resnet_nano:random", 1)
    assert not torch.equal(next(same.parameters()), next(other.parameters()))
    assert same.frozen


def test_the_recorded_arms_have_names_of_their_own() -> None:
    assert len({(arm.data, arm.backbone, arm.prompt) for arm in ARMS}) == len(ARMS)


def test_a_tiny_study_writes_every_run_and_tries_rates_without_the_test_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_00, "SEARCH", Arm("photodigits", "resnet_nano", 20, "probe:train=20,4 settings"))
    monkeypatch.setattr(study_00, "RATES", (1e-2, 1e-1))
    monkeypatch.setattr(study_00, "DECAYS", (0.0, 0.1))
    out = tmp_path / "start.jsonl"
    main(out, 5, size=SIZE, seen=20, arms=(TINY,))
    runs = [json.loads(line) for line in out.read_text().splitlines()]
    assert [run["cell"]["seed"] for run in runs] == [*range(5), *range(5)]
    assert all(run["num_train"] == 20 for run in runs)
    assert {len(values) for run in runs[5:] for values in run["extra"].values()} == {4}
    trials = [json.loads(line) for line in Path(f"{out}.trials").read_text(encoding="utf-8").splitlines()]
    assert len(trials) == 5
    model, history = train(TINY, 1000, trials[0]["rate"], size=SIZE, seen=20)
    assert history.best.valid_accuracy == trials[0]["valid_accuracy"]
    assert not any(parameter.requires_grad for parameter in model.backbone.parameters())
