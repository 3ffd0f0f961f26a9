"""The ten operations against torchvision or plain arithmetic, and the draws."""

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from vpcore.data.randaugment import OPERATIONS, RandAugment, apply


@pytest.fixture
def images():
    return torch.rand(6, 3, 20, 20, generator=torch.Generator().manual_seed(1))


def run(name, images, strength):
    return OPERATIONS[name](images, torch.full((len(images),), strength)).clamp(0, 1)


@pytest.mark.parametrize("strength", [-0.7, 0.4])
def test_operations_equal_their_oracles(images, strength):
    factor = 1 + 0.9 * strength
    grey, mean = images.mean(1, keepdim=True), images.mean((1, 2, 3), keepdim=True)
    wanted = {
        "identity": images,
        "brightness": tv.adjust_brightness(images, factor),
        "contrast": torch.lerp(mean.expand_as(images), images, factor).clamp(0, 1),
        "saturation": torch.lerp(grey.expand_as(images), images, factor).clamp(0, 1),
        "solarize": tv.solarize(images, 1 - abs(strength) + 1e-7),
        "turn": tv.rotate(images, 30 * strength, InterpolationMode.BILINEAR),
    }
    for name, oracle in wanted.items():
        assert torch.allclose(run(name, images, strength), oracle, atol=1e-4), name


def test_shifts_move_whole_pixels(images):
    right, down = run("shift_right", images, 0.5), run("shift_down", images, -0.5)  # 15 % of 20 pixels: 3
    assert torch.allclose(right[..., 3:], images[..., :-3], atol=1e-5)
    assert right[..., :3].abs().max() < 1e-5
    assert torch.allclose(down[..., :-3, :], images[..., 3:, :], atol=1e-5)


def test_shear_moves_rows_apart_and_keeps_the_center(images):
    ramp = torch.linspace(0, 1, 20).expand(1, 1, 20, 20).clone()
    out = run("shear", ramp, 1.0)[0, 0]
    middle = out[:, 8:12].mean(1)
    slope = (middle[1:] - middle[:-1]).mean()
    assert slope == pytest.approx(0.3 / 19, rel=0.05)
    assert middle[9:11].mean() == pytest.approx(0.5, abs=1e-3)


def test_posterize_leaves_few_levels(images):
    assert len(run("posterize", images, 1.0).unique()) == 16
    assert (run("posterize", images, 0.0) - images).abs().max() <= 0.5 / 255 + 1e-6


def test_each_image_gets_its_own_operation(images):
    which, strength = torch.tensor([0, 1, 4, 6, 1, 9]), torch.linspace(-0.5, 0.5, 6)
    names = list(OPERATIONS)
    alone = [
        OPERATIONS[names[w]](image[None], s[None]).clamp(0, 1)[0]
        for w, s, image in zip(which.tolist(), strength, images, strict=True)
    ]
    assert torch.allclose(apply(images, which, strength), torch.stack(alone), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_draws_come_from_the_generator_and_nothing_is_changed_in_place(channels):
    images = torch.rand(64, channels, 16, 16)
    before, state = images.clone(), torch.random.get_rng_state()
    augment = RandAugment(num_ops=3, magnitude=1.0)
    first, again, other = (augment(images, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(images, before)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(RandAugment(num_ops=0)(images, torch.Generator()), images)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="num_ops must be a whole number, 0 or more, got -1"):
        RandAugment(num_ops=-1)
    with pytest.raises(ValueError, match="magnitude must be 0 to 1, got 9"):
        RandAugment(magnitude=9)
    with pytest.raises(TypeError, match="images must be floats"):
        RandAugment()(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), torch.Generator())
