"""Several seeds in one pass give what several runs give."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contract import randomized
from tiny import tiny_backbone, tiny_split
from torch import nn
from torch.nn import functional as F

import vpcore
from vpcore.cache import cached
from vpcore.data.augment import Augment
from vpcore.device import prefer_channels_last
from vpcore.train import together as grouping
from vpcore.train.many_seeds import fit_seeds
from vpcore.train.one_pass import own_losses
from vpcore.train.together import Several

SEEDS = (3, 4, 5)
PROMPTS = [name for name in vpcore.PROMPTS if name not in ("cluster",)]  # cluster needs prepare; it acts on pixels only


def split(count: int, seed: int) -> vpcore.Split:
    return tiny_split(count, seed=seed, size=32, chans=3)


def build(backbone: vpcore.Backbone, name: str, seed: int, **options) -> vpcore.Prompted:
    prompt = randomized(vpcore.PROMPTS[name](backbone.spec, seed=seed, **options), seed)
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3, seed=seed))


def exact(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, _: torch.Generator) -> torch.Tensor:
    """Cross-entropy in the precision of the logits; the default rounds them to float32."""
    return F.cross_entropy(model(images), labels)


def learned(model: vpcore.Prompted) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.learned().items()}


@pytest.mark.parametrize("name", PROMPTS)
def test_twenty_steps_agree_with_separate_runs(name: str) -> None:
    backbone = vpcore.load_backbone("vit_nano", pretrained=False).double()
    options = {"epochs": 5, "batch_size": 6, "augment": Augment(crop=2), "weight_decay": 0.01}
    rates = (0.01, 0.02, 0.005)
    alone = [build(backbone, name, seed).double() for seed in SEEDS]
    histories = [
        vpcore.fit(model, split(24, 0), split(6, 1), lr=rate, seed=seed, loss=exact, **options)
        for model, rate, seed in zip(alone, rates, SEEDS, strict=True)
    ]
    together = [build(backbone, name, seed).double() for seed in SEEDS]
    found = fit_seeds(together, split(24, 0), split(6, 1), seeds=SEEDS, lr=rates, **options)
    for one, other, before, after in zip(alone, together, histories, found, strict=True):
        assert [r.valid_accuracy for r in before.epochs] == [r.valid_accuracy for r in after.epochs]
        assert [r.train_loss for r in before.epochs] == pytest.approx([r.train_loss for r in after.epochs], rel=1e-5)
        mine = learned(other)
        for key, tensor in learned(one).items():
            torch.testing.assert_close(mine[key], tensor, rtol=0, atol=1e-8, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("backbone", ["vit_nano", "resnet_nano"])
def test_first_gradients_agree_in_float32(backbone: str) -> None:
    net = vpcore.load_backbone(backbone, pretrained=False)
    models = [build(net, "instance_image", seed) for seed in SEEDS]
    batches = [split(8, seed).images.float() / 255 for seed in SEEDS]
    labels = torch.stack([torch.arange(seed, seed + 8) % 3 for seed in SEEDS], 1)
    own_losses(Several(models), torch.stack(batches, 1), labels, torch.Generator()).sum().backward()
    got = [[p.grad.clone() for p in model.parameters() if p.grad is not None] for model in models]
    for model, batch, own, together in zip(models, batches, labels.unbind(1), got, strict=True):
        model.zero_grad()
        F.cross_entropy(model(batch), own).backward()
        alone = [p.grad for p in model.parameters() if p.grad is not None]
        for a, b in zip(together, alone, strict=True):
            assert float((a - b).norm() / b.norm()) < 1e-5


def test_a_cached_split_serves_all_seeds() -> None:
    backbone = vpcore.load_backbone("resnet_nano", pretrained=False)
    models = [build(backbone, "activation", seed, layer=5) for seed in SEEDS]
    train, valid = split(40, 0), split(12, 1)
    fast = fit_seeds(models, cached(models[0], train), cached(models[0], valid), seeds=SEEDS, epochs=2)
    slow = fit_seeds(
        [build(backbone, "activation", seed, layer=5) for seed in SEEDS], train, valid, seeds=SEEDS, epochs=2
    )
    for one, other in zip(fast, slow, strict=True):
        assert [r.train_loss for r in one.epochs] == pytest.approx([r.train_loss for r in other.epochs], rel=1e-4)


def normed(backbone: vpcore.Backbone, seed: int) -> nn.Module:
    return nn.Sequential(nn.BatchNorm1d(backbone.spec.dim), vpcore.LinearHead(backbone.spec.dim, 3, seed=seed))


def mapped(backbone: vpcore.Backbone, seed: int) -> nn.Module:
    return vpcore.LabelMapping(backbone, 3, kind="iterative")


def on_disk(model: vpcore.Prompted, data: vpcore.Split) -> vpcore.Split:
    return cached(model, data, memory_limit=10)


CASES = {  # prompt, its options, head, what is done to the data, options of training
    "a head with batch norm": ("pad", {}, normed, None, {}),
    "labels mapped anew every epoch": ("pad", {}, mapped, None, {}),
    "random places": ("patch", {"position": "random"}, None, None, {}),
    "features": ("none", {}, None, cached, {}),
    "activations on disk": ("activation", {"layer": 3}, None, on_disk, {}),
    "two layers": ("activation", {"layer": (1, 3)}, None, None, {"optimizer": "sgd"}),
    "own rates": ("pad", {}, None, None, {"lr": {"prompt": 0.02, "head": 0.005}, "batch_size": 10}),
    "own decays": ("pad", {}, None, None, {"weight_decay": {"prompt": 0.5, "head": 0.0}}),
}  # fmt: skip


@pytest.mark.parametrize("backbone", ["vit_nano", "resnet_nano"])
@pytest.mark.parametrize("case", CASES)
def test_whatever_a_model_is_made_of_it_trains_as_alone(case: str, backbone: str) -> None:
    prompt, given, head, prepared, wanted = CASES[case]
    options = {"epochs": 3, "batch_size": 6, **wanted}

    def made() -> tuple[list[vpcore.Prompted], vpcore.Split, vpcore.Split]:
        net = vpcore.load_backbone(backbone, pretrained=False).double()
        models = [build(net, prompt, seed, **given) for seed in SEEDS]
        for model, seed in zip(models, SEEDS, strict=True):
            model.head = model.head if head is None else head(net, seed)
            model.double()
        data = split(24, 0), split(6, 1)
        return (models, *(data if prepared is None else (prepared(models[0], each) for each in data)))

    alone, train, valid = made()
    histories = [
        vpcore.fit(m, train, valid, seed=seed, loss=exact, **options) for m, seed in zip(alone, SEEDS, strict=True)
    ]
    together, train, valid = made()
    found = fit_seeds(together, train, valid, seeds=SEEDS, **options)
    for one, other, before, after in zip(alone, together, histories, found, strict=True):
        assert [r.valid_accuracy for r in before.epochs] == [r.valid_accuracy for r in after.epochs]
        torch.testing.assert_close(learned(one), learned(other), rtol=0, atol=1e-8)


def test_half_precision_rounds_each_model_as_alone() -> None:
    backbone = vpcore.load_backbone("vit_nano", pretrained=False)
    options = {"epochs": 2, "batch_size": 6, "lr": 1e-3, "precision": "bfloat16"}
    alone, together = ([build(backbone, "instance_image", seed) for seed in SEEDS] for _ in range(2))
    histories = [vpcore.fit(m, split(24, 0), split(6, 1), seed=s, **options) for m, s in zip(alone, SEEDS, strict=True)]
    for before, after in zip(
        histories, fit_seeds(together, split(24, 0), split(6, 1), seeds=SEEDS, **options), strict=True
    ):
        assert [r.train_loss for r in after.epochs] == pytest.approx([r.train_loss for r in before.epochs], abs=2e-2)


@pytest.mark.parametrize("backbone", ["vit_nano", "resnet_nano"])
def test_mixed_methods_may_share_a_pass(backbone: str) -> None:
    def mixed() -> list[vpcore.Prompted]:
        net = vpcore.load_backbone(backbone, pretrained=False).double()
        return [build(net, name, 1).double() for name in ("none", "pad", "activation")]

    alone, together, options = mixed(), mixed(), {"epochs": 2, "batch_size": 6}
    for model, seed in zip(alone, SEEDS, strict=True):
        vpcore.fit(model, split(24, 0), split(6, 1), seed=seed, loss=exact, **options)
    fit_seeds(together, split(24, 0), split(6, 1), seeds=SEEDS, **options)
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(learned(one), learned(other), rtol=0, atol=1e-8)


def test_a_shared_pass_keeps_a_networks_memory_layout() -> None:
    backbone = prefer_channels_last(vpcore.load_backbone("resnet_nano", pretrained=False))
    models = [build(backbone, "activation", seed, layer=3) for seed in SEEDS]
    entered: list[torch.Tensor] = []
    backbone.blocks[3].register_forward_pre_hook(lambda module, given: entered.append(given[0]))
    Several(models)(torch.rand(6, 3, 3, 32, 32))
    assert entered[0].is_contiguous(memory_format=torch.channels_last)


def test_each_model_may_have_classes_of_its_own() -> None:
    backbone, classes = tiny_backbone(width=4), (3, 5, 4)

    def models() -> list[vpcore.Prompted]:
        heads = [vpcore.LinearHead(backbone.spec.dim, count) for count in classes]
        return [vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), head) for head in heads]

    found = fit_seeds(models(), tiny_split(), tiny_split(seed=1), seeds=SEEDS, epochs=2)
    for model, seed, together in zip(models(), SEEDS, found, strict=True):
        alone = vpcore.fit(model, tiny_split(), tiny_split(seed=1), seed=seed, epochs=2)
        assert [r.train_loss for r in together.epochs] == pytest.approx([r.train_loss for r in alone.epochs], rel=1e-5)


@pytest.mark.parametrize("layer", [None, 2])
def test_on_a_cpu_a_few_models_share_a_pass(layer: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "CPU_PIXELS", 13 * 32 * 32)
    backbone = vpcore.load_backbone("vit_nano", pretrained=False).double()
    models = [build(backbone, "activation", seed, layer=3).double() for seed in range(5)]
    train, valid = split(10, 0), split(5, 1)
    if layer is not None:
        train, valid = cached(models[0], train, layer), cached(models[0], valid, layer)
    seen: list[int] = []
    backbone.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    fit_seeds(models, train, valid, seeds=range(5), epochs=1, batch_size=6)
    two, alone = [12, 8, 5, 5], [1, 6, 4, 5]  # steps, then each model on its own; `fit` begins with one image
    assert seen == [*two, *two, *alone]


@pytest.mark.parametrize("pixels", [1, 13 * 32 * 32])
def test_the_models_of_another_pass_change_nothing(pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = vpcore.load_backbone("vit_nano", pretrained=False).double()

    def trained(limit: int) -> list[dict[str, torch.Tensor]]:
        monkeypatch.setattr(grouping, "CPU_PIXELS", limit)
        models = [build(backbone, "activation", seed).double() for seed in range(5)]
        rates = (0.01, 0.02, 0.005, 0.03, 0.015)
        fit_seeds(models, split(24, 0), split(6, 1), seeds=range(3, 8), lr=rates, epochs=5, batch_size=6)
        return [learned(model) for model in models]

    for one, other in zip(trained(10**9), trained(pixels), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-8)


def _models(count: int = 2, **options) -> list[vpcore.Prompted]:
    backbone = tiny_backbone()
    prompts = [vpcore.PadPrompt(backbone.spec, width=1, seed=seed) for seed in range(count)]
    return [vpcore.Prompted(backbone, p, vpcore.LinearHead(backbone.spec.dim, 3), **options) for p in prompts]


class Scaled(vpcore.Prompted):
    def features(self, images: torch.Tensor, start: int | None = None, watch: Any = None) -> torch.Tensor:
        return 3 * super().features(images, start, watch)


def test_refuses_what_would_not_be_separate() -> None:
    data = tiny_split()
    other = _models()
    cases = [
        ([], (), "a seed and a rate"),
        (_models(), (0,), "a seed and a rate"),
        ([*_models(1), *other[:1]], (0, 1), "one frozen backbone object"),
        (_models(train_backbone=True), (0, 1), "one frozen backbone object"),
    ]
    for models, seeds, words in cases:
        with pytest.raises(ValueError, match=words):
            fit_seeds(models, data, data, seeds=seeds)
    models = _models()
    models[0].head = nn.Sequential(nn.Dropout(0.1), models[0].head)
    with pytest.raises(ValueError, match="dropout masks"):
        fit_seeds(models, data, data, seeds=(0, 1))
    models = _models(1) * 2
    with pytest.raises(ValueError, match="share what they learn: build a prompt and a head for each"):
        fit_seeds(models, data, data, seeds=(0, 1))
    models = _models()
    models[1].head = models[0].head
    with pytest.raises(ValueError, match="share what they learn"):
        fit_seeds(models, data, data, seeds=(0, 1))
    models = _models()
    models[1].__class__ = Scaled
    with pytest.raises(ValueError, match="call fit for each model of another class"):
        fit_seeds(models, data, data, seeds=(0, 1))
    backbone = vpcore.load_backbone("vit_nano", pretrained=False)
    models = [build(backbone, "vpt_deep", 0, num_tokens=tokens) for tokens in (5, 10)]
    with pytest.raises(ValueError, match="different numbers of tokens share no pass: call fit_seeds for each kind"):
        fit_seeds(models, split(8, 0), split(8, 1), seeds=(0, 1), epochs=1, batch_size=8)
    models = _models()
    models[1].requires_grad_(False)
    with pytest.raises(ValueError, match="model 1: nothing to learn"):
        fit_seeds(models, data, data, seeds=(0, 1))
    with pytest.raises(ValueError, match="float16"):
        fit_seeds(_models(), data, data, seeds=(0, 1), precision="float16")
    with pytest.raises(ValueError, match="needs an epoch"):
        fit_seeds(_models(), data, data, seeds=(0, 1), epochs=0)


@pytest.mark.parametrize(("apart", "says"), [(False, "model 3 became"), (True, "model 3: .* not finite")])
def test_divergence_names_the_model(apart: bool, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    side = tiny_backbone().spec.image_size
    monkeypatch.setattr(grouping, "CPU_PIXELS", 1 if apart else 2 * len(tiny_split()) * side**2)
    models = _models(4)
    with torch.no_grad():
        models[3].head.linear.weight.fill_(float("inf"))  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=says):
        fit_seeds(models, tiny_split(), tiny_split(), seeds=range(4))


def test_labels_without_a_logit_are_refused_before_training() -> None:
    good, models = tiny_split(), _models()
    bad = vpcore.Split(good.images, good.labels + 3)
    before = [learned(model) for model in models]
    for train, valid in ((bad, good), (good, bad)):
        with pytest.raises(ValueError, match="model 0 has 3 classes, a label is 5: give the head more classes"):
            fit_seeds(models, train, valid, seeds=(0, 1))
    for model, tensors in zip(models, before, strict=True):
        assert all(torch.equal(tensors[name], tensor) for name, tensor in learned(model).items())


def test_a_cached_split_of_another_model_is_refused_before_training() -> None:
    backbone, other = (vpcore.load_backbone("resnet_nano", pretrained=False) for _ in range(2))
    models = [build(backbone, "activation", seed, layer=5) for seed in (0, 1)]
    with torch.no_grad():
        next(other.parameters()).add_(0.1)
    stranger = build(other, "activation", 0, layer=5)
    before = [learned(model) for model in models]
    with pytest.raises(ValueError, match="backbone"):
        fit_seeds(models, cached(models[0], split(8, 0)), cached(stranger, split(8, 1)), seeds=(0, 1))
    for model, tensors in zip(models, before, strict=True):
        assert all(torch.equal(tensors[name], tensor) for name, tensor in learned(model).items())


def test_logits_that_are_not_finite_choose_no_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    class Overflowing(vpcore.LinearHead):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return super().forward(features) * (1.0 if self.training else float("inf"))

    monkeypatch.setattr(grouping, "CPU_PIXELS", 2 * len(tiny_split()) * tiny_backbone().spec.image_size ** 2)
    models = _models(4)
    models[3].head = Overflowing(models[3].backbone.spec.dim, 3)
    with pytest.raises(ValueError, match=r"model 3: .* not finite"):
        fit_seeds(models, tiny_split(), tiny_split(), seeds=range(4))
