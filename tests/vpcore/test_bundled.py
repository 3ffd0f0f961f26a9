"""Bundled weights: the nano networks' sizes, checksums, and files that are missing or tampered with."""

from __future__ import annotations

import json
import os

import pytest
import torch
from contract import randomized
from test_pretrain import data

import vpcore
from vpcore.experiments.pretrain import pretrain
from vpcore.models import BUNDLED, bundled
from vpcore.models.nano import resnet_nano, vit_nano

SHIPPED = [name for name in BUNDLED if (bundled.FOLDER / f"{name}.json").is_file()]
NEEDED = {"recipe", "command", "hardware", "seconds", "seed", "test_accuracy", "curve", "first_loss", "data"}


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A weights folder with a resnet_nano of random weights and its card."""
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    backbone = resnet_nano(num_source_classes=3, seed=3)
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.uniform_(-1, 1)
    pretrain.write_weights(backbone, data(), tmp_path, {"test_accuracy": 0.5})
    return pretrain.half_precision(backbone)


def test_at_least_one_backbone_ships() -> None:
    assert SHIPPED


@pytest.mark.skipif("VPCORE_DATA" not in os.environ, reason="VPCORE_DATA names no folder with CIFAR-100")
def test_the_cards_name_the_duplicates_of_their_set() -> None:
    data = vpcore.load_data("cifar100")
    train, valid, test = (
        [image.numpy().tobytes() for image in part.images] for part in (data.train, data.valid, data.test)
    )
    known = set(train)
    found = f"{sum(image in known for image in valid)} valid and {sum(image in known for image in test)} test images"
    for name in SHIPPED:
        card = bundled.read_card(name)["data"]
        assert card["md5"] == data.source_md5
        assert found in card["duplicates"]


def test_nano_networks_have_the_sizes_on_their_label() -> None:
    sizes = {"resnet_nano": 648_836, "vit_nano": 701_188}
    for make, depth in ((resnet_nano, 7), (vit_nano, 6)):
        backbone = make()
        assert backbone.spec.depth == depth
        assert sum(p.numel() for p in backbone.parameters()) == sizes[backbone.spec.name]
    assert vit_nano().spec.dim % 3 == 0


@pytest.mark.parametrize("prompt", vpcore.PROMPTS)
@pytest.mark.parametrize("backbone", BUNDLED)
def test_every_prompt_learns_on_the_nano_networks(backbone: str, prompt: str) -> None:
    net = vpcore.load_backbone(backbone, pretrained=False)
    if net.spec.kind == "cnn" and prompt in ("vpt_shallow", "vpt_deep", "instance"):
        with pytest.raises(ValueError, match="needs a ViT"):
            vpcore.PROMPTS[prompt](net.spec)
        return
    made = vpcore.PROMPTS[prompt](net.spec)
    images = torch.randint(256, (8, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    randomized(made.prepare(net, images))
    model = vpcore.Prompted(net, made, vpcore.LinearHead(net.spec.dim, 10))
    model(images.float() / 255).square().mean().backward()
    silent = [name for name, p in made.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert not silent


def test_weights_come_back_as_they_were_written_in_half_precision(shipped) -> None:
    loaded = bundled.load_weights(resnet_nano(num_source_classes=3))
    for name, tensor in shipped.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    card = bundled.read_card("resnet_nano")
    assert card["data"]["train"] == 40
    assert card["test_accuracy"] == 0.5


def test_a_tampered_file_is_refused(shipped) -> None:
    path = bundled.FOLDER / "resnet_nano.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="not the file its card describes"):
        bundled.load_weights(resnet_nano(num_source_classes=3))


def test_a_missing_file_is_named(shipped) -> None:
    (bundled.FOLDER / "resnet_nano.safetensors").unlink()
    with pytest.raises(ValueError, match="no file"):
        bundled.load_weights(resnet_nano(num_source_classes=3))
    with pytest.raises(FileNotFoundError, match="pass pretrained=False"):
        bundled.read_card("vit_nano")


def test_a_full_disk_leaves_the_old_card(shipped, monkeypatch) -> None:
    before = (bundled.FOLDER / "resnet_nano.json").read_bytes()

    def full(*_args) -> None:
        raise OSError("cannot write: No space left on device; free space or choose another folder")

    monkeypatch.setattr(pretrain, "write_tensors", full)
    with pytest.raises(OSError, match="No space left"):
        pretrain.write_weights(resnet_nano(num_source_classes=3), data(), bundled.FOLDER, {})
    assert (bundled.FOLDER / "resnet_nano.json").read_bytes() == before


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_small_and_says_where_it_comes_from(name: str) -> None:
    card = bundled.read_card(name)
    assert card["bytes"] <= 3 * 2**20
    assert {"recipe", "command", "hardware", "seconds", "seed", "test_accuracy", "curve", "first_loss", "data"} <= set(
        card
    )
    backbone = vpcore.load_backbone(name)
    assert backbone.frozen
    assert backbone.classifier is not None
    assert json.loads(json.dumps(card)) == card


@pytest.mark.skipif("VPCORE_DATA" not in os.environ, reason="VPCORE_DATA names no folder with CIFAR-100")
@pytest.mark.parametrize("name", SHIPPED)
def test_recipe_and_data_still_give_the_loss_on_the_card(name: str) -> None:
    from vpcore.experiments.pretrain.pretrain import first_loss

    assert first_loss(name, vpcore.load_data("cifar100")) == pytest.approx(
        bundled.read_card(name)["first_loss"], abs=1e-6
    )


@pytest.mark.skipif("VPCORE_DATA" not in os.environ, reason="VPCORE_DATA names no folder with CIFAR-100")
@pytest.mark.parametrize("name", SHIPPED)
def test_weights_still_have_the_accuracy_on_the_card(name: str) -> None:
    """The valid images, of which no accuracy is reported: the test split is read once, in pretraining."""
    from vpcore.prompted import classify
    from vpcore.train import evaluate

    valid = vpcore.load_data("cifar100").valid
    accuracy = evaluate(classify(vpcore.load_backbone(name)), valid).accuracy
    assert accuracy == pytest.approx(bundled.read_card(name)["valid_accuracy"], abs=0.01)


@pytest.mark.parametrize("make", [resnet_nano, vit_nano])
def test_images_of_another_size_are_refused(make) -> None:
    with pytest.raises(ValueError, match="32 pixels and 3 channels, got 28 and 1"):
        make(image_size=28, in_chans=1)
