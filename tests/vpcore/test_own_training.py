"""Training one's own way: optimizers, schedulers, clipping, stopping, going on, and what a broken run leaves."""

import inspect
import math

import pytest
import torch
from tiny import same, tiny_model, tiny_split, weights
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

import vpcore
from vpcore.data.augment import Augment
from vpcore.train import Diverged, cross_entropy, fit

TRAIN, VALID = tiny_split(40), tiny_split(20, seed=1)
OPTIONS = {"epochs": 3, "batch_size": 16, "lr": 1e-2, "device": "cpu"}


def losses(**options):
    model = tiny_model()
    history = fit(model, TRAIN, VALID, **{**OPTIONS, **options})
    return [record.train_loss for record in history.epochs], weights(model)


def assert_resumed(whole, path, options):
    """Stop a run in its second epoch, go on, and compare losses and weights with those of a run in one piece."""
    losses(**options, checkpoint=path, on_epoch=lambda record: record.epoch < 1)
    resumed = losses(**options, checkpoint=path)
    assert resumed[0] == whole[0]
    assert same(resumed[1], whole[1])


# --- optimizers and schedules


def test_an_optimizer_of_ones_own_gets_a_group_a_child_with_its_rate():
    seen = []

    def mine(groups):
        seen.append([dict(group) for group in groups])
        return torch.optim.AdamW(groups, fused=True)

    by_name, by_call = losses(weight_decay=0.1), losses(optimizer=mine, weight_decay=0.1)
    assert by_name[0] == by_call[0]
    assert same(by_name[1], by_call[1])
    assert [(group["lr"], group["weight_decay"]) for group in seen[0]] == [(1e-2, 0.1)] * 3
    losses(optimizer=mine, lr={"backbone": 1e-4, "prompt": 1e-1, "head": 1e-3})
    assert [group["lr"] for group in seen[1]] == [1e-4, 1e-1, 1e-3]
    assert "weight_decay" not in seen[1][0], "0 leaves the optimizer its own"


def test_without_a_rate_an_optimizer_of_ones_own_keeps_its_own():
    def mine(groups):
        assert all(set(group) == {"params"} for group in groups)
        return torch.optim.RMSprop(groups, lr=3e-3)

    assert losses(optimizer=mine, lr=None)[0] == losses(optimizer=torch.optim.RMSprop, lr=3e-3)[0]


def test_a_scheduler_steps_once_a_step_and_a_resumed_run_catches_up(tmp_path):
    rates = []

    def watched(groups):
        optimizer = torch.optim.Adam(groups)
        optimizer.register_step_pre_hook(
            lambda o, *_: rates.append((o.param_groups[0]["lr"], o.param_groups[0]["betas"]))
        )
        return optimizer

    options = {"optimizer": watched, "scheduler": lambda o: OneCycleLR(o, max_lr=2e-2, total_steps=9)}
    whole = losses(**options)
    probe = torch.optim.Adam([nn.Parameter(torch.zeros(1))])
    expected, scheduler = [], OneCycleLR(probe, max_lr=2e-2, total_steps=9)
    for _ in range(9):
        expected.append((probe.param_groups[0]["lr"], probe.param_groups[0]["betas"]))
        probe.step()
        if len(expected) < 9:
            scheduler.step()
    assert rates == expected
    rates.clear()
    assert_resumed(whole, tmp_path / "run", options)
    assert rates == expected


SCHEDULERS = {  # most of torch's make a rate from the one before it
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.8),
    "steps": lambda o: lr_scheduler.StepLR(o, 2, gamma=0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 9),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, 1e-3, 0.1, step_size_up=4),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=9),
    "chained": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.ExponentialLR(o, 0.9)], optimizer=o
    ),
    "one after the other": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=2), lr_scheduler.ExponentialLR(o, 0.8)], milestones=[2]
    ),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_resumed_run_has_the_rates_of_a_straight_one(name, tmp_path):
    rates = []

    def watched(groups):
        optimizer = torch.optim.SGD(groups, momentum=0.9)
        optimizer.register_step_pre_hook(lambda o, *_: rates.append([(g["lr"], g["momentum"]) for g in o.param_groups]))
        return optimizer

    options = {"optimizer": watched, "scheduler": SCHEDULERS[name]}
    whole, expected = losses(**options), rates.copy()
    rates.clear()
    assert_resumed(whole, tmp_path / "run", options)
    assert rates == expected


class Counted(torch.optim.SGD):
    """Keeps a number in its groups, as optimizers of timm do, and takes smaller steps with it."""

    def step(self, closure=None):
        for group in self.param_groups:
            group["count"] = group.get("count", 0) + 1
            group["lr"] = group["lr"] / group["count"]
        return super().step(closure)


