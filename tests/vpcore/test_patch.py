"""The patch prompt against slices; its random places, counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from contract import randomized
from nets import small_vit
from torch import Tensor

from vpcore.prompts import PatchPrompt

SPEC = small_vit().spec
TINY = replace(SPEC, image_size=6)


def pasted(prompt: PatchPrompt, images: Tensor, places: Tensor) -> Tensor:
    """Add the square to each image by slicing."""
    result, p = images.clone(), prompt.size
    for image, (row, column) in zip(result, places.tolist(), strict=True):
        image[:, row : row + p, column : column + p] += prompt.patch.detach()
    return result


def random_patch(spec=SPEC, size: int = 5, seed: int = 0) -> PatchPrompt:
    prompt = randomized(PatchPrompt(spec, size=size, position="random", seed=seed))
    assert isinstance(prompt, PatchPrompt)
    return prompt


@pytest.mark.parametrize("position", [(0, 0), (3, 27), (27, 27), (10, 4)])
def test_fixed_place(position: tuple[int, int]) -> None:
    prompt = randomized(PatchPrompt(SPEC, size=5, position=position))
    assert isinstance(prompt, PatchPrompt)
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    places = prompt.train().condition(images)
    assert places.tolist() == [list(position)] * 3
    assert torch.equal(prompt.image(images, places), pasted(prompt, images, places))


def test_random_places_differ_within_a_batch_and_land_as_slices_do() -> None:
    prompt = random_patch()
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    places = prompt.train().condition(images)
    assert len(set(map(tuple, places.tolist()))) > 4
    assert torch.equal(prompt.image(images, places), pasted(prompt, images, places))


def test_every_place_is_reached_equally_often() -> None:
    prompt = random_patch(TINY, size=4).train()
    places = prompt.condition(torch.zeros(9000, 3, 6, 6))
    counts = torch.bincount(places[:, 0] * 3 + places[:, 1], minlength=9)
    assert counts.tolist() == pytest.approx([1000] * 9, abs=150)  # 5 standard deviations


def test_places_come_from_the_prompts_own_seed() -> None:
    images = torch.zeros(6, 3, 32, 32)
    first, again, other = (random_patch(seed=seed).train().condition(images) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    prompt = random_patch().train()
    assert not torch.equal(prompt.condition(images), prompt.condition(images))


def test_lies_still_in_the_center_at_evaluation() -> None:
    places = random_patch().eval().condition(torch.zeros(2, 3, 32, 32))
    assert places.tolist() == [[13, 13], [13, 13]]


@pytest.mark.parametrize(
    ("edge", "size", "count"), [(224, 30, 2_700), (224, 1, 3), (224, None, 2_700), (32, 32, 3_072)]
)
def test_published_counts(edge: int, size: int | None, count: int) -> None:
    assert PatchPrompt(replace(SPEC, image_size=edge), size=size).num_learned() == count


def test_refusals() -> None:
    for size in (0, 33, 2.5, True):
        with pytest.raises(ValueError, match="size must be 1 to 32, the image size"):
            PatchPrompt(SPEC, size=size)  # type: ignore[arg-type]
    for position in ((28, 0), (0, -1), (1,), "middle", (0.5, 1)):
        with pytest.raises(ValueError, match=r"position must be 'random' or \(row, column\), each 0 to 27"):
            PatchPrompt(SPEC, size=5, position=position)  # type: ignore[arg-type]
