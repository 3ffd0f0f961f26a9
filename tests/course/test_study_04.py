"""Lesson 04's study on tiny data: arms, controls and rates are what their names say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import vpcore
from course.studies import study_04
from course.studies.study import Study
from course.studies.study_04 import Experiment
from course.studies.tokens_04 import INSTANCE, SWEEPS, Replaced, build, own_share, rates, specific_tokens
from vpcore.experiments.runs.runlog import read_runs

DATA = vpcore.load_data("photodigits", num_train=60, num_valid=20, num_test=30)


@pytest.fixture(scope="module")
def backbone():
    return vpcore.load_backbone("vit_nano", pretrained=False)


@pytest.fixture
def experiment(tmp_path: Path, backbone, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    for name in ("TRIALS", "HEAD_TRIALS"):
        monkeypatch.setattr(study_04, name, 3)
    return Experiment(Study(tmp_path / "runs.jsonl"), DATA, epochs=1, load=lambda: backbone)


def test_every_arm_and_control_is_recorded_once(experiment: Experiment) -> None:
    for _ in range(2):
        for arm in ("none", "vpt_deep", "norm", "all", "blocks 1"):
            experiment.run(arm, 0)
    runs = read_runs(experiment.study.out)
    arms = ["none", "vpt_deep", "norm", "all", "all, mean tokens", "all, other tokens", "blocks 1"]
    assert [run["cell"]["prompt"] for run in runs] == arms
    lr = {run["cell"]["prompt"]: run["cell"].get("lr") for run in runs}
    assert lr["none"] is None
    assert lr["blocks 1"] == lr["all"]
    assert {"learned", "rms", "own_share"} == set(runs[3]["extra"])


def test_arms_learn_what_they_name(backbone) -> None:
    counts = {arm: vpcore.count(build(arm, backbone, 0)).prompt for arm in INSTANCE}
    assert counts["frozen"] == counts["patch+global+common"]
    specific = counts["all"] - counts["frozen"]
    left = sum(counts["all"] - counts[f"without {part}"] for part in ("patch", "global", "common"))
    assert left + specific == counts["all"]
    assert counts["without patch"] - counts["common+specific"] == counts["all"] - counts["without global"]
    assert vpcore.count(build("vpt_deep", backbone, 0)).prompt == 6 * 4 * 96
    assert vpcore.count(build("blocks 3", backbone, 0)).prompt == counts["all"] - 3 * 4 * 96
    for arm in ("all", "norm", "beta 0.9 rescaled", "vpt_shallow"):
        model = build(arm, backbone, 0)
        held = {name for name, part in model.named_children() if any(p.requires_grad for p in part.parameters())}
        assert held <= set(rates(arm, 1.0, 1.0))


def test_the_rescaled_arm_repeats_beta_05(experiment: Experiment) -> None:
    """Adam's step does not see the size of a gradient, so other starts and rates undo another beta."""
    z = torch.zeros(len(DATA.test), 17, 96)
    made = {}
    for arm in ("all", "beta 0.9 rescaled", "beta 0.9"):
        model, _ = experiment.train(arm, 1, 1e-2, 1e-2)
        prompt: Any = model.prompt
        with torch.no_grad():
            made[arm] = prompt.tokens(z, 0, prompt.condition(model.normalize(DATA.test.images.float() / 255)))
    gap = {arm: float((tokens - made["all"]).norm() / made["all"].norm()) for arm, tokens in made.items()}
    assert gap["beta 0.9 rescaled"] < 0.02  # not zero: Adam's eps, and rounding
    assert gap["beta 0.9"] > 0.2
    assert set(SWEEPS) >= set(made) - {"all"}


def test_no_image_keeps_its_own_tokens(backbone) -> None:
    model = build("all", backbone, 0)
    own = specific_tokens(model, DATA.test.images)
    images = model.normalize(DATA.test.images.float() / 255)
    mean, given = (
        Replaced(model.prompt, kind, own.mean(0), 0).condition(images).specific for kind in study_04.CONTROLS
    )
    assert mean is not None
    assert given is not None
    assert torch.equal(mean, own.mean(0).expand_as(own))
    nearest = torch.cdist(given.detach().flatten(1), own.flatten(1)).argmin(1)
    assert sorted(nearest.tolist()) == list(range(len(own)))
    assert not (nearest == torch.arange(len(own))).any()
    assert own_share(mean)["own_share"] == pytest.approx(0, abs=1e-5)


def test_the_command_runs_its_arms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(Experiment, "__init__", lambda self, study, data: None)
    monkeypatch.setattr(Experiment, "run", lambda self, arm, seed: asked.append((arm, seed)))
    monkeypatch.setattr(vpcore, "load_data", lambda *args, **options: DATA)
    study_04.main(["--out", str(tmp_path / "x.jsonl"), "--arms", "none", "all"])
    assert asked == [(arm, seed) for arm in ("none", "all") for seed in range(5)]
