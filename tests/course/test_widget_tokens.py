"""The explorer of token prompts: what it shows is what the library computes, in every state."""

import ipywidgets
import pytest
import torch
from torch import nn

from course.widgets.base import LONGEST
from course.widgets.tokens import LIMIT, TokensExplorer, tile
from tests.support.pace import bare_drawing, processor_seconds
from vpcore import Prompted, load_backbone


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("vit_nano", pretrained=False)


@pytest.fixture
def explorer(backbone):
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return TokensExplorer(images, backbone.spec)


def test_driving_it_moves_every_control(explorer):
    before = explorer.image.value
    assert explorer.drive() == "5 controls driven: each changes the picture and brings it back."
    assert explorer.image.value == before
    assert len(repr(explorer)) <= LONGEST


def test_keyboard_controls_only(explorer):
    kinds = (ipywidgets.IntSlider, ipywidgets.FloatSlider)
    assert all(isinstance(control, kinds) and control.description for control in explorer.controls.values())


@pytest.mark.parametrize(("tokens", "blocks"), [(4, 6), (1, 1), (9, 3)])
def test_the_sequences_are_those_of_the_network(explorer, backbone, tokens, blocks):
    explorer.controls["tokens"].value, explorer.controls["blocks"].value = tokens, blocks
    seen = []
    model = Prompted(backbone, explorer.prompt(), nn.Identity())
    model.features(torch.zeros(1, 3, 32, 32), watch=lambda z, layer: seen.append(z.shape[1]) or z)
    rows = explorer.sequences()
    assert [len(row) for row in rows] == seen
    assert [row.count(2) for row in rows] == [tokens] * blocks + [0] * (7 - blocks)
    assert all(row[0] == 1 and row.count(1) == 1 and row.count(3) == 16 for row in rows)
    assert rows[0][1 : 1 + tokens] == [2] * tokens


def test_the_sentence_counts_what_learns(explorer):
    explorer.controls["tokens"].value = 9
    assert "common 5,184, G_s 9,054 numbers." in repr(explorer)
    assert sum(p.numel() for p in explorer.prompt().parameters()) == 5_184 + 9_054


def test_the_ends_of_beta_are_one_kind_alone(explorer):
    explorer.controls["beta"].value = 0.0
    tokens = explorer.tokens()
    assert torch.equal(tokens["specific"], tokens["mixed, block 1"])
    explorer.controls["beta"].value = 1.0
    assert torch.equal(explorer.tokens()["mixed, block 1"], explorer.prompt().common.values[0])


def test_tokens_are_tiled_row_by_row():
    pictures = torch.full((4, 3, 2, 2), -LIMIT)
    pictures[3] = LIMIT / 2
    sheet = tile(pictures)
    assert sheet.shape == (8, 8, 3)
    assert torch.equal(sheet[3:5, 0:2], torch.full((2, 2, 3), 0.75))
    assert sheet[0:2, 6:8].eq(0).all()
    assert sheet[3:5, 3:5].eq(1).all()


def test_one_update_costs_little_more_than_its_drawing(explorer):
    def update(number):
        explorer.controls["tokens"].value = (1, 2, 3, 6, 8)[number]

    assert processor_seconds(update) < 2 * bare_drawing()
