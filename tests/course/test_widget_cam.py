"""The explorer of Grad-CAM: its maps are the library's, in every state, on a scale of their own."""

import ipywidgets
import pytest
import torch

from course.studies.maps_07 import CAM_LAYER
from course.widgets.base import LONGEST
from course.widgets.cam import CamExplorer
from vpcore import ActivationPrompt, LinearHead, NoPrompt, Prompted, load_backbone
from vpcore.inside.grad_cam import grad_cam

LABELS = torch.tensor([3, 1, 4])
IMAGES = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def models() -> dict[str, Prompted]:
    net = load_backbone("resnet_nano")
    prompt = ActivationPrompt(net.spec, 4)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        prompt.deltas["4"].copy_(torch.randn(prompt.deltas["4"].shape, generator=draw))
    return {
        "linear probe": Prompted(net, NoPrompt(net.spec), LinearHead(120, 10, seed=0)),
        "prompt": Prompted(net, prompt, LinearHead(120, 10, seed=1)),
    }


@pytest.fixture
def explorer(models: dict[str, Prompted]) -> CamExplorer:
    return CamExplorer(IMAGES, LABELS, models)


def test_driving_it_moves_every_control(explorer: CamExplorer) -> None:
    before = explorer.image.value
    assert explorer.drive() == "4 controls driven: each changes the picture and brings it back."
    assert explorer.image.value == before
    assert len(repr(explorer)) <= LONGEST


def test_keyboard_controls_only(explorer: CamExplorer) -> None:
    kinds = (ipywidgets.IntSlider, ipywidgets.ToggleButtons)
    assert all(isinstance(control, kinds) and control.description for control in explorer.controls.values())


def test_maps_are_those_of_the_library(explorer: CamExplorer, models: dict[str, Prompted]) -> None:
    explorer.controls["model"].value, explorer.controls["class"].value = "prompt", "true"
    explorer.controls["image"].value = 2
    for model, found in zip(models.values(), explorer.maps(), strict=True):
        wanted = grad_cam(model, IMAGES[2:].float() / 255, layer=CAM_LAYER, classes=torch.tensor([4]))[0]
        assert torch.equal(found, wanted)
    for panel, values in zip(explorer._panels[1:], explorer.maps(), strict=True):
        assert panel.get_clim() == (0.0, float(values.max()) or 1.0)


def test_no_shuffled_part_is_the_prompt_itself(explorer: CamExplorer, models: dict[str, Prompted]) -> None:
    kept = {name: values.clone() for name, values in models["prompt"].named_parameters()}
    explorer.controls["parts"].value = 0
    shuffled = explorer.maps()[1]
    explorer.controls["model"].value = "prompt"
    assert torch.equal(shuffled, explorer.maps()[1])
    explorer.controls["model"].value = explorer.shuffled
    explorer.controls["parts"].value = 9
    assert not torch.equal(shuffled, explorer.maps()[1])
    assert all(torch.equal(values, kept[name]) for name, values in models["prompt"].named_parameters())


def test_the_predicted_class_is_the_first_models(explorer: CamExplorer, models: dict[str, Prompted]) -> None:
    with torch.no_grad():
        assert explorer.explained() == int(models["linear probe"](IMAGES[:1].float() / 255).argmax())
