"""Lesson 03's study on tiny data: arms, controls and rates are what their names say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import vpcore
from course.studies import study_03
from course.studies.arms_03 import RESCALED, OtherPrompt, build, constant, pictures, split_last_layers, strength
from course.studies.study import Study
from course.studies.study_03 import Experiment
from vpcore.experiments.runs.runlog import read_runs

DATA = vpcore.load_data("photodigits", num_train=60, num_valid=20, num_test=30)


def tiny():
    return vpcore.load_backbone("simple_cnn", pretrained=False, width=4, in_chans=3, image_size=32)


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setattr(study_03, "TRIALS", 3)
    return Experiment(Study(tmp_path / "runs.jsonl"), DATA, ("photodigits", "tiny"), epochs=1, load=tiny)


def test_every_arm_and_control_is_recorded_once(experiment: Experiment) -> None:
    for _ in range(2):
        for arm in ("none", "cluster:2", "instance"):
            experiment.run(arm, 0)
    runs = read_runs(experiment.study.out)
    names = ["none", "cluster:2", "instance", *(f"instance {name}" for name in ("off", "mean", "mean refit", "other"))]
    assert [run["cell"]["prompt"] for run in runs] == names
    assert set(runs[2]["extra"]) == {"rms", "own_share"}
    assert len({run["cell"]["head_lr"] for run in runs if "head_lr" in run["cell"]}) == 1


def test_the_rescaled_arm_repeats_beta_07(experiment: Experiment) -> None:
    """Adam's step does not see the size of a gradient, so other rates undo another beta."""
    first, same, other = (
        pictures(experiment.train(arm, 1, 1e-2)[0], DATA.test.images) for arm in ("instance", RESCALED, "beta:0.3")
    )
    assert (first - same).norm() < 0.05 * first.norm()  # not zero: Adam's eps, and rounding
    assert (first - other).norm() > 0.2 * first.norm()


def test_last_layers_keep_their_names_for_saving() -> None:
    model = build("instance", tiny(), 0, DATA)
    before = vpcore.count(model)
    split_last_layers(model)
    assert vpcore.count(model) == before


def test_the_mean_picture_stands_in_for_all() -> None:
    model = build("beta:0.5", tiny(), 0, DATA)
    prompt: Any = model.prompt
    torch.nn.init.normal_(prompt.whole.outer.weight)
    drawn = pictures(model, DATA.test.images)
    images = model.normalize(DATA.test.images.float() / 255)
    mean = constant(model, drawn.mean(0))
    assert torch.allclose(mean.image(images, None), images + drawn.mean(0))
    found = strength(model, DATA.test.images)
    assert found["rms"] == pytest.approx(float(drawn.square().mean().sqrt()))
    assert found["own_share"] == pytest.approx(float((drawn - drawn.mean(0)).square().mean() / drawn.square().mean()))


def test_no_image_keeps_its_own_picture() -> None:
    model = build("beta:1", tiny(), 0, DATA)
    prompt: Any = model.prompt
    torch.nn.init.normal_(prompt.whole.outer.weight)
    images = model.normalize(DATA.test.images.float() / 255)
    own = prompt.added_map(images)
    given = OtherPrompt(model.prompt, 3).image(images, None) - images
    nearest = torch.cdist(given.flatten(1), own.flatten(1)).argmin(1)
    assert sorted(nearest.tolist()) == list(range(len(images)))
    assert not (nearest == torch.arange(len(images))).any()


def test_the_command_runs_its_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, int]] = []
    monkeypatch.setattr(Experiment, "__init__", lambda self, study, data, names: setattr(self, "names", names))
    monkeypatch.setattr(Experiment, "run", lambda self, arm, seed: asked.append((*self.names[:1], arm, seed)))
    monkeypatch.setattr(vpcore, "load_data", lambda *args, **options: DATA)
    study_03.main(["--out", str(tmp_path / "x.jsonl"), "--backbones", "resnet_nano"])
    assert ("photodigits", RESCALED, 4) in asked
    assert ("photodigits_fixed", "instance", 0) in asked
    assert len(asked) == 5 * (11 + 3)
