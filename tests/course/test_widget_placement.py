"""The explorer of pixel prompts: callbacks run, places are where they say, one sentence that fits."""

import pytest
import torch

from course.widgets.base import LONGEST
from course.widgets.placement import NAMES, PLACES, PlacementExplorer
from vpcore import load_backbone

X, DELTA, PROMPTED = NAMES


@pytest.fixture
def explorer():
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    spec = load_backbone("simple_cnn", pretrained=False, width=4, in_chans=3, image_size=32).spec
    return PlacementExplorer(images, spec)


def test_driving_it_moves_every_control(explorer):
    before = explorer.image.value
    assert explorer.drive() == "4 controls driven: each changes the picture and brings it back."
    assert explorer.image.value == before


@pytest.mark.parametrize(("place", "count"), [("frame", 1344), ("full image", 3072), ("patch", 48)])
def test_pixels_sit_where_the_control_says(explorer, place, count):
    explorer.controls["place"].value = place
    changed = torch.zeros(32, 32, dtype=torch.bool)
    changed[{"frame": (), "full image": (), "patch": (slice(4), slice(4))}[place]] = True
    if place == "frame":
        changed[4:-4, 4:-4] = False
    panels = explorer.panels()
    assert torch.equal(panels[DELTA] != 0, changed)
    assert torch.equal((panels[PROMPTED] != panels[X]).any(0), changed)
    assert f"{count:,} numbers" in repr(explorer)


def test_the_sentence_fits_and_counts_what_lies_beyond(explorer):
    explorer.controls["amplitude"].value = 0.0
    assert repr(explorer).endswith("; 0 % beyond 0 … 1.")
    explorer.controls["amplitude"].value = 2.0
    for place in PLACES:
        explorer.controls["place"].value = place
        assert len(repr(explorer)) <= LONGEST
        assert repr(explorer) in explorer.words.value
    pixels = explorer.panels()[PROMPTED]
    share = ((pixels < 0) | (pixels > 1)).float().mean()
    assert f"{100 * share:.0f} % beyond" in repr(explorer)


def test_gray_images_work(explorer):
    gray = PlacementExplorer(
        torch.zeros(2, 1, 28, 28, dtype=torch.uint8), load_backbone("simple_cnn", pretrained=False, width=4).spec
    )
    assert gray.panels()[X].shape == (1, 28, 28)
