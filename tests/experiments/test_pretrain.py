"""Pretraining: the average, the loss, resume after an interruption, and what is handed on."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
import typer
from tiny import same, tiny_backbone, tiny_split, weights
from torch import nn
from torch.nn import functional as F

from vpcore.backbone import Backbone
from vpcore.data.splits import Splits
from vpcore.experiments.pretrain.averaged import Averaged, averaged_backbone
from vpcore.experiments.pretrain.pretrain import HOLDS, LIMITS, main, pretrain, same_run
from vpcore.experiments.pretrain.recipes import RECIPES, Recipe, make_loss
from vpcore.models import bundled
from vpcore.prompted import classify
from vpcore.tensorfile import read_tensors, write_tensors
from vpcore.train import evaluate

PLAIN = Recipe(
    epochs=3, lr=1e-2, weight_decay=0.0, optimizer="adamw", batch_size=16, warmup_epochs=1, mixup=0.2, cutmix=1.0
)


def fresh() -> Backbone:
    backbone = tiny_backbone()
    torch.manual_seed(0)
    backbone.classifier = nn.Linear(backbone.spec.dim, 3)
    return backbone


def data() -> Splits:
    parts = [tiny_split(40, seed=seed) for seed in range(3)]
    return Splits(*parts, classes=("a", "b", "c"), mean=(0.4,), std=(0.2,), name="columns", source_md5="0" * 32)


def test_average_follows_an_explicit_loop() -> None:
    net = nn.Linear(3, 2)
    model, decay = Averaged(net, 0.6), 0.6
    expected = net.weight.detach().clone()
    model.update()  # the first takes the weights as they are
    for step in range(2, 9):
        with torch.no_grad():
            net.weight.add_(torch.randn(2, 3, generator=torch.Generator().manual_seed(step)))
        model.update()
        kept = min(decay, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * net.weight.detach()
    torch.testing.assert_close(model.average.module.weight, expected)


def test_average_judges_in_eval_mode_and_the_model_learns_in_training_mode() -> None:
    model = Averaged(nn.Linear(3, 2), 0.9)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    before = model.eval()(x)
    with torch.no_grad():
        model.net.weight.add_(1.0)
    assert torch.equal(model.eval()(x), before)
    assert not torch.allclose(model.train()(x), before)


def test_distillation_loss_equals_its_formula() -> None:
    recipe = replace(PLAIN, mixup=0.0, cutmix=0.0, distill=0.3, temperature=2.0, label_smoothing=0.1)
    teacher, student = nn.Linear(5, 3), Averaged(nn.Linear(5, 3), 0.9).train()
    draw = torch.Generator().manual_seed(1)
    x, y = torch.randn(6, 5, generator=draw), torch.tensor([0, 1, 2, 0, 1, 2])
    p, q = F.softmax(teacher(x) / 2, 1), F.softmax(student.net(x) / 2, 1)
    soft = (p * (p.log() - q.log())).sum(1).mean() * 4
    smooth = F.one_hot(y, 3) * 0.9 + 0.1 / 3
    hard = -(smooth * F.log_softmax(student.net(x), 1)).sum(1).mean()
    value = make_loss(recipe, 3, teacher)(student, x, y, draw)
    torch.testing.assert_close(value, 0.7 * hard + 0.3 * soft)


def test_the_loss_of_a_double_model_is_double() -> None:
    """In float32 the fingerprint of a pretraining hung on the processor: 4.528 and 4.537 after 50 steps were seen."""
    draw = torch.Generator().manual_seed(1)
    images, labels = torch.rand(6, 5, generator=draw, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2])
    model = Averaged(nn.Linear(5, 3).double(), 0.9).train()
    assert make_loss(replace(PLAIN, mixup=0.0, cutmix=0.0), 3, None)(model, images, labels, draw).dtype == torch.float64


def test_it_learns_and_the_handed_on_backbone_computes_the_average() -> None:
    model, epochs = pretrain(fresh(), data(), replace(PLAIN, epochs=12, mixup=0.0, cutmix=0.0, ema=0.9))
    accuracy = evaluate(model, data().valid).accuracy
    assert max(r.valid_accuracy for r in epochs) == pytest.approx(accuracy)
    assert epochs[-1].train_loss < epochs[0].train_loss
    backbone = averaged_backbone(model)
    assert backbone.frozen
    assert not any(p.requires_grad for p in backbone.parameters())
    torch.testing.assert_close(
        evaluate(classify(backbone), data().valid).loss, evaluate(model, data().valid).loss, atol=1e-6, rtol=0
    )


def test_a_run_that_was_stopped_ends_bit_identically(tmp_path) -> None:
    whole, _ = pretrain(fresh(), data(), PLAIN, checkpoint=tmp_path / "whole.safetensors")

    def stop(record) -> None:
        if record.epoch == 1:
            raise KeyboardInterrupt

    path = tmp_path / "stopped.safetensors"
    with pytest.raises(KeyboardInterrupt):
        pretrain(fresh(), data(), PLAIN, checkpoint=path, on_epoch=stop)
    resumed, epochs = pretrain(fresh(), data(), PLAIN, checkpoint=path)
    assert len(epochs) == 3
    assert same(weights(resumed), weights(whole))


def test_a_checkpoint_from_before_the_average_was_torchs_goes_on_bit_identically(tmp_path) -> None:
    whole, _ = pretrain(fresh(), data(), PLAIN)

    def stop(record) -> None:
        if record.epoch == 1:
            raise KeyboardInterrupt

    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        pretrain(fresh(), data(), PLAIN, checkpoint=path, on_epoch=stop)
    tensors, metadata = read_tensors(path)
    old = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        if rest.startswith("average.module."):
            name = f"{part}/average/{rest.removeprefix('average.module.').replace('.', '/')}"
        elif rest == "average.n_averaged":
            name, tensor = f"{part}/updates", tensor.float()
        old[name] = tensor
    assert old.keys() != tensors.keys()
    write_tensors(path, old, metadata)
    resumed, epochs = pretrain(fresh(), data(), PLAIN, checkpoint=path)
    assert len(epochs) == 3
    assert same(weights(resumed), weights(whole))


@pytest.mark.parametrize("other", ["mixup", "teacher", "data"])
def test_a_checkpoint_of_another_run_is_refused(tmp_path, other) -> None:
    path = tmp_path / "run.safetensors"
    soft = replace(PLAIN, epochs=1, warmup_epochs=0, distill=0.5)
    guide = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).requires_grad_(False)
    pretrain(fresh(), data(), soft, teacher=guide, checkpoint=path)
    before = path.read_bytes()
    splits, recipe = data(), soft
    if other == "data":
        splits = replace(splits, name="rows")
    elif other == "mixup":
        recipe = replace(soft, mixup=0.0)
    else:
        guide[1].weight.mul_(2.0)
    with pytest.raises(ValueError, match=f"other {other}.*--out") as caught:
        pretrain(fresh(), splits, recipe, teacher=guide, checkpoint=path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_a_run_that_stopped_before_its_first_epoch_leaves_the_place_to_any_other(tmp_path) -> None:
    path = tmp_path / "run.safetensors"
    same_run(path, PLAIN, data(), None)
    assert same_run(path, replace(PLAIN, mixup=0.0), data(), None) == path


def test_missing_parts_are_named() -> None:
    backbone = tiny_backbone()
    with pytest.raises(ValueError, match="num_source_classes=3"):
        pretrain(backbone, data(), PLAIN)
    with pytest.raises(ValueError, match="--teacher resnet_nano"):
        pretrain(fresh(), data(), replace(PLAIN, distill=0.5))
    with pytest.raises(ValueError, match="kept no classifier"):
        classify(tiny_backbone())


def test_every_bundled_backbone_has_a_recipe() -> None:
    from vpcore.models import BUNDLED

    assert set(RECIPES) == set(BUNDLED)


def test_the_command_pretrains_on_another_data_set(tmp_path) -> None:
    main("resnet_nano", data="digits", epochs=1, out=tmp_path)
    card = json.loads((tmp_path / "resnet_nano.json").read_text())
    assert (card["data"]["name"], len(card["data"]["classes"]), len(card["curve"])) == ("digits", 10, 1)
    assert card["command"].endswith("--backbone resnet_nano --data digits --epochs 1 --seed 0 --teacher none")
    assert math.isfinite(card["first_loss"])
    assert card["limits"].startswith("Trained on digits, 10 classes, at 32 pixels, only; small on purpose;")
    tensors, _ = read_tensors(tmp_path / "resnet_nano.safetensors")
    assert tensors["classifier.weight"].shape[0] == 10


def test_a_teacher_of_other_classes_is_refused_before_training(tmp_path, capsys) -> None:
    with pytest.raises(typer.Exit):
        main("vit_nano", data="digits", epochs=1, out=tmp_path)
    said = "resnet_nano was trained on other classes than those of digits: give --teacher none"
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_cards_that_ship_keep_their_limits() -> None:
    for name in RECIPES:
        assert bundled.read_card(name)["limits"] == LIMITS.format(HOLDS["cifar100"])
