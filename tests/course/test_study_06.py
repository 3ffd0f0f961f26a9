"""Study 06: conditions that share a function class do, and a run is recorded with equal trials."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import vpcore
from course.studies import conditions_06, study_06
from course.studies.conditions_06 import CNN, VIT, Chosen, Condition, open_stem
from course.studies.study import Study
from course.studies.study_06 import Runs
from vpcore.data.splits import Splits
from vpcore.experiments.runs.runlog import read_runs


@pytest.fixture(scope="module")
def net() -> vpcore.Backbone:
    return vpcore.load_backbone("resnet_nano")


@pytest.fixture(scope="module")
def few() -> Splits:
    data = vpcore.load_data("digits", image_size=32, in_chans=3)
    some = range(20)
    return replace(data, train=data.train.take(some), valid=data.valid.take(some), test=data.test.take(some))


def logits(condition: Condition, backbone: vpcore.Backbone, change: float = 0.0) -> torch.Tensor:
    model = condition.model(backbone, 10, 0)
    with torch.no_grad():
        for part in (model.prompt, model.tuning):
            for tensor in part.parameters() if part else ():
                tensor.add_(change)
        return model(torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)))


def test_every_arm_starts_from_the_linear_probe(net: vpcore.Backbone) -> None:
    for condition in CNN.values():
        assert torch.allclose(logits(condition, net), logits(CNN["none"], net), atol=1e-5)


def test_the_open_stem_is_the_same_network(net: vpcore.Backbone) -> None:
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(open_stem(net)(x), net(x))


def test_pairs_of_equal_coordinates_agree_and_rescaled_ones_do_not(net: vpcore.Backbone) -> None:
    bias, after, before = (logits(CNN[name], net, 0.3) for name in ("stem_bias", "ap_after", "ap_before"))
    assert torch.allclose(bias, after, atol=1e-5)
    assert not torch.allclose(bias, before, atol=1e-2)
    vit = vpcore.load_backbone("vit_nano", pretrained=False)
    assert torch.allclose(logits(VIT["mlp_bias"], vit, 0.3), logits(VIT["ap_shared"], vit, 0.3), atol=1e-5)


def test_norm_and_ssf_learn_as_many_numbers(net: vpcore.Backbone) -> None:
    counts = [vpcore.count(CNN[name].model(net, 10, 0)).tuning for name in ("norm", "ssf")]
    assert counts[0] == counts[1]


def test_chosen_tunes_what_is_named() -> None:
    vit = vpcore.load_backbone("vit_nano", pretrained=False)
    tuning = Chosen(vit, "blocks.0.mlp.fc2.bias")
    assert tuning.num_learned() == vit.spec.dim
    assert tuning.first_layer == 0


def test_records_with_equal_trials(tmp_path: Path, net: vpcore.Backbone, few: Splits) -> None:
    study, runs = Study(tmp_path / "a.jsonl"), Runs(net, few, epochs=1, batch_size=20)
    for name in ("none", "ap_last"):
        runs.record(study, name, range(2), 3)
    assert len(read_runs(f"{study.out}.trials")) == 6
    found = read_runs(study.out)
    assert [(run["cell"]["prompt"], run["cell"]["seed"]) for run in found] == [
        ("none", 0), ("none", 1), ("ap_last", 0), ("ap_last", 1)
    ]  # fmt: skip
    assert found[2]["extra"]["tuned"] == 120 * 2 * 2
    assert len({run["cell"]["head_rate"] for run in found}) == 1


def test_an_arm_may_take_the_rate_of_another(tmp_path: Path, net: vpcore.Backbone, few: Splits) -> None:
    study, runs = Study(tmp_path / "c.jsonl"), Runs(net, few, epochs=1, batch_size=20)
    for name in ("stem_bias", "ap_after_same"):
        runs.record(study, name, range(1), 3)
    rates = {run["cell"]["prompt"]: run["cell"]["rate"] for run in read_runs(study.out)}
    assert rates["ap_after_same"] == rates["stem_bias"]
    assert {run["cell"]["prompt"] for run in read_runs(f"{study.out}.trials")} == {"none", "stem_bias"}


def test_a_diverged_trial_is_no_error(net: vpcore.Backbone, few: Splits) -> None:
    accuracy = Runs(net, few, epochs=2, batch_size=20).train(CNN["full"], 0, 1e30, 1e30)[1]
    assert accuracy != accuracy


def test_main_runs_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: Splits) -> None:
    monkeypatch.setattr(conditions_06, "CNN", {"none": CNN["none"]})
    monkeypatch.setattr(vpcore, "load_data", lambda name, **options: few)
    study_06.main(["--out", str(tmp_path / "b.jsonl"), "--backbones", "resnet_nano", "--seeds", "5", "--trials", "3"])
    assert len(read_runs(tmp_path / "b.jsonl")) == 5
