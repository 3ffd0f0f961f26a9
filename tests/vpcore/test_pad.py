"""The frame prompt against four strips laid around the image, and its counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from contract import randomized
from nets import small_cnn, small_vit
from torch import Tensor

import vpcore
from vpcore.prompts import PROMPTS, PadPrompt

SPEC = small_vit().spec


def resized(edge: int, chans: int = 3) -> vpcore.Spec:
    return replace(SPEC, image_size=edge, in_chans=chans)


def strips(prompt: PadPrompt, edge: int) -> Tensor:
    """Rebuild the picture from top rows, bottom rows, left and right columns, reading the numbers row by row."""
    width, chans = int(prompt.width), prompt.frame.shape[0]
    picture, place = torch.zeros(chans, edge, edge, dtype=prompt.frame.dtype), 0
    for row in range(edge):
        whole = row < width or row >= edge - width
        for column in range(edge):
            if whole or column < width or column >= edge - width:
                picture[:, row, column] = prompt.frame[:, place]
                place += 1
    assert place == prompt.frame.shape[1]
    return picture.detach()


@pytest.mark.parametrize(("edge", "width"), [(32, 4), (32, 15), (13, 6), (7, 1)])
def test_added_picture_is_the_frame(edge: int, width: int) -> None:
    prompt = randomized(PadPrompt(resized(edge), width=width))
    assert isinstance(prompt, PadPrompt)
    images = torch.randn(2, 3, edge, edge, generator=torch.Generator().manual_seed(1))
    assert torch.equal(prompt.image(images, None), images + strips(prompt, edge))
    inside = prompt.added_map()[:, width : edge - width, width : edge - width]
    assert not inside.any()
    assert int((prompt.added_map() != 0).sum()) == prompt.num_learned()


@pytest.mark.parametrize(
    ("edge", "width", "chans", "count"),
    [
        (224, 30, 3, 69_840), (224, 16, 3, 39_936), (224, 1, 3, 2_676), (224, "full", 3, 150_528),
        (64, 8, 3, 5_376), (32, 4, 3, 1_344), (28, 4, 3, 1_152), (28, 4, 1, 384),
    ],
)  # fmt: skip
def test_published_counts(edge: int, width: int | str, chans: int, count: int) -> None:
    prompt = PadPrompt(resized(edge, chans), width=width)
    assert prompt.num_learned() == count
    assert sum(p.numel() for p in prompt.parameters()) == count  # nothing stored in vain
    if width != "full":
        assert count == 2 * chans * int(width) * (2 * edge - 2 * int(width))


def test_full_is_any_picture() -> None:
    prompt = randomized(PROMPTS["full"](SPEC))
    picture = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        prompt.frame.copy_(picture.flatten(1))
    assert torch.equal(prompt.image(torch.zeros(1, 3, 32, 32), None)[0], picture)


def test_zero_is_the_neutral_start() -> None:
    backbone = small_cnn()
    x = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(3))
    assert torch.equal(backbone(PadPrompt(backbone.spec).image(x, None)), backbone(x))


def test_normal_start_has_its_scale() -> None:
    frame = PadPrompt(resized(64), width="full", init="normal", scale=0.2).frame.detach()
    assert abs(float(frame.std()) - 0.2) < 0.01
    assert abs(float(frame.mean())) < 0.01


@pytest.mark.parametrize(("edge", "width"), [(224, 30), (32, 4), (28, 4), (16, 2), (8, 1)])
def test_default_width_keeps_the_papers_proportion(edge: int, width: int) -> None:
    assert PadPrompt(resized(edge)).width == width


@pytest.mark.parametrize("width", [0, -1, 16, 17, 2.5, "wide", True])
def test_a_frame_must_fit(width: int) -> None:
    with pytest.raises(ValueError, match=r"width must be 1 to 15 on images of 32 pixels, got .*: or say 'full'"):
        PadPrompt(SPEC, width=width)


def test_a_start_must_be_known() -> None:
    with pytest.raises(ValueError, match="init must be one of zeros, normal, got 'ones'"):
        PadPrompt(SPEC, init="ones")
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="scale must be positive and finite"):
            PadPrompt(SPEC, init="normal", scale=scale)
