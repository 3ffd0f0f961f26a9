"""What makes training faster changes the loss by rounding alone; half precision by little."""

import copy

import pytest
import torch
from nets import BACKBONES, split
from tiny import tiny_model, tiny_split

import vpcore
from vpcore import train as training
from vpcore.cache import cached
from vpcore.device import prefer_channels_last
from vpcore.statistics import t_interval
from vpcore.train import cross_entropy, fit
from vpcore.train.optim import make_optimizer

STEPS = {"epochs": 1, "batch_size": 8, "seed": 4, "device": "cpu", "schedule": "constant"}


def losses(model, train, valid, **options) -> torch.Tensor:
    """The loss of every step of one epoch, in order."""
    found = []

    def loss(*given):
        value = cross_entropy(*given)
        found.append(value.detach().float())
        return value

    fit(model, train, valid, loss=loss, **{**STEPS, "lr": 1e-3, **options})
    return torch.stack(found)


def inside(kind: str) -> tuple[vpcore.Prompted, vpcore.Split, vpcore.Split]:
    """A small frozen network with a prompt in its middle that is not zero, and images."""
    net = BACKBONES[kind]()
    model = vpcore.Prompted(net, vpcore.ActivationPrompt(net.spec, 1), vpcore.LinearHead(net.spec.dim, 3, seed=1))
    return loud(model), split(net, 80), split(net, 8, seed=1)


def loud(model: vpcore.Prompted) -> vpcore.Prompted:
    """Make what learns so large that the loss hears every rounding of the features: heads start near zero."""
    draw = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("prompt", "head")):
                parameter.add_((1.0 if "head" in name else 0.1) * torch.randn(parameter.shape, generator=draw))
    return model


@pytest.mark.parametrize("frozen", [True, False])
def test_channels_last_changes_no_loss(monkeypatch, frozen):
    model = loud(tiny_model(train_backbone=not frozen, width=4))
    plain = copy.deepcopy(model)
    train, valid = tiny_split(80), tiny_split(8, seed=1)
    fast = losses(model, train, valid)
    kinds = [p.is_contiguous(memory_format=torch.channels_last) for p in model.parameters() if p.dim() == 4]
    monkeypatch.setattr(training, "prefer_channels_last", lambda net: net)
    slow = losses(plain, train, valid)
    assert any(kinds)
    assert any(not p.is_contiguous(memory_format=torch.channels_last) for p in plain.parameters() if p.dim() == 4)
    assert len(fast) == 10
    assert abs(float(fast[0] - slow[0])) <= 1e-5
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", BACKBONES)
@pytest.mark.parametrize("place", ["memory", "file"])
def test_a_cache_changes_no_loss(kind, place):
    model, train, valid = inside(kind)
    limit = {"memory": 2**30, "file": 0}[place]
    kept = [cached(model, part, memory_limit=limit) for part in (train, valid)]
    assert (kept[0].folder is None) is (place == "memory")
    other = copy.deepcopy(model)
    fast, slow = losses(model, *kept), losses(other, train, valid)
    assert abs(float(fast[0] - slow[0])) <= 1e-5
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_a_fused_optimizer_changes_no_step(monkeypatch, optimizer):
    model, other = tiny_model(), tiny_model()
    train, valid = tiny_split(80), tiny_split(8, seed=1)
    fast = losses(model, train, valid, optimizer=optimizer)

    def unfused(*given):
        made = make_optimizer(*given)
        assert made.defaults["fused"]
        return type(made)(made.param_groups, fused=False, foreach=False)

    monkeypatch.setattr(training, "make_optimizer", lambda *given: _plain(unfused(*given)))
    slow = losses(other, train, valid, optimizer=optimizer)
    assert abs(float(fast[0] - slow[0])) == 0  # the first loss comes before any step
    assert abs(float(fast[1] - slow[1])) <= 1e-5
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-3)


def _plain(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Turn fused kernels off in every group too."""
    for group in optimizer.param_groups:
        group["fused"] = False
    return optimizer


@pytest.mark.parametrize("kind", [*BACKBONES, "trained"])
def test_bfloat16_keeps_the_mean_loss_of_ten_steps(kind):
    if kind == "trained":
        model, train, valid = tiny_model(width=4), tiny_split(80), tiny_split(8, seed=1)
    else:
        model, train, valid = inside(kind)
    other = copy.deepcopy(model)
    half, whole = losses(model, train, valid, precision="bfloat16"), losses(other, train, valid, precision="float32")
    assert len(half) == len(whole) == 10
    assert not torch.equal(half, whole)  # it did run in half precision
    assert abs(float(half.mean() - whole.mean())) <= 2e-2


def test_bfloat16_ends_inside_the_interval_of_the_seeds():
    data, net = vpcore.load_data("digits", image_size=32, in_chans=3), vpcore.load_backbone("resnet_nano")

    def accuracy(precision: str, seed: int) -> float:
        head = vpcore.LinearHead(net.spec.dim, 10, seed=seed)
        model = vpcore.Prompted(net, vpcore.ActivationPrompt(net.spec, 2, seed=seed), head)
        options = {**STEPS, "seed": seed, "lr": 1e-2, "epochs": 2, "batch_size": 64, "precision": precision}
        fit(model, data.train.take(range(400)), data.valid, **options)
        return vpcore.evaluate(model, data.test).accuracy

    whole, half = ([accuracy(kind, seed) for seed in range(5)] for kind in ("float32", "bfloat16"))
    seeds = t_interval(whole)
    assert sum(whole) / 5 > 0.6  # it did learn
    assert seeds.low <= sum(half) / 5 <= seeds.high


def test_the_layout_is_what_it_says():
    model = prefer_channels_last(tiny_model(width=4))
    convs = [m.weight for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in convs)
