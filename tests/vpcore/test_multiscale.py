"""MSVP against explicit loops, its counts, its rank, and the ViT identity that swallows it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from contract import randomized
from nets import small_cnn, small_vit
from torch import Tensor

import vpcore
from vpcore.prompts import MultiScalePrompt
from vpcore.prompts.multiscale import average_maps, upsample


def bilinear(small: np.ndarray, edge: int) -> np.ndarray:
    """Stretch (h, w) to (edge, edge) pixel by pixel: pixel centers at i + 1/2, values held beyond the outer centers."""
    size = len(small)
    large = np.zeros((edge, edge))
    for row in range(edge):
        for column in range(edge):
            y, x = (min(max((i + 0.5) * size / edge - 0.5, 0), size - 1) for i in (row, column))
            top, left = int(y), int(x)
            below, right = min(top + 1, size - 1), min(left + 1, size - 1)
            fy, fx = y - top, x - left
            upper = (1 - fx) * small[top, left] + fx * small[top, right]
            lower = (1 - fx) * small[below, left] + fx * small[below, right]
            large[row, column] = (1 - fy) * upper + fy * lower
    return large


def stretched(prompt: MultiScalePrompt, edge: int) -> list[np.ndarray]:
    """Every map, stretched by the loops above: a list of (C, edge, edge)."""
    return [np.stack([bilinear(c, edge) for c in m[0].detach().double().numpy()]) for m in prompt.maps]


def expected(prompt: MultiScalePrompt, x: np.ndarray) -> np.ndarray:
    """The prompted images by the formulas, one pixel's channel vector at a time."""
    maps = stretched(prompt, x.shape[-1])
    mean = sum(maps) / len(maps)
    if prompt.fusion == "add":
        return x + mean
    if prompt.fusion == "concat":
        weight = prompt.mix.detach().double().numpy()[:, :, 0, 0]
        return np.stack([np.tensordot(weight, np.concatenate([image, *maps]), 1) for image in x])
    weight, bias = prompt.gate_weight.detach().double().numpy()[:, :, 0, 0], prompt.gate_bias.detach().double().numpy()
    gate = 1 / (1 + np.exp(-(np.tensordot(weight, mean, 1) + bias[:, None, None])))
    return x + gate * mean


@pytest.mark.parametrize(("size", "edge"), [(1, 16), (4, 16), (8, 28), (5, 13)])
def test_upsampling_is_bilinear_between_pixel_centers(size: int, edge: int) -> None:
    small = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert np.allclose(upsample(small, (edge, edge))[0, 0].numpy(), bilinear(small[0, 0].numpy(), edge), atol=1e-12)


@pytest.mark.parametrize("fusion", ["add", "concat", "gated"])
@pytest.mark.parametrize("scales", [(1, 4, 8), (2, 5)])
def test_fusions_follow_the_formulas(fusion: str, scales: tuple[int, ...]) -> None:
    spec = small_vit().spec
    prompt = randomized(MultiScalePrompt(spec, scales=scales, fusion=fusion)).double()
    assert isinstance(prompt, MultiScalePrompt)
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = prompt.image(x, None).detach().numpy()
    assert np.allclose(found, expected(prompt, x.numpy()), atol=1e-12)


COUNTS = [  # fusion, channels, numbers for global; global + mid; all
    ("add", 1, (1, 17, 81)), ("concat", 1, (3, 20, 85)), ("gated", 1, (3, 19, 83)),
    ("add", 3, (3, 51, 243)), ("concat", 3, (21, 78, 279)), ("gated", 3, (15, 63, 255)),
]  # fmt: skip


@pytest.mark.parametrize(("fusion", "chans", "counts"), COUNTS)
def test_published_counts(fusion: str, chans: int, counts: tuple[int, int, int]) -> None:
    spec = small_cnn().spec if chans == 1 else small_vit().spec
    for scales, count in zip(((1,), (1, 4), (1, 4, 8)), counts, strict=True):
        assert MultiScalePrompt(spec, scales=scales, fusion=fusion).num_learned() == count


