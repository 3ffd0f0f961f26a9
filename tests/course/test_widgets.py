"""Explorers: callbacks run, two states give different pixels, one sentence that fits, keyboard controls only."""

import ipywidgets
import pytest
import torch

from course.widgets.base import LONGEST, Explorer
from course.widgets.scales import FUSIONS, ScalesExplorer
from tests.support.pace import bare_drawing, processor_seconds
from vpcore import load_backbone
from vpcore.prompts.multiscale import average_maps

KEYBOARD = (ipywidgets.Checkbox, ipywidgets.ToggleButtons, ipywidgets.IntSlider, ipywidgets.FloatSlider)


@pytest.fixture(scope="module")
def explorer():
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return ScalesExplorer(images, load_backbone("simple_cnn", pretrained=False, width=4).spec)


def test_driving_it_moves_every_control(explorer):
    before = explorer.image.value
    assert explorer.drive() == "7 controls driven: each changes the picture and brings it back."
    assert explorer.image.value == before
    assert bytes(before).startswith(b"\x89PNG")


def test_showing_it_stores_a_still_picture_for_pages_without_controls(explorer, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append((data, options)))
    explorer._ipython_display_()
    ((data, options),) = shown
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert data["image/png"] == explorer.picture().png()
    assert data["text/plain"] == repr(explorer)
    assert options["metadata"]["image/png"]["alt"].endswith(repr(explorer))


def test_the_sentence_fits_in_every_state(explorer):
    for fusion in FUSIONS:
        explorer.controls["fusion"].value = fusion
        assert len(repr(explorer)) <= LONGEST
        assert repr(explorer) in explorer.words.value
    explorer.controls["fusion"].value = "add"


def test_no_output_area_and_keyboard_controls_only(explorer):
    def inside(widget):
        yield widget
        for child in getattr(widget, "children", ()):
            yield from inside(child)

    assert not any(isinstance(widget, ipywidgets.Output) for widget in inside(explorer))
    assert all(isinstance(control, KEYBOARD) for control in explorer.controls.values())
    assert all(control.description for control in explorer.controls.values())


def test_the_picture_is_never_stretched(explorer):
    assert (explorer.image.layout.align_self, explorer.image.layout.max_width) == ("flex-start", "100%")


def test_it_shows_what_the_library_computes(explorer):
    explorer.controls["scale 4"].value = False
    prompt, panels = explorer.prompt(), explorer.panels()
    torch.testing.assert_close(panels["change x' − x"], average_maps(list(prompt.maps), (28, 28)).detach()[0, 0])
    assert panels["mid 4×4"] is None
    assert prompt.scales == (1, 8)
    explorer.controls["scale 4"].value = True


def test_all_scales_off_leaves_the_image_alone(explorer):
    for scale in (1, 4, 8):
        explorer.controls[f"scale {scale}"].value = False
    assert not explorer.panels()["change x' − x"].any()
    assert repr(explorer).startswith("Scales none;")
    for scale in (1, 4, 8):
        explorer.controls[f"scale {scale}"].value = True


def test_a_broken_callback_is_seen_when_driven(explorer):
    class Stuck(ScalesExplorer):
        def panels(self):
            return {**super().panels(), "change x' − x": torch.zeros(28, 28), "prompted x'": torch.zeros(28, 28)}

    stuck = Stuck(torch.zeros(2, 1, 28, 28, dtype=torch.uint8), explorer._spec)
    with pytest.raises(AssertionError, match="fusion changes no pixel"):
        stuck.drive()


def test_one_update_costs_little_more_than_its_drawing(explorer):
    def update(number):
        explorer.controls["image"].value = (1, 2, 3, 4, 0)[number]

    assert processor_seconds(update) < 2 * bare_drawing()


def test_explorers_must_say_what_they_show():
    with pytest.raises(NotImplementedError, match="Explorer needs a method picture"):
        Explorer({})
