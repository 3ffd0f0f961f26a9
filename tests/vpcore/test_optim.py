import math

import pytest
import torch
from tiny import tiny_model
from torch import nn

from vpcore.train.optim import OPTIMIZERS, SCHEDULES, make_optimizer, schedule_factor


def grouped(optimizer) -> dict[int, dict]:
    return {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}


@pytest.mark.parametrize("train_backbone", [True, False])
def test_it_holds_what_learns_once_and_nothing_else(train_backbone):
    model = tiny_model(train_backbone=train_backbone)
    held = [id(p) for group in make_optimizer(model, "adamw", 1e-2, 0.0).param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters() if p.requires_grad)


def test_rates_per_child_reach_their_tensors():
    model = tiny_model()
    rates, decays = {"backbone": 1e-4, "prompt": 1e-1, "head": 1e-3}, {"backbone": 0.1, "prompt": 0.0, "head": 0.2}
    groups = grouped(make_optimizer(model, "adam", rates, decays))
    for child, module in model.named_children():
        for parameter in module.parameters():
            group = groups[id(parameter)]
            assert (group["lr"], group["peak_lr"], group["weight_decay"]) == (rates[child], rates[child], decays[child])


def test_a_rate_for_a_child_that_learns_nothing_is_allowed():
    model = tiny_model("none", train_backbone=False)
    optimizer = make_optimizer(model, "adamw", {"backbone": 1.0, "prompt": 1.0, "head": 1e-3}, 0.0)
    assert [group["lr"] for group in optimizer.param_groups] == [1e-3]


def test_parameters_outside_of_children_and_shared_ones_are_held_once():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))
            self.first = nn.Linear(2, 2)
            self.second = nn.Linear(2, 2)
            self.second.weight = self.first.weight

    model = Odd()
    groups = grouped(make_optimizer(model, "sgd", {"model": 3.0, "first": 1.0, "second": 2.0}, 0.0))
    assert len(groups) == 4
    assert groups[id(model.scale)]["lr"] == 3.0
    assert groups[id(model.first.weight)]["lr"] == 1.0
    assert groups[id(model.second.bias)]["lr"] == 2.0


def step_once(name: str, weight_decay: float) -> float:
    model = nn.Sequential(nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        model[0].weight.fill_(2.0)
    optimizer = make_optimizer(model, name, 0.1, weight_decay)
    model(torch.ones(1, 1)).sum().backward()  # gradient 1
    optimizer.step()
    return float(model[0].weight.detach())


@pytest.mark.parametrize(
    ("name", "weight_decay", "expected"),
    [
        ("sgd", 0.0, 2 - 0.1),
        ("sgd", 0.5, 2 - 0.1 * (1 + 0.5 * 2)),  # L2
        ("adam", 0.0, 2 - 0.1),  # the first Adam step is lr · sign
        ("adam", 0.5, 2 - 0.1),  # L2 enters before the normalization, which takes it out again
        ("adamw", 0.5, 2 * (1 - 0.1 * 0.5) - 0.1),  # decoupled
    ],
)
def test_first_steps_are_those_of_the_formulas(name, weight_decay, expected):
    assert step_once(name, weight_decay) == pytest.approx(expected, rel=1e-5)


def test_every_name_works():
    assert all(make_optimizer(tiny_model(), name, 1e-3, 0.0) for name in OPTIMIZERS)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 3])
def test_factors_are_positive_and_at_most_one(name, warmup):
    factor = schedule_factor(name, epochs=4, steps=5, warmup_steps=warmup)
    values = [factor(step) for step in range(20)]
    assert all(0 < value <= 1 for value in values)
    assert max(values) == 1
    assert values[0] == (1 if not warmup else 1 / 3)


def test_cosine_falls_every_step_and_cosine_epoch_once_an_epoch():
    every, epoch = schedule_factor("cosine", 4, 5), schedule_factor("cosine_epoch", 4, 5)
    assert [every(step) for step in range(20)] == pytest.approx(
        [(1 + math.cos(math.pi * step / 20)) / 2 for step in range(20)]
    )
    assert [epoch(step) for step in range(20)] == pytest.approx(
        [(1 + math.cos(math.pi * (step // 5) / 4)) / 2 for step in range(20)]
    )


def test_cosine_epoch_is_torchs_schedule():
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
    factor = schedule_factor("cosine_epoch", 6, 7)
    for epoch in range(6):
        assert factor(epoch * 7) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        oracle.step()


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: make_optimizer(tiny_model(), "lion", 1.0, 0.0), "one of adamw, adam, sgd, or a callable, got 'lion'"),
        (
            lambda: make_optimizer(tiny_model(), "adam", {"prompt": 1.0}, 0.0),
            "rates must be given for backbone, prompt, head, got prompt",
        ),
        (
            lambda: make_optimizer(tiny_model(), "adam", 1.0, {"backbone": 0, "prompt": 0, "head": 0, "tail": 0}),
            "rates must be given for backbone, prompt, head, got backbone, prompt, head, tail",
        ),
        (lambda: make_optimizer(tiny_model().requires_grad_(False), "adam", 1.0, 0.0), "nothing to learn"),
        (lambda: schedule_factor("linear", 2, 2), "must be one of cosine, cosine_epoch, constant, got 'linear'"),
        (lambda: schedule_factor("cosine", 2, 2, 4), "warmup_steps must be in 0 … 3 for 4 steps, got 4"),
        (lambda: schedule_factor("cosine", 2, 2, -1), "warmup_steps must be in 0 … 3 for 4 steps, got -1"),
    ],
)
def test_errors_say_what_to_do(build, says):
    with pytest.raises(ValueError, match=says):
        build()
