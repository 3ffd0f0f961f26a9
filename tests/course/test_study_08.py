"""Study 08: each fault does what its name says, and a right arm is the library's own training."""

import json
from pathlib import Path

import pytest
import torch

import vpcore
from course.studies import study_08
from course.studies.faults_08 import ARMS, Adapter, Arm, cut_off, warm_up, worn_passes
from course.studies.study import Study
from course.studies.study_08 import Bench, outcome, readings, record, reported
from vpcore.heads import label_mapping

DATA = vpcore.load_data("photodigits", num_train=40, num_valid=30, num_test=60)


@pytest.fixture
def bench() -> Bench:
    return Bench(DATA, num_test=31, epochs=2, batch_size=10)


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_runs_and_names_its_right_arm(bench: Bench, name: str) -> None:
    found = outcome(bench, name, 0, 1e-2)
    assert len(found.test.labels) == 31
    assert len(found.extra["valid"]) == 2
    assert ARMS[ARMS[name].base].base == ARMS[name].base


def test_the_right_arm_is_plain_fit(bench: Bench) -> None:
    backbone = vpcore.load_backbone("resnet_nano")
    prompt = vpcore.ActivationPrompt(backbone.spec, layer=5)
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 10, seed=3))
    vpcore.fit(model, DATA.train, DATA.valid, epochs=2, lr=1e-2, batch_size=10, seed=3)
    mine, _ = bench.run(ARMS["right"], 3, 1e-2)
    assert torch.allclose(mine.head.linear.weight, model.head.linear.weight, atol=1e-5)  # type: ignore[union-attr]


def test_faults_are_taken_out_again(bench: Bench) -> None:
    model, _ = bench.run(ARMS["moving statistics"], 0, 1e-2)
    assert not model.train().backbone.training
    bench.run(ARMS["prompt cut off"], 0, 1e-2)
    assert vpcore.ActivationPrompt.activation is not cut_off


def test_a_cut_off_prompt_and_a_double_zero_never_move(bench: Bench) -> None:
    moved = {}
    for name in ("right", "prompt cut off", "adapter", "both zero"):
        model, _ = bench.run(ARMS[name], 0, 1e-2)
        moved[name] = bool(next(model.prompt.parameters()).any())
    assert moved == {"right": True, "prompt cut off": False, "adapter": True, "both zero": False}


def test_statistics_move_only_where_they_should(bench: Bench) -> None:
    fresh = vpcore.load_backbone("resnet_nano").state_dict()
    for name, same in {"right": True, "moving statistics": False}.items():
        model, _ = bench.run(ARMS[name], 0, 1e-2)
        now = model.backbone.state_dict()
        assert all(torch.equal(now[key], fresh[key]) for key in fresh) == same
        assert all(torch.equal(now[key], fresh[key]) for key in fresh if key.endswith("weight"))


def test_images_wear_out_pass_by_pass() -> None:
    backbone = vpcore.load_backbone("resnet_nano")
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (backbone.spec.mean, backbone.spec.std))
    kept = DATA.valid.images.float() / 255
    for found in worn_passes(backbone, DATA.valid, 5, 3):
        kept -= mean
        kept /= std
        with torch.no_grad():
            assert torch.allclose(found, backbone.activations(kept, 5), rtol=1e-4, atol=1e-4)


def test_the_first_epoch_is_lost() -> None:
    right, late = (warm_up(start)("cosine", 10, 8) for start in (1, 0))
    assert [right(step) for step in (0, 7, 8, 16)] == [0.5, 0.5, 1.0, 1.0]
    assert [late(step) for step in (0, 7, 8, 16)] == [0.0, 0.0, 0.5, 1.0]


def test_shared_sources_are_shared(bench: Bench) -> None:
    counts = torch.tensor([[9, 8], [1, 2], [0, 0]])
    with ARMS["shared source"].install():
        assert label_mapping.assign_greedily(counts).tolist() == [0, 0]
    assert label_mapping.assign_greedily(counts).tolist() == [0, 1]
    assert outcome(bench, "mapping", 0, 1e-2).extra["sources"] == 10


def test_readings_follow_their_formulas(bench: Bench) -> None:
    labels = [torch.tensor([0, 0, 0, 0]), torch.tensor([1])]
    scores = [torch.eye(2)[[0, 0, 0, 1]], torch.eye(2)[[1]]]
    assert reported(scores, labels, "mean of batches") == pytest.approx(0.875)
    assert reported(scores, labels, "last batch dropped") == 0.75
    model, _ = bench.run(ARMS["right"], 0, 1e-2)
    before = {key: value.clone() for key, value in model.backbone.state_dict().items()}
    assert set(readings(model, bench.test, 10)) < {"best on test", *study_08.READINGS}
    assert all(torch.equal(before[key], value) for key, value in model.backbone.state_dict().items())


def test_an_adapter_starts_as_nothing() -> None:
    spec = vpcore.load_backbone("resnet_nano").spec
    z = torch.randn(2, *spec.shapes[-1])
    for both in (False, True):
        prompt = Adapter(spec, both_zero=both)
        assert torch.equal(prompt.activation(z, spec.depth, None), z)
        assert bool(prompt.down.weight.any()) != both


def test_a_faulty_arm_keeps_the_rate_of_its_right_arm(tmp_path: Path, bench: Bench, monkeypatch) -> None:
    arms = {"right": Arm("right"), "half constants": ARMS["half constants"]}
    monkeypatch.setattr(study_08, "ARMS", arms)
    record(Study(tmp_path / "toy.jsonl"), bench, range(1), trials=3)
    rates = {json.loads(line)["cell"]["lr"] for line in (tmp_path / "toy.jsonl").read_text().splitlines()}
    assert len(rates) == 1
    assert len((tmp_path / "toy.jsonl.trials").read_text().splitlines()) == 3
