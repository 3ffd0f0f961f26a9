"""Augmentation against explicit slicing and against torchvision's own rotation."""

import pytest
import torch
from torchvision.transforms import functional as tv

from vpcore.data.augment import Augment, mirror, mix, paper_augment, rotate, shift_crop


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.rand(16, 3, 12, 12, generator=seeded(7))


def test_crop_equals_explicit_slicing(images):
    offsets = torch.randint(0, 7, (16, 2), generator=seeded(1))
    out = shift_crop(images, offsets, padding=3)
    for image, (down, right), got in zip(images, offsets.tolist(), out, strict=True):
        canvas = torch.zeros(3, 18, 18)
        canvas[:, 3:15, 3:15] = image
        assert torch.equal(got, canvas[:, down : down + 12, right : right + 12])


def test_crop_works_on_images_that_are_not_square():
    images = torch.rand(4, 1, 6, 9)
    assert torch.equal(shift_crop(images, torch.full((4, 2), 2), padding=2), images)


def test_every_offset_is_drawn_about_equally_often():
    marked = torch.zeros(5000, 1, 5, 5)
    marked[:, :, 2, 2] = 1
    where = Augment(crop=2)(marked, seeded()).flatten(1).argmax(1)
    counts = torch.bincount(where, minlength=25)
    assert counts.min() > 120  # 200 expected, sd 14
    assert counts.max() < 280


@pytest.mark.parametrize("angle", [-90.0, 180.0, 10.0, -7.5, 33.0])
@pytest.mark.parametrize("shape", [(28, 28), (32, 32), (20, 30)])
def test_rotation_equals_torchvision(angle, shape):
    images = torch.rand(3, 2, *shape, generator=seeded(3))
    out = rotate(images, torch.full((3,), angle))
    same = out == tv.rotate(images, angle)  # nearest, fill 0: torchvision's defaults
    assert same.float().mean() > 0.995  # exact ties between two pixels may round either way


def test_rotation_turns_each_image_by_its_own_angle(images):
    out = rotate(images, torch.linspace(-60, 60, 16))
    one_by_one = [
        rotate(image[None], angle[None])[0] for image, angle in zip(images, torch.linspace(-60, 60, 16), strict=True)
    ]
    assert torch.equal(out, torch.stack(one_by_one))


def test_mirror_flips_the_chosen_only(images):
    chosen = torch.arange(16) % 3 == 0
    out = mirror(images, chosen)
    assert torch.equal(out[chosen], images[chosen][..., torch.arange(11, -1, -1)])
    assert torch.equal(out[~chosen], images[~chosen])


def test_nothing_asked_for_changes_nothing(images):
    assert torch.equal(Augment()(images, seeded()), images)


def test_same_generator_state_same_result_and_input_untouched(images):
    before = images.clone()
    augment = Augment(crop=3, rotate=20, flip=True)
    first, second, other = (augment(images, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(images, before)
    assert first.shape == images.shape
    assert first.min() >= 0
    assert first.max() <= 1


def test_global_random_state_is_not_used(images):
    state = torch.random.get_rng_state()
    Augment(crop=2, rotate=5, flip=True)(images, seeded())
    mix(images, torch.eye(16), seeded())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_flip_and_angle_do_not_depend_on_the_crop_setting(images):
    flips = [torch.equal(a, b) for a, b in zip(Augment(flip=True)(images, seeded(5)), images, strict=True)]
    both = Augment(crop=1, flip=True)(images, seeded(5))
    cropped = Augment(crop=1)(images, seeded(5))
    assert flips == [torch.equal(a, b) for a, b in zip(both, cropped, strict=True)]
    assert 0 < sum(flips) < 16


def test_paper_recipes():
    assert paper_augment("fashion_mnist") == Augment(crop=4, rotate=10, flip=False)
    assert paper_augment("mnist") == Augment(crop=4, rotate=10, flip=False)
    assert paper_augment("cifar10") == Augment(crop=4, rotate=0, flip=True)
    with pytest.raises(ValueError, match="no paper recipe for 'svhn': choose one of mnist"):
        paper_augment("svhn")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"crop": -1}, "crop must be"), ({"crop": 1.5}, "crop must be"), ({"rotate": 181}, "rotate must be"),
     ({"rotate": float("nan")}, "rotate must be")],
)  # fmt: skip
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Augment(**options)


def test_bad_images_are_refused():
    with pytest.raises(TypeError, match=r"floats in \[0, 1\], got torch.uint8: divide"):
        Augment()(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), seeded())
    with pytest.raises(ValueError, match=r"got \(1, 4, 4\)"):
        Augment()(torch.zeros(1, 4, 4), seeded())


def test_mixup_blends_image_and_target_alike(images):
    out, targets = mix(images, torch.eye(16), seeded(2), alpha_mixup=0.8, alpha_cutmix=0)
    assert torch.allclose(targets.sum(1), torch.ones(16))
    rebuilt = torch.einsum("ij,jchw->ichw", targets, images)  # one-hot targets name the partner
    assert torch.allclose(out, rebuilt, atol=1e-6)
    assert (targets.max(1).values < 1).any()


def test_cutmix_pastes_a_box_and_counts_its_pixels(images):
    out, targets = mix(images, torch.eye(16), seeded(2), alpha_mixup=0, alpha_cutmix=1)
    for row in range(16):
        own = (out[row] == images[row]).all(0)
        assert own.float().mean().item() == pytest.approx(targets[row, row].item(), abs=1e-6)
        taken = (~own).nonzero()
        if len(taken):
            partner = int(targets[row].clone().index_fill(0, torch.tensor(row), 0).argmax())
            assert torch.equal(out[row][:, ~own], images[partner][:, ~own])
            height, width = (taken.max(0).values - taken.min(0).values + 1).tolist()
            assert height * width == len(taken)  # a full rectangle


def test_mix_off_and_bad_arguments(images):
    out, targets = mix(images, torch.eye(16), seeded(), alpha_mixup=0, alpha_cutmix=0)
    assert torch.equal(out, images)
    assert torch.equal(targets, torch.eye(16))
    with pytest.raises(ValueError, match="alpha must be 0 or more"):
        mix(images, torch.eye(16), seeded(), alpha_mixup=-1)
    with pytest.raises(ValueError, match=r"targets must be \(batch, classes\), got \(16,\) for 16 images"):
        mix(images, torch.arange(16), seeded())
    says = r"targets must be floats, got torch.int64: use torch.nn.functional.one_hot\(...\).float\(\)"
    for alpha in (0.2, 0):
        with pytest.raises(TypeError, match=says):
            mix(images, torch.eye(16).long(), seeded(), alpha_mixup=alpha, alpha_cutmix=0)
