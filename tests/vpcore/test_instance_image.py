"""InsVP's image level against loops over patches and pixels, and its counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from contract import randomized
from nets import small_cnn, small_vit
from small import vit_spec
from torch import Tensor

from vpcore.prompts import InstanceImagePrompt, InstancePrompt
from vpcore.prompts.instance_image import default_patch

SPEC = small_vit().spec
GREY28 = replace(SPEC, image_size=28, in_chans=1, patch_size=7)
B16 = replace(SPEC, image_size=224, patch_size=16)


def build(**options) -> InstanceImagePrompt:
    prompt = randomized(InstanceImagePrompt(SPEC, **options)).double()
    assert isinstance(prompt, InstanceImagePrompt)
    return prompt


def arrays(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy() for name, tensor in module.named_parameters()}


def patch_picture(prompt: InstanceImagePrompt, image: np.ndarray) -> np.ndarray:
    """G_l by a loop over patches; a patch is read as (channel, row, column)."""
    weights, edge, result = arrays(prompt.patch), prompt.patch.patch_size, np.zeros_like(image)
    for row in range(0, image.shape[1], edge):
        for column in range(0, image.shape[2], edge):
            window = (slice(None), slice(row, row + edge), slice(column, column + edge))
            hidden = np.maximum(weights["inner.weight"] @ image[window].reshape(-1) + weights["inner.bias"], 0)
            result[window] = (weights["outer.weight"] @ hidden + weights["outer.bias"]).reshape(image[window].shape)
    return result


def convolve(image: np.ndarray, weight: np.ndarray, bias: np.ndarray, dilation: int) -> np.ndarray:
    """A zero-padded, dilated convolution as a sum of shifted pictures, one kernel entry at a time."""
    chans_out, _, kernel, _ = weight.shape
    reach, edge = dilation * (kernel // 2), image.shape[1]
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)))
    result = np.zeros((chans_out, edge, edge)) + bias[:, None, None]
    for i in range(kernel):
        for j in range(kernel):
            top, left = i * dilation, j * dilation
            result += np.tensordot(weight[:, :, i, j], padded[:, top : top + edge, left : left + edge], 1)
    return result


def whole_picture(prompt: InstanceImagePrompt, image: np.ndarray, dilations: tuple[int, int]) -> np.ndarray:
    """G_g by the loop above."""
    weights = arrays(prompt.whole)
    hidden = np.maximum(convolve(image, weights["inner.weight"], weights["inner.bias"], dilations[0]), 0)
    return convolve(hidden, weights["outer.weight"], weights["outer.bias"], dilations[1])


def some_images(count: int = 2, edge: int = 32, chans: int = 3) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    return torch.randn(count, chans, edge, edge, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize("beta", [0.7, 0.25])
def test_equations_4_to_7(beta: float) -> None:
    prompt, images = build(beta=beta), some_images()
    found = prompt.image(images, None).detach().numpy()
    for image, result in zip(images.numpy(), found, strict=True):
        picture = beta * whole_picture(prompt, image, (2, 2)) + (1 - beta) * patch_picture(prompt, image)
        assert np.allclose(result, image + picture, atol=1e-12)


def test_default_beta_is_the_papers() -> None:
    assert InstanceImagePrompt(SPEC).beta == 0.7


def test_a_part_alone_has_weight_one() -> None:
    images = some_images(1)
    image = images[0].numpy()
    alone = build(parts=("patch",))
    assert np.allclose(alone.added_map(images)[0].detach().numpy(), patch_picture(alone, image), atol=1e-12)
    alone = build(parts=("global",), kernels=(5, 3), dilations=(1, 3))
    assert np.allclose(alone.added_map(images)[0].detach().numpy(), whole_picture(alone, image, (1, 3)), atol=1e-12)


def test_released_code_adds_the_global_picture_twice() -> None:
    prompt, images = build(variant="released_code").eval(), some_images(1)
    image = images[0].numpy()
    picture = patch_picture(prompt, image) + 2 * whole_picture(prompt, image, (1, 1))
    assert np.allclose(prompt.added_map(images)[0].detach().numpy(), picture, atol=1e-11)


def test_dropout_leaves_out_a_tenth_and_keeps_the_mean() -> None:
    prompt, images = build(variant="released_code", parts=("patch",)), some_images(20)
    whole, dropped = prompt.eval().added_map(images), prompt.train().added_map(images)
    missing = dropped == 0
    assert float(missing.double().mean()) == pytest.approx(0.1, abs=0.01)
    assert torch.allclose(dropped[~missing], whole[~missing] / 0.9)
    assert not torch.equal(missing, prompt.added_map(images) == 0)


@pytest.mark.parametrize(
    ("spec", "parts", "variant", "count"),
    [
        (B16, ("patch",), "paper", 25_360), (B16, ("global",), "released_code", 13_437),
        (B16, ("patch", "global"), "released_code", 38_797),
        (replace(SPEC, patch_size=4), ("patch",), "paper", 1_600), (SPEC, ("global",), "paper", 333),
        (GREY28, ("patch",), "paper", 1_633), (GREY28, ("global",), "paper", 115),
    ],
)  # fmt: skip
def test_published_counts(spec, parts: tuple[str, ...], variant: str, count: int) -> None:
    assert InstanceImagePrompt(spec, parts=parts, variant=variant).num_learned() == count


def test_the_released_variant_starts_the_same_in_both_classes() -> None:
    spec, parts = vit_spec(48, 2, 16, 4), ("patch", "global")
    alone = InstanceImagePrompt(spec, parts=parts, variant="released_code", seed=3).eval()
    within = InstancePrompt(spec, parts=parts, variant="released_code", seed=3).eval()
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(alone.added_map(images), within.condition(images).picture)
    assert alone.added_map(images).abs().max() > 0.1
    plain = InstanceImagePrompt(spec, parts=parts, variant="released_code", init="zeros").eval()
    assert plain.added_map(images).abs().max() == 0


def test_starts_at_the_plain_image_unless_told_otherwise() -> None:
    images = some_images().float()
    assert torch.equal(InstanceImagePrompt(SPEC).image(images, None), images)
    assert not torch.allclose(InstanceImagePrompt(SPEC, init="default").image(images, None), images, atol=1e-3)


def test_default_patch_fits_backbones_without_patches() -> None:
    assert default_patch(SPEC) == 8
    assert [default_patch(replace(small_cnn().spec, image_size=edge)) for edge in (16, 28, 32, 224)] == [2, 4, 4, 28]


def test_refusals() -> None:
    for parts in ((), ("patch", "common")):
        with pytest.raises(ValueError, match="parts must be one or both of patch, global"):
            InstanceImagePrompt(SPEC, parts=parts)
    with pytest.raises(ValueError, match="variant must be one of paper, released_code, got 'code'"):
        InstanceImagePrompt(SPEC, variant="code")
    with pytest.raises(ValueError, match="init must be 'zeros' or 'default', got 'normal'"):
        InstanceImagePrompt(SPEC, init="normal")
    with pytest.raises(ValueError, match="patch_size must divide the image size 32, got 5"):
        InstanceImagePrompt(SPEC, patch_size=5)
    with pytest.raises(ValueError, match="kernels must be 2 odd whole numbers"):
        InstanceImagePrompt(SPEC, kernels=(4, 3))
    for dilations in ((0, 2), (2,)):
        with pytest.raises(ValueError, match="dilations must be 2 whole numbers of at least 1"):
            InstanceImagePrompt(SPEC, dilations=dilations)
    for options in ({"patch_hidden": 0}, {"global_hidden": -1}):
        with pytest.raises(ValueError, match="patch_hidden and global_hidden must be at least 1"):
            InstanceImagePrompt(SPEC, **options)
    for options in ({"beta": 1.5}, {"beta": -0.1}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="beta must be 0 to 1, dropout 0 to below 1"):
            InstanceImagePrompt(SPEC, **options)
