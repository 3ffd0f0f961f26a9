"""Study 05: its conditions are what they are called, its rates never see the test images, its runs can be packed."""

from pathlib import Path

import pytest
import torch

import vpcore
from course.recorded import recorded
from course.results.pack import pack
from course.studies import study_05
from course.studies.layer_conditions import Condition, build, shifted, step_cost, train
from course.studies.study import Study

NET = vpcore.load_backbone("resnet_nano", pretrained=False)
DATA = vpcore.load_data("photodigits", num_train=40, num_valid=20, num_test=20)
IMAGES = DATA.train.images[:4].float() / 255


def test_shift_is_what_an_activation_prompt_adds() -> None:
    for layer in (0, 3, 7):
        prompt = vpcore.ActivationPrompt(NET.spec, layer)
        delta = torch.randn(1, *NET.spec.shapes[layer], generator=torch.Generator().manual_seed(layer))
        with torch.no_grad():
            prompt.deltas[str(layer)].copy_(delta)
        model = vpcore.Prompted(NET, prompt, vpcore.LinearHead(120, 10))
        moved = shifted(NET, layer, delta)(model.normalize(IMAGES))
        assert torch.allclose(model.features(IMAGES), moved, atol=1e-5)


LEARNING = ("none", None), ("ap", 2), ("channel", 2), ("bias", 2), ("vp", None), ("probe", 2), ("random", 2)


@pytest.mark.parametrize("condition", [Condition(*what) for what in LEARNING])
def test_only_what_a_condition_names_learns(condition: Condition) -> None:
    model = build(NET, condition, 10, 0, 3.0)
    learned = {name.split(".")[0] for name, tensor in model.named_parameters() if tensor.requires_grad}
    prompted = {"ap": "prompt", "channel": "prompt", "vp": "prompt", "bias": "tuning"}
    assert learned == {"head"} | ({prompted[condition.kind]} if condition.kind in prompted else set())
    assert 0 <= train(model, DATA, 1e-2, 0, epochs=1) <= 1
    assert not any(p.requires_grad for p in model.backbone.parameters())


def test_later_layers_cost_less() -> None:
    costs = [step_cost(build(NET, Condition("ap", layer), 10, 0, 0.0), IMAGES) for layer in range(8)]
    assert costs == sorted(costs, reverse=True)
    assert step_cost(build(NET, Condition("vp"), 10, 0, 0.0), IMAGES) > costs[0]
    assert costs[-1] < costs[0] / 100


def test_a_small_sweep_is_resumable_and_packs(tmp_path: Path) -> None:
    chosen = [Condition("ap", 7), Condition("random", 7), Condition("head")]
    out = tmp_path / "toy.jsonl"
    for _ in range(2):
        study_05.sweep(Study(out), NET, chosen, DATA, DATA, 5, trial_epochs=1, epochs=1)
    pack([out], "toy", tmp_path)
    table = recorded("toy", tmp_path)
    for condition in chosen:
        assert len(table.accuracies("photodigits", str(condition), "resnet_nano")) == 5
    first = table.runs[0]["extra"]
    assert {"valid", "step_flops", "learned", "norm", "relative", "grid", "prefix"} <= set(first)
    assert torch.tensor(first["grid"]).shape == (2, 2)


def test_every_layer_is_swept_and_probed() -> None:
    swept = {str(condition) for condition in study_05.main_conditions(NET)}
    assert {f"{kind}@{layer}" for kind in ("ap", "probe") for layer in range(8)} | {"none", "head"} == swept
    controls = {str(condition) for condition in study_05.control_conditions(NET)}
    assert controls == {f"{kind}@{layer}" for kind in ("random", "channel", "bias") for layer in (2, 4, 6)}
