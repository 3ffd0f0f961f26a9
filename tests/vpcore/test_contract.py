"""Every prompt method, with several options, on a CNN and on a ViT, against the whole contract."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import contract_runs  # noqa: F401  (registers its checks)
import pytest
import torch
from contract import CHECKS, Case
from nets import BACKBONES, floats
from torch import Tensor, nn

from vpcore.prompts import PROMPTS
from vpcore.prompts.base import Prompt

OPTIONS: dict[str, list[dict[str, Any]]] = {  # beyond each method's defaults
    "pad": [{"init": "normal", "width": 1}],
    "patch": [{"position": "random"}],
    "multiscale": [{"fusion": "concat"}, {"fusion": "gated"}],
    "cluster": [{"num_clusters": 2, "width": 2}],
    "instance_image": [{"variant": "released_code"}],
    "instance": [{"variant": "released_code"}, {"train_specific": False, "blocks": 1}],
    "vpt_shallow": [{"project": 5}],
    "vpt_deep": [{"dropout": 0.2}],
    "activation": [{"layer": (0, 2)}, {"shape": "per_channel", "layer": 3}, {"shape": "cls_only", "layer": 0}],
}
CASES = {
    f"{name}{''.join(f'-{value}' for value in options.values())}": (name, options)
    for name in PROMPTS
    for options in [{}, *OPTIONS.get(name, [])]
}


def run(function: Any, case: Case, tmp_path: Path) -> None:
    function(case, **({"tmp_path": tmp_path} if "tmp_path" in inspect.signature(function).parameters else {}))


def refusal(method: str, backbone: str, options: dict[str, Any]) -> str:
    try:
        PROMPTS[method](BACKBONES[backbone]().spec, **options)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", CASES)
def test_contract(name: str, backbone: str, check: str, tmp_path: Path) -> None:
    method, options = CASES[name]
    case = Case(partial(PROMPTS[method], **options), BACKBONES[backbone])
    refused = refusal(method, backbone, options)
    if refused:
        assert backbone == "cnn", "every method works on a ViT"
        assert "needs a ViT" in refused
        assert "use " in refused, "a refusal names what works there"
        return
    run(CHECKS[check], case, tmp_path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_gives_the_same_logits_and_gradients(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # which rounds convolutions to 10 bits
    method, options = CASES[name]
    case = Case(partial(PROMPTS[method], **options), BACKBONES["vit"])
    found = []
    for device in ("cpu", "cuda"):
        model = case.model().to(device).eval()
        logits = model(floats(model.backbone, 8).to(device))
        logits.square().sum().backward()
        found.append([logits.cpu(), *(p.grad.cpu() for p in model.prompt.parameters() if p.grad is not None)])
    assert all(torch.allclose(cpu, gpu, rtol=1e-2, atol=1e-3) for cpu, gpu in zip(*found, strict=True))


class Brightness(Prompt):
    """A method of ten lines: add a learned number to every channel."""

    def __init__(self, spec: Any, seed: int = 0) -> None:
        super().__init__(spec, seed)
        self.level = nn.Parameter(torch.zeros(spec.in_chans, 1, 1))

    def image(self, images: Tensor, context: Any) -> Tensor:
        return images + self.level


def test_a_new_method_gets_the_whole_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(PROMPTS, "brightness", Brightness)
    case = Case(PROMPTS["brightness"], BACKBONES["vit"])
    held = [name for name, check in CHECKS.items() if run(check, case, tmp_path) is None]  # else it raises
    assert held == [*CHECKS]


def test_the_contract_is_complete() -> None:
    assert len(CHECKS) >= 18