@pytest.mark.parametrize("optimizer", [torch.optim.NAdam, torch.optim.Adagrad, torch.optim.Adafactor, Counted])
def test_any_optimizer_resumes_bit_identically(optimizer, tmp_path):
    whole = losses(optimizer=optimizer)
    losses(optimizer=optimizer, checkpoint=tmp_path / "run", on_epoch=lambda record: record.epoch < 1)
    resumed = losses(optimizer=optimizer, checkpoint=tmp_path / "run")
    assert resumed[0] == whole[0]
    assert same(resumed[1], whole[1])


def test_an_optimizer_whose_state_no_file_holds_is_refused(tmp_path):
    class Odd(torch.optim.SGD):
        def step(self, closure=None):
            for parameter in self.param_groups[0]["params"]:
                self.state[parameter]["words"] = "many"

    with pytest.raises(
        ValueError, match="Odd keeps more than tensors, which no checkpoint holds: leave checkpoint out"
    ):
        losses(optimizer=Odd, checkpoint=tmp_path / "run")


def test_the_gradient_is_cut_to_a_norm():
    model, norms = tiny_model(), []

    def watched(groups):
        optimizer = torch.optim.SGD(groups)
        parameters = [each for group in groups for each in group["params"]]
        norm = lambda *_: norms.append(float(torch.stack([each.grad.norm() for each in parameters]).norm()))  # noqa: E731
        optimizer.register_step_pre_hook(norm)
        return optimizer

    fit(model, TRAIN, VALID, **OPTIONS, optimizer=watched)
    assert max(norms) > 0.01
    norms.clear()
    fit(model, TRAIN, VALID, **OPTIONS, optimizer=watched, clip_grad=0.01)
    assert max(norms) <= 0.01 * 1.0001


# --- rates


def test_without_a_rate_fit_takes_the_published_one():
    assert losses(lr=None)[0] == losses(lr=vpcore.default_rate(tiny_model()))[0] != losses(lr=1e-2)[0]
    with pytest.raises(ValueError, match="sgd needs a learning rate, the published ones are for Adam: give lr"):
        losses(lr=None, optimizer="sgd")


@pytest.mark.parametrize("lr", [math.inf, math.nan, -1e-3, "0.1", {"backbone": 1e-3, "prompt": math.nan, "head": 1e-3}])
def test_a_rate_that_is_none_is_refused(lr):
    with pytest.raises(ValueError, match=r"lr must be a finite number, 0 or more, got .*: try 1e-3"):
        losses(lr=lr)
    if not isinstance(lr, dict):
        with pytest.raises(ValueError, match="weight_decay must be a finite number"):
            losses(weight_decay=lr)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"epochs": 1.5}, ValueError, "epochs must be a whole number, at least 1, got 1.5"),
        ({"epochs": True}, ValueError, "epochs must be a whole number, at least 1, got True"),
        ({"batch_size": "16"}, ValueError, "batch_size must be a whole number, at least 1, got '16'"),
        ({"early_stopping": 0}, ValueError, "early_stopping must be a whole number, at least 1, got 0"),
        ({"clip_grad": 0.0}, ValueError, "clip_grad must be a positive number, the largest norm, got 0.0: try 1.0"),
        ({"clip_grad": math.nan}, ValueError, "clip_grad must be a positive number"),
        ({"loss": nn.CrossEntropyLoss()}, TypeError, "loss is called with the model and a batch.*criterion"),
        ({"loss": F.cross_entropy}, TypeError, "loss is called with the model and a batch.*criterion"),
        ({"optimizer": lambda groups: groups}, TypeError, "optimizer must make a torch.optim.Optimizer"),
        ({"scheduler": lambda optimizer: None}, TypeError, "scheduler must make a torch.optim.lr_scheduler.*NoneType"),
        ({"scheduler": ReduceLROnPlateau}, TypeError, "one that follows steps, got ReduceLROnPlateau: try"),
    ],
)
def test_errors_say_what_to_do(options, error, says):
    with pytest.raises(error, match=says):
        losses(**options)


def test_the_loss_that_the_error_proposes_works():
    criterion = nn.CrossEntropyLoss()
    mine = lambda model, images, labels, generator: criterion(model(images), labels)  # noqa: E731
    assert losses(loss=mine)[0] == losses()[0]


# --- stopping, and going on


class Scripted(nn.Module):
    """Right on so many of twelve validation images in each epoch; its weight counts steps."""

    def __init__(self, script):
        super().__init__()
        self.script, self.weight = script, nn.Parameter(torch.zeros(1))
        self.epoch = -1

    def forward(self, images):
        if self.training:
            return torch.zeros(len(images), 3) + self.weight
        self.epoch += len(images) == 12
        right = torch.arange(len(images)) < self.script[max(0, self.epoch)]
        return F.one_hot((torch.arange(len(images)) + ~right) % 3, 3).float() + self.weight * 0


def scripted(script, **options):
    loss = lambda model, images, labels, generator: model(images).sum()  # noqa: E731
    return fit(Scripted(script), tiny_split(6), tiny_split(12), loss=loss, epochs=len(script), lr=0.1, **options)


