"""Out of memory: one step of a whole batch becomes two halves with the same gradient, once, and says so."""

import logging

import pytest
import torch
from test_grid import call
from tiny import tiny_model, tiny_split

import vpcore
from vpcore.experiments.runs.runlog import read_runs
from vpcore.train import cross_entropy, fit, one_pass
from vpcore.train.halves import PlainStep, out_of_memory
from vpcore.train.many_seeds import fit_seeds
from vpcore.train.optim import make_optimizer
from vpcore.train.runstate import start_run

TRAIN, VALID = tiny_split(37), tiny_split(20, seed=1)


def small_room(most: int, calls: list | None = None):
    """A loss that runs out of memory where more images come than there is room for."""

    def loss(model, images, labels, generator):
        if calls is not None:
            calls.append((len(images), float(torch.rand(1, generator=generator))))
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return cross_entropy(model, images, labels, generator)

    return loss


def gradients(images, labels, most: int, precision: str = "float32"):
    """What one step leaves in the parameters, and its loss, in float64."""
    model = tiny_model(train_backbone=False).double().eval()
    state = start_run(model, make_optimizer(model, "sgd", 0.1, 0.0), 0, torch.device("cpu"), precision)
    loss = small_room(most)
    step = PlainStep(state, lambda entry, x, y: loss(entry, x.double(), y, state.noise))
    value = step(model, images, labels, 1.0)
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert step.halved is (most < len(images))
    return value, {name: p.grad.clone() for name, p in learned.items()}, {n: p.detach() for n, p in learned.items()}


@pytest.mark.parametrize("count", [2, 7, 8])
def test_two_halves_have_the_gradient_of_the_whole(count):
    split = tiny_split(count)
    images, labels = split.images.float() / 255, split.labels
    whole, half = (gradients(images, labels, most) for most in (count, -(-count // 2)))
    torch.testing.assert_close(half[0], whole[0], rtol=1e-6, atol=1e-7)
    for name, gradient in whole[1].items():
        assert gradient.abs().max() > 0
        torch.testing.assert_close(half[1][name], gradient, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(half[2][name], whole[2][name], rtol=1e-6, atol=1e-9)


def test_several_models_in_one_pass_each_go_on_in_halves(monkeypatch, caplog):
    def trained(most: int):
        backbone = tiny_model(train_backbone=False).backbone
        prompts = [vpcore.PadPrompt(backbone.spec, width=1, seed=seed) for seed in range(3)]
        models = [vpcore.Prompted(backbone, p, vpcore.LinearHead(backbone.spec.dim, 3)) for p in prompts]
        losses = one_pass.own_losses

        def with_room(several, images, labels, generator):
            if len(images) > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return losses(several, images, labels, generator)

        with monkeypatch.context() as patch:
            patch.setattr(one_pass, "own_losses", with_room)
            found = fit_seeds(models, TRAIN, VALID, seeds=(0, 1, 2), epochs=2, batch_size=12, lr=1e-3, device="cpu")
        assert {history.halved for history in found} == {most < 12}
        return [[record.train_loss for record in history.epochs] for history in found]

    for half, whole in zip(trained(6), trained(12), strict=True):
        assert half == pytest.approx(whole, rel=1e-4)
    assert [r.getMessage() for r in caplog.records] == [
        "out of memory with 12 images a step: going on in two halves of 6"
    ]


def test_training_goes_on_in_halves_after_the_first_failure_and_says_so_once(caplog):
    calls: list = []
    plain, halved = (tiny_model(train_backbone=False) for _ in range(2))
    options = {"epochs": 3, "batch_size": 12, "lr": 1e-3, "seed": 3, "device": "cpu"}
    before = fit(plain, TRAIN, VALID, **options)
    with caplog.at_level(logging.WARNING):
        after = fit(halved, TRAIN, VALID, loss=small_room(6, calls), **options)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["out of memory with 12 images a step: going on in two halves of 6"]
    assert (before.halved, after.halved) == (False, True)
    sizes = [size for size, _ in calls]
    assert sizes == [12] + ([6, 6] * 3 + [1]) * 3  # 37 images: three steps of 12, and one left over
    assert calls[0][1] == calls[1][1]  # the failed try took no random numbers
    for record, other in zip(before.epochs, after.epochs, strict=True):
        assert other.train_loss == pytest.approx(record.train_loss, rel=1e-5)
        assert other.valid_accuracy == record.valid_accuracy
    for name, tensor in plain.learned().items():
        torch.testing.assert_close(halved.learned()[name], tensor, rtol=0, atol=1e-4)


def test_halves_that_do_not_fit_either_stop_the_run_with_a_sentence():
    with pytest.raises(ValueError, match=r"out of memory, also with 6 images a step: lower batch_size or image_size"):
        fit(tiny_model(), TRAIN, VALID, epochs=1, batch_size=12, loss=small_room(5), device="cpu")
    with pytest.raises(ValueError, match=r"out of memory, also with 1 images a step"):
        fit(tiny_model(), TRAIN, VALID, epochs=1, batch_size=1, loss=small_room(0), device="cpu")


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def broken(*_):
        raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        fit(tiny_model(), TRAIN, VALID, epochs=1, loss=broken, device="cpu")
    assert out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    assert not out_of_memory(RuntimeError("sizes do not match"))


def test_a_grid_says_it_records_it_and_loses_nothing(tmp_path, monkeypatch, caplog):
    real = vpcore.Prompted.forward
    arguments = "--data digits --backbone resnet_nano --prompt none,full --augment none --limit 40 --max-valid 10 "
    arguments += "--max-test 10 --epochs 1 --batch-size 20 --seeds 1 --optimizer adamw"
    assert call(*arguments.split(), "--out", tmp_path / "whole").exit_code == 0

    def forward(self, x, *rest, **options):
        if torch.is_grad_enabled() and self.training and len(x) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, x, *rest, **options)

    monkeypatch.setattr(vpcore.Prompted, "forward", forward)
    room = 10
    with caplog.at_level(logging.WARNING):
        result = call(*arguments.split(), "--out", tmp_path / "half")
    assert result.exit_code == 0, result.output
    assert "out of memory with 20 images a step: going on in two halves of 10" in caplog.text
    whole, half = read_runs(tmp_path / "whole"), read_runs(tmp_path / "half")
    assert [run.get("halved") for run in (*whole, *half)] == [None, None, True, True]
    assert [run["key"] for run in whole] == [run["key"] for run in half]
    for one, other in zip(whole, half, strict=True):
        assert other["train_loss"] == pytest.approx(one["train_loss"], rel=1e-4)
    room = 9
    result = call(*arguments.split(), "--out", tmp_path / "none")
    assert result.exit_code == 1
    assert "failed: digits resnet_nano none seed 0: out of memory, also with 10 images a step" in result.stderr
    assert "failed: digits resnet_nano full seed 0: out of memory" in result.stderr
    assert read_runs(tmp_path / "none") == []
    room = 99
    assert call(*arguments.split(), "--out", tmp_path / "none").exit_code == 0
    assert len(read_runs(tmp_path / "none")) == 2
