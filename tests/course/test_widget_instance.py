"""The explorer of instance prompts: callbacks run, states differ in pixels, and it shows what the library computes."""

import ipywidgets
import pytest
import torch
from nets import small_vit

from course.widgets.base import LONGEST
from course.widgets.instance import InstanceExplorer
from vpcore import InstanceImagePrompt

KEYBOARD = (ipywidgets.Checkbox, ipywidgets.ToggleButtons, ipywidgets.IntSlider, ipywidgets.FloatSlider)
SPEC = small_vit().spec


@pytest.fixture(scope="module")
def explorer():
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    prompts = {f"seed {seed}": InstanceImagePrompt(SPEC, init="default", seed=seed) for seed in (0, 1)}
    return InstanceExplorer(images, prompts)


def test_driving_it_moves_every_control(explorer):
    before = explorer.image.value
    assert explorer.drive() == "6 controls driven: each changes the picture and brings it back."
    assert explorer.image.value == before
    assert bytes(before).startswith(b"\x89PNG")


def test_keyboard_controls_and_a_sentence_that_fits(explorer):
    assert all(isinstance(control, KEYBOARD) and control.description for control in explorer.controls.values())
    assert repr(explorer) == "Image 0; seed 1 weights; parts: patch and global; β 0.70; amplitude 0.50."
    assert len(repr(explorer)) <= LONGEST
    assert repr(explorer) in explorer.words.value


def test_it_shows_what_the_library_computes(explorer):
    panels, x = explorer.panels(), explorer._images
    with torch.no_grad():
        drawn = InstanceImagePrompt(SPEC, init="default", seed=1).added_map(x)
    scaled = drawn * 0.5 / drawn.square().mean().sqrt()
    torch.testing.assert_close(panels["prompt"], scaled[0])
    torch.testing.assert_close(panels["prompt − mean"], scaled[0] - scaled.mean(0))
    torch.testing.assert_close(panels["patch part"] + panels["global part"], scaled[0])
    torch.testing.assert_close(panels["prompted x"], x[0] + scaled[0])


def test_a_part_alone_has_weight_one(explorer):
    explorer.controls["global"].value = False
    panels = explorer.panels()
    assert panels["global part"] is None
    torch.testing.assert_close(panels["patch part"], panels["prompt"])
    assert "β without effect" in repr(explorer)
    explorer.controls["patch"].value = False
    assert not explorer.panels()["prompt"].any()
    assert "parts: none" in repr(explorer)
    explorer.controls["patch"].value = explorer.controls["global"].value = True


def test_one_prompt_needs_no_choice_of_weights(explorer):
    alone = InstanceExplorer(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), {"only": explorer._prompts["seed 0"]})
    assert "weights" not in alone.controls
    assert repr(alone).startswith("Image 0; parts:")