def test_it_stops_when_validation_has_not_improved_for_some_epochs(tmp_path):
    script = [3, 5, 5, 4, 6, 2, 2, 2, 7]
    assert len(scripted(script, early_stopping=2).epochs) == 4
    assert len(scripted(script, early_stopping=3).epochs) == 8
    assert len(scripted(script, early_stopping=3, checkpoint=tmp_path / "run").epochs) == 8
    assert len(scripted(script, early_stopping=3, checkpoint=tmp_path / "run").epochs) == 8, "it had stopped"


def test_a_callback_that_returns_false_stops_and_nothing_else_does():
    assert len(scripted([3, 5, 4, 6], on_epoch=lambda record: record.epoch < 1).epochs) == 2
    assert len(scripted([3, 5, 4, 6], on_epoch=lambda record: 0).epochs) == 4


def test_more_epochs_of_a_constant_rate_are_the_longer_run(tmp_path):
    options = {"schedule": "constant", "augment": Augment(crop=1), "checkpoint": tmp_path / "run"}
    whole = losses(schedule="constant", augment=Augment(crop=1), epochs=5)
    losses(**options, epochs=2)
    resumed = losses(**options, epochs=5)
    assert resumed[0] == whole[0]
    assert same(resumed[1], whole[1])


@pytest.mark.parametrize("how", ["interrupt", "error", "diverge", "memory"])
def test_whatever_ends_a_run_the_best_epoch_is_in_the_model(how):
    model, best, kinds = tiny_model(), [], {"interrupt": KeyboardInterrupt, "error": OSError, "diverge": Diverged}
    calls = 0

    def loss(given, images, labels, generator):
        nonlocal calls
        calls += 1
        if calls == 8:  # of three steps an epoch
            if how == "memory":
                raise torch.OutOfMemoryError("CUDA out of memory.")
            if how != "diverge":
                raise kinds[how]
        return cross_entropy(given, images, labels, generator) * (math.nan if calls >= 8 else 1)

    def keep(record):
        best.append((record.valid_accuracy, weights(model)))

    with pytest.raises(kinds.get(how, ValueError)) as caught:
        fit(model, TRAIN, VALID, **OPTIONS, loss=loss, on_epoch=keep)
    assert [record.epoch for record in caught.value.history.epochs] == [0, 1]
    assert same(weights(model), max(best, key=lambda pair: pair[0])[1])
    assert "the model holds its best epoch" in caught.value.__notes__[0]


def test_a_run_that_diverges_at_once_leaves_the_weights_as_they_came():
    model = tiny_model()
    before = weights(model)
    with pytest.raises(Diverged, match="the training loss became nan") as caught:
        fit(model, TRAIN, VALID, **OPTIONS, loss=lambda *given: cross_entropy(*given) * math.nan)
    assert same(weights(model), before)
    assert caught.value.history.epochs == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train": tiny_split(40, seed=5)}, "it was written with training images='"),
        ({"valid": tiny_split(20, seed=5)}, "it was written with validation images='"),
        ({"backbone": 1}, "it was written with frozen weights='"),
        ({"augment": Augment(crop=2)}, r"it was written with augment='Augment\(crop=1, .*crop=2"),
        ({"clip_grad": 1.0}, "it was written with clip_grad=None, this run has clip_grad=1.0"),
        ({"loss": lambda *given: cross_entropy(*given)}, "it was written with loss='cross_entropy'"),
    ],
)
def test_a_checkpoint_goes_on_with_its_own_run_alone(tmp_path, change, says):
    def run(backbone=0, train=TRAIN, valid=VALID, **options):
        model = tiny_model(seed=backbone, train_backbone=False)
        return fit(
            model, train, valid, **{**OPTIONS, "augment": Augment(crop=1), **options}, checkpoint=tmp_path / "run"
        )

    run()
    assert run().epochs
    with pytest.raises(ValueError, match=says):
        run(**change)


# --- the line of progress, and the loop in plain sight


def test_progress_is_shown_when_asked_for_and_never_in_tests(capfd):
    losses()
    assert capfd.readouterr() == ("", "")
    losses(progress=True)
    shown = capfd.readouterr().err
    assert "epoch 3 of 3" in shown
    assert "best=" in shown


def test_progress_is_not_shown_in_a_notebook_whose_streams_say_they_are_terminals(monkeypatch):
    written = []
    kernel = type(
        "OutStream",
        (),
        {
            "__module__": "ipykernel.iostream",
            "isatty": lambda self: True,
            "write": lambda self, text: written.append(text),
            "flush": lambda self: None,
        },
    )
    monkeypatch.setattr("sys.stderr", kernel())
    losses()
    assert written == []


def test_the_training_step_is_about_eight_lines_in_plain_sight():
    lines = inspect.getsource(fit).splitlines()
    first = next(i for i, line in enumerate(lines) if "zero_grad(" in line)
    last = next(i for i, line in enumerate(lines) if "state.step(" in line)
    assert last - first + 1 <= 8
    assert any(".backward()" in line for line in lines[first:last])
