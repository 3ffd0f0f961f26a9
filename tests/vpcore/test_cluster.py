"""Cluster prompts: centers by loops, files, copies, and what happens unprepared."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch
from contract import randomized
from nets import floats, pixels, small_cnn, small_vit

import vpcore
from vpcore.prompts import ClusterPrompt


def prepared(backbone: vpcore.Backbone, count: int = 3, seed: int = 0, **options) -> ClusterPrompt:
    prompt = randomized(ClusterPrompt(backbone.spec, num_clusters=count, seed=seed, **options), seed)
    assert isinstance(prompt, ClusterPrompt)
    return prompt.prepare(backbone, pixels(backbone, 40))


def with_head(backbone: vpcore.Backbone, prompt: ClusterPrompt) -> vpcore.Prompted:
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3))


@pytest.mark.parametrize("make", [small_cnn, small_vit])
def test_each_image_gets_its_nearest_centers_picture(make) -> None:
    backbone = make()
    prompt, spec = prepared(backbone), backbone.spec
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (spec.mean, spec.std))
    x = (floats(backbone, 40) - mean) / std
    features = backbone(x)
    nearest = [min(range(3), key=lambda k, f=f: float((f - prompt.centers[k]).square().sum())) for f in features]
    assert sorted(set(nearest)) == [0, 1, 2]
    assert prompt.condition(x).tolist() == nearest
    found = prompt.image(x, prompt.condition(x))
    for image, k, result in zip(x, nearest, found, strict=True):
        assert torch.equal(result, image + prompt.frames[k].view(image.shape))
    for k in range(3):  # Lloyd's fixed point: a center is the mean of its images
        members = features[[n == k for n in nearest]]
        assert torch.allclose(members.mean(0), prompt.centers[k], atol=1e-4)


def test_a_frame_in_place_of_a_picture() -> None:
    backbone = small_vit()
    prompt = prepared(backbone, count=2, width=4)
    assert prompt.num_learned() == 2 * 1_344
    assert not prompt.added_map()[:, :, 4:28, 4:28].any()


def test_features_come_from_the_original_image() -> None:
    backbone = small_cnn()
    prompt = prepared(backbone)
    model, images = with_head(backbone, prompt), floats(backbone, 40)
    with torch.no_grad():
        before = prompt.condition(model.normalize(images))
        prompt.frames.mul_(50)
    assert torch.equal(before, prompt.condition(model.normalize(images)))


def test_centers_do_not_depend_on_batches_but_on_the_seed_alone() -> None:
    backbone = small_cnn()
    images = pixels(backbone, 40)
    first, second = (ClusterPrompt(backbone.spec).prepare(backbone, images, size).centers for size in (7, 500))
    assert torch.allclose(first, second, atol=1e-5)


def test_loading_needs_only_attach(tmp_path: Path) -> None:
    backbone = small_vit()
    model, images = with_head(backbone, prepared(backbone)).eval(), floats(backbone, 8)
    model.save(tmp_path / "cluster.safetensors")
    fresh = with_head(backbone, ClusterPrompt(backbone.spec, num_clusters=3).attach(backbone)).eval()
    with pytest.raises(ValueError, match="not prepared"):
        fresh(images)
    fresh.load(tmp_path / "cluster.safetensors")
    assert torch.equal(fresh(images), model(images))


def test_copies_keep_prompt_and_model_on_one_backbone() -> None:
    backbone = small_cnn()
    model = with_head(backbone, prepared(backbone))
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.prompt._backbone[0] is other.backbone
        assert other.backbone is not backbone
    assert not any("backbone" in name for name in model.prompt.state_dict())


def test_a_backbone_of_doubles_finds_the_same_centers() -> None:
    backbone = small_cnn()
    images = pixels(backbone, 40)
    single = ClusterPrompt(backbone.spec).prepare(backbone, images).centers
    double = ClusterPrompt(backbone.spec).prepare(backbone.double(), images).centers
    torch.testing.assert_close(double, single, rtol=0, atol=1e-5)


def test_refusals() -> None:
    backbone = small_cnn()
    prompt = ClusterPrompt(backbone.spec)
    with pytest.raises(ValueError, match="this ClusterPrompt is not prepared: call"):
        with_head(backbone, prompt)(floats(backbone))
    with pytest.raises(ValueError, match="prepare needs at least 4 uint8 images, got 3"):
        prompt.prepare(backbone, pixels(backbone, 3))
    with pytest.raises(ValueError, match="prepare needs at least 4 uint8 images, got 8"):
        prompt.prepare(backbone, floats(backbone, 8))
    with pytest.raises(ValueError, match="clusters need the frozen backbone"):
        prompt.prepare(small_vit(), pixels(small_vit(), 8))
    with pytest.raises(ValueError, match="num_clusters must be at least 1, got 0"):
        ClusterPrompt(backbone.spec, num_clusters=0)
    with pytest.raises(ValueError, match="width must be 1 to 7"):
        ClusterPrompt(backbone.spec, width=8)


def test_a_backbone_that_trains_is_refused() -> None:
    backbone = small_cnn()
    prompt = prepared(backbone)
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(16, 3), train_backbone=True)
    with pytest.raises(ValueError, match="frozen"):
        model(floats(backbone))
    with pytest.raises(ValueError, match="clusters need the frozen backbone"):
        ClusterPrompt(backbone.spec).attach(backbone)


def test_prepare_takes_images_not_the_data_they_are_in() -> None:
    backbone = small_cnn()
    data = vpcore.Split(pixels(backbone, 9), torch.arange(9) % 3)
    for given in (data, torch.utils.data.TensorDataset(data.images, data.labels)):
        with pytest.raises(TypeError, match=f"a tensor of images, got a {type(given).__name__}: pass train.images"):
            ClusterPrompt(backbone.spec).prepare(backbone, given)