@pytest.mark.parametrize("edge", [28, 32])
@pytest.mark.parametrize(("scales", "rank"), [((1, 4, 8), 79), ((1, 4), 16)])
def test_rank_of_the_added_pictures(edge: int, scales: tuple[int, ...], rank: int) -> None:
    total = sum(s * s for s in scales)
    pictures = []
    for index in range(total):
        flat = torch.zeros(total, dtype=torch.float64)
        flat[index] = 1
        maps = [part.view(1, 1, s, s) for part, s in zip(flat.split([s * s for s in scales]), scales, strict=True)]
        pictures.append(average_maps(maps, (edge, edge)).flatten())
    assert torch.linalg.matrix_rank(torch.stack(pictures)) == rank


@pytest.mark.parametrize("fusion", ["add", "gated", "concat"])
def test_zero_maps_leave_the_plain_network(fusion: str) -> None:
    backbone = small_vit()
    prompt = MultiScalePrompt(backbone.spec, fusion=fusion)  # concat starts at [I | 0]
    with torch.no_grad():
        for prompt_map in prompt.maps:
            prompt_map.zero_()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    assert torch.equal(backbone(prompt.image(x, None)), backbone(x))


def test_concat_starts_at_the_image_or_at_random() -> None:
    spec, x = small_vit().spec, torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    assert torch.equal(MultiScalePrompt(spec, fusion="concat").image(x, None), x)
    assert not torch.allclose(MultiScalePrompt(spec, fusion="concat", init="kaiming").image(x, None), x, atol=0.1)


def test_maps_start_small_and_normal() -> None:
    spec = small_cnn().spec
    drawn = torch.cat([m.detach().flatten() for seed in range(100) for m in MultiScalePrompt(spec, seed=seed).maps])
    assert abs(float(drawn.mean())) < 5e-4
    assert abs(float(drawn.std()) - 0.01) < 5e-4


@pytest.mark.parametrize("fusion", ["add", "gated"])
def test_a_vit_swallows_the_prompt_into_its_position_embedding(fusion: str) -> None:
    """W(x + M) + b + pos = Wx + b + (WM + pos): the same function without a prompt."""
    backbone = small_vit().double()
    prompt = randomized(MultiScalePrompt(backbone.spec, fusion=fusion)).double()
    assert isinstance(prompt, MultiScalePrompt)
    folded = copy.deepcopy(backbone)
    net = folded.embed.net
    with torch.no_grad():
        shift = net.patch_embed.proj(prompt.added_map((32, 32))) - net.patch_embed.proj.bias.view(1, -1, 1, 1)
        net.pos_embed[:, 1:] += shift.flatten(2).transpose(1, 2)
    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    assert (backbone(prompt.image(x, None)) - backbone(x)).abs().max() > 1e-3
    assert (backbone(prompt.image(x, None)) - folded(x)).abs().max() < 1e-12


@pytest.mark.parametrize("fusion", ["add", "gated"])
def test_the_added_picture_never_sees_the_image(fusion: str) -> None:
    prompt = randomized(MultiScalePrompt(small_vit().spec, fusion=fusion)).double()
    draw = torch.Generator().manual_seed(5)
    first, second = (torch.randn(1, 3, 32, 32, generator=draw, dtype=torch.float64) for _ in range(2))

    def added(x: Tensor) -> Tensor:
        return prompt.image(x, None) - x

    assert torch.allclose(added(first), added(second), atol=1e-12)


def test_refusals() -> None:
    spec = small_cnn().spec
    with pytest.raises(ValueError, match="fusion must be one of add, concat, gated, got 'sum'"):
        MultiScalePrompt(spec, fusion="sum")
    with pytest.raises(ValueError, match="init must be one of identity, kaiming, got 'zero'"):
        MultiScalePrompt(spec, init="zero")
    for scales in ((), (0,), (17,), (4, 4), (1.5,)):
        with pytest.raises(ValueError, match="scales must be different whole numbers from 1 to 16"):
            MultiScalePrompt(spec, scales=scales)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="concat mixes the image with the maps"):
        MultiScalePrompt(spec, fusion="concat").added_map((16, 16))


def test_the_paper_trains_the_backbone_too() -> None:
    backbone = small_cnn()
    model = vpcore.Prompted(backbone, MultiScalePrompt(backbone.spec), vpcore.LinearHead(16, 3), train_backbone=True)
    assert vpcore.count(model).learned_backbone == vpcore.count(model).backbone > 0
