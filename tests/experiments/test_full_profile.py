"""The full profile's path from a torchvision set to a test accuracy, on tiny data and networks with fresh weights."""

import math

import pytest
import timm
import torch
from fake_sets import fake_kmnist

import vpcore
from vpcore.device import choose_precision
from vpcore.experiments.names.methods import METHODS, build_prompted

TEXTS = {
    "none": "none", "mlp_head": "mlp_head", "full": "full", "pad": "pad:width=4", "patch": "patch:size=8",
    "cluster": "cluster", "multiscale": "multiscale:fusion=gated", "instance": "instance",
    "instance_image": "instance_image", "vpt_shallow": "vpt_shallow", "vpt_deep": "vpt_deep",
    "activation": "activation:layer=2", "layer_probe": "layer_probe:layer=2", "norm_tuning": "norm_tuning",
    "ssf": "ssf", "bitfit": "bitfit",
    "lora": "lora", "partial": "partial", "full_tuning": "full_tuning",
}  # fmt: skip
TOKENS_ONLY = {"instance", "vpt_shallow", "vpt_deep"}
NETWORKS = {"vit_tiny_patch16_224": 64, "resnet18": 64, "swin_tiny_patch4_window7_224": 64}


@pytest.fixture
def full(tmp_path, monkeypatch):
    """The full profile, and a set as its download brings it."""
    from torchvision import datasets

    monkeypatch.setattr(datasets, "KMNIST", fake_kmnist(datasets.KMNIST))
    monkeypatch.setenv("VPCOURSE_PROFILE", "full")
    return lambda size: vpcore.load_data("kmnist", tmp_path / "sets", image_size=size, in_chans=3)


def test_every_method_has_a_text():
    assert set(TEXTS) == set(METHODS)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_method_trains_on_a_downloaded_set(full, network):
    data = full(NETWORKS[network])
    backbone = vpcore.load_backbone(network, pretrained=False, image_size=NETWORKS[network])
    few, rest = data.train.take(range(6)), data.test.take(range(4))
    for name, text in TEXTS.items():
        if backbone.spec.kind == "cnn":
            text = {"lora": "lora:targets=conv", "bitfit": "norm_tuning"}.get(name, text)
        if name in TOKENS_ONLY and backbone.spec.kind != "vit":
            continue
        model = build_prompted(text, backbone, few.images, lambda dim: vpcore.LinearHead(dim, 10, seed=0), 0, False)
        history = vpcore.fit(model, few, rest, epochs=1, batch_size=6, lr=1e-3, device="cpu")
        assert math.isfinite(history.epochs[-1].train_loss), name
        assert 0 <= vpcore.evaluate(model, rest).accuracy <= 1, name
        assert vpcore.count(model).total > 0, name


def test_weights_are_asked_for_by_name_and_precision_follows_the_device(full, monkeypatch):
    asked, create = [], timm.create_model

    def without_network(name, pretrained=False, **options):
        asked.append((name, pretrained))
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", without_network)
    vpcore.load_backbone("vit_tiny_patch16_224", image_size=32)
    assert asked == [("vit_tiny_patch16_224", True)]
    assert choose_precision(None, torch.device("cpu")) == "float32"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert choose_precision(None, torch.device("cuda")) == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert choose_precision(None, torch.device("cuda")) == "float16"
