"""Lesson 01's study on tiny data: every arm is what its name says, and results hold what the lesson shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import vpcore
from course.studies import study_01
from course.studies.study import Study
from course.studies.study_01 import BARE, Experiment, build, kept_picture, picture
from vpcore.experiments.runs.runlog import read_runs
from vpcore.train import Diverged

DATA = vpcore.load_data("photodigits", num_train=60, num_valid=20, num_test=30)


def tiny():
    backbone = vpcore.load_backbone("simple_cnn", pretrained=False, width=4, in_chans=3, image_size=32)
    backbone.classifier = nn.Linear(backbone.spec.dim, 20)
    return backbone


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setattr(study_01, "TRIALS", 3)
    return Experiment(Study(tmp_path / "runs.jsonl"), DATA, ("photodigits", "tiny"), epochs=2, load=tiny)


def test_every_arm_is_recorded_once(experiment: Experiment) -> None:
    arms = ("none", *BARE, "pad:4", "iterative mapping")
    for _ in range(2):
        for arm in arms:
            experiment.run(arm, 0)
    runs = {run["cell"]["prompt"]: run for run in read_runs(experiment.study.out)}
    assert tuple(runs) == arms
    assert len(runs["iterative mapping"]["extra"]["mappings"]) == 2
    assert all(len(set(row)) == 10 for row in runs["iterative mapping"]["extra"]["mappings"])
    assert kept_picture(runs["pad:4"]["extra"])[:, 4:-4, 4:-4].abs().max() == 0
    assert len(read_runs(f"{experiment.study.out}.trials")) == 3 * 3  # nothing learns in the bare arms


@pytest.mark.parametrize(
    ("arm", "learned"),
    [("none", 0), ("pad:2", 720), ("pad:4", 1344), ("full", 3072), ("patch:8", 192),
     ("frequency mapping", 3072), ("random mapping, no prompt", 0)],
)  # fmt: skip
def test_arms_learn_what_their_names_say(arm: str, learned: int) -> None:
    model = build(arm, tiny(), 0)
    assert model.prompt.num_learned() == learned
    own_head = "mapping" in arm
    assert vpcore.count(model).learned == learned + (0 if own_head else 10 * (model.backbone.spec.dim + 1))


def test_a_kept_picture_comes_back() -> None:
    model = build("full", tiny(), 0)
    torch.nn.init.normal_(model.prompt.frame)
    extra = picture(model, 0)
    assert torch.allclose(kept_picture(extra), model.prompt.added_map(), atol=extra["unit"])
    assert set(picture(model, study_01.PICTURED)) == {"rms"}
    assert picture(build("none", tiny(), 0), 0) == {}


def test_the_long_arm_takes_the_rate_of_the_short_one(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_01, "LONG", {"iterative mapping, 20 epochs": ("iterative mapping", 3)})
    for arm in ("iterative mapping", "iterative mapping, 20 epochs"):
        experiment.run(arm, 0)
    short, long = read_runs(experiment.study.out)
    assert (short["cell"]["lr"], 3) == (long["cell"]["lr"], long["cell"]["epochs"])
    assert len(long["extra"]["mappings"]) == 3
    assert len(read_runs(f"{experiment.study.out}.trials")) == 3 * 2  # the probe's and the short arm's


def test_a_rate_that_diverges_is_the_worst(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(arm: str, seed: int, lr: float) -> tuple[None, float, list]:
        if lr > 1e-2:
            raise Diverged("the training loss became nan: lower the learning rate")
        return None, 0.1, []

    monkeypatch.setattr(experiment, "train", train)
    assert experiment._choose("full") < 1e-2


def test_the_command_runs_its_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, int]] = []
    monkeypatch.setattr(Experiment, "__init__", lambda self, study, data, names: setattr(self, "names", names))
    monkeypatch.setattr(Experiment, "run", lambda self, arm, seed: asked.append((self.names[0], arm, seed)))
    monkeypatch.setattr(vpcore, "load_data", lambda *args, **options: replace(DATA))
    study_01.main(["--out", str(tmp_path / "x.jsonl")])
    assert ("photodigits_fixed", "iterative mapping", 0) in asked
    assert ("photodigits", "pad:8", 2) in asked
    assert len(asked) == 5 * sum(map(len, study_01.PLANS.values()))
