"""Lesson 09's study: nested shots, equal trials, the same steps for all."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

import vpcore
from course.studies.study import Study
from course.studies.study_09 import SHOTS, Protocol, draw_shots, methods_for, record


def test_shots_are_drawn_by_class_nested_and_of_one_length() -> None:
    train = vpcore.load_data("digits").train
    few, more = draw_shots(train, 1, 3, 40), draw_shots(train, 4, 3, 40)
    assert len(few) == len(more) == 40
    assert few.labels[:10].tolist() == list(range(10))
    kept = {image.numpy().tobytes() for image in more.images}
    assert len({image.numpy().tobytes() for image in few.images}) == 10
    assert all(image.numpy().tobytes() in kept for image in few.images)


@pytest.mark.parametrize("name", ["resnet_nano", "vit_nano"])
def test_methods_fit_their_backbone(name: str) -> None:
    methods = methods_for(vpcore.load_backbone(name, pretrained=False))
    assert ("VPT-deep" in methods) == (name == "vit_nano")
    assert methods["activation prompt"][0] == "activation:layer=3"


def test_every_method_gets_the_same_trials(tmp_path: Path) -> None:
    backbone = vpcore.load_backbone("resnet_nano", pretrained=False)
    data = vpcore.load_data("photodigits", num_train=200, num_valid=160, num_test=20)
    study = Study(tmp_path / "shots.jsonl")
    for name in ("linear probe", "activation prompt"):
        record(study, name, backbone, data, 5, Protocol(epochs=1, trials=3, steps=1))
    trials = [json.loads(line)["cell"] for line in (tmp_path / "shots.jsonl.trials").read_text().splitlines()]
    assert set(Counter((cell["prompt"], cell["shots"]) for cell in trials).values()) == {3}
    runs = [json.loads(line) for line in (tmp_path / "shots.jsonl").read_text().splitlines()]
    assert len(runs) == 2 * len(SHOTS) * 5
    assert {run["extra"]["prompt_or_tuning"] for run in runs} == {0, 32 * 8 * 8}
    assert torch.isfinite(torch.tensor([run["accuracy"] for run in runs])).all()
