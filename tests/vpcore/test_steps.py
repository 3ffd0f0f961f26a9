"""Compiled steps and CUDA graphs train as plain ones do."""

from functools import partial

import pytest
import torch
from tiny import same, tiny_backbone, tiny_model, tiny_split, weights
from torch import nn

import vpcore
from vpcore.cache import cached
from vpcore.data.augment import Augment
from vpcore.device import autocast
from vpcore.train.speedups import Speedups, choose_speedups, faster, speedups

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
TRAIN, VALID = tiny_split(40), tiny_split(20, seed=1)
OPTIONS = {"epochs": 3, "batch_size": 8, "lr": 1e-2, "augment": Augment(crop=1), "seed": 3}
on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture
def exact(monkeypatch):
    """Convolutions in float32 proper: TF32, cuDNN's default, rounds to 10 bits, and each kernel sums in its own way."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="cuda_graph needs a CUDA device, got cpu: leave it out"):
        vpcore.fit(tiny_model(), TRAIN, VALID, epochs=1, cuda_graph=True, device="cpu")


def test_speedups_hold_inside_and_what_is_asked_for_wins():
    assert choose_speedups(None, None, CUDA) == Speedups()
    with speedups(compile=True, cuda_graph=True):
        assert choose_speedups(None, None, CUDA) == Speedups(True, True)
        assert choose_speedups(False, False, CUDA) == Speedups()
        with pytest.raises(ValueError, match="cuda_graph needs a CUDA device"):
            vpcore.fit(tiny_model(), TRAIN, VALID, epochs=1, device="cpu")
    assert choose_speedups(None, None, CUDA) == Speedups()
    with pytest.raises(RuntimeError, match="stop"), speedups(compile=True):
        raise RuntimeError("stop")
    assert choose_speedups(None, None, CPU) == Speedups()


def test_a_loss_that_is_no_mean_is_refused_before_a_step():
    def each(model, images, labels, generator):
        return nn.functional.cross_entropy(model(images), labels, reduction="none")

    model = tiny_model(train_backbone=False)
    before = weights(model)
    with pytest.raises(ValueError, match=r"a loss must be one number, .* got shape \(8,\): average it"):
        vpcore.fit(model, TRAIN, VALID, **OPTIONS, loss=each)
    assert same(before, weights(model))


@pytest.fixture
def eager(monkeypatch):
    """torch.compile without a compiler; returns what was compiled, and the batch sizes that were traced."""
    torch._dynamo.reset()
    seen, compile = [], torch.compile

    def traced(graph, inputs):
        seen.append({len(each) for each in inputs if each.dim() == 4 and each.shape[-1] == 8 and each.shape[0] > 1})
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(compile, backend=traced, fullgraph=True))
    return seen


def test_compiled_training_is_training_and_small_batches_run_plainly(eager):
    first, second = tiny_model(), tiny_model()
    data = tiny_split(44)  # the last batch has 4 images
    fast = vpcore.fit(first, data, VALID, **OPTIONS, compile=True)
    slow = vpcore.fit(second, data, VALID, **OPTIONS)
    assert [r.train_loss for r in fast.epochs] == pytest.approx([r.train_loss for r in slow.epochs], rel=1e-4)
    assert len(eager) == 1
    assert 4 not in eager[0]
    assert first.state_dict().keys() == second.state_dict().keys()  # the model itself stays as it was


def test_a_cached_split_compiles_the_blocks_above(eager):
    backbone = tiny_backbone()
    prompt = vpcore.ActivationPrompt(backbone.spec, layer=2)
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3))
    options = {**OPTIONS, "augment": None, "compile": True}
    history = vpcore.fit(model, cached(model, TRAIN), cached(model, VALID), **options)
    assert len(eager) == 1
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss


def test_cuda_graphs_are_those_of_the_compiler(monkeypatch):
    asked, called = [], []

    def compile(entry, **options):
        asked.append(options)
        return lambda images: (called.append(len(images)), entry(images))[1]

    monkeypatch.setattr(torch, "compile", compile)
    monkeypatch.setattr("vpcore.train.choose_speedups", lambda *given: Speedups(cuda_graph=True))
    model = tiny_model()
    vpcore.fit(model, tiny_split(44), VALID, **{**OPTIONS, "epochs": 1})
    assert asked == [{"dynamic": False, "mode": "reduce-overhead"}]
    assert called == [8] * 5  # the last batch, of 4 images, ran plainly
    assert all(p.grad is None for p in model.parameters())  # they would lie in the memory of the graphs
    with pytest.raises(ValueError, match="gradients that accumulate adds up: leave one of the two out"):
        vpcore.fit(model, TRAIN, VALID, **OPTIONS, accumulate=2)


def test_nothing_wanted_compiles_nothing(monkeypatch):
    monkeypatch.delattr(torch, "compile")
    assert faster(tiny_model(), Speedups()) is None
    model = tiny_model()
    vpcore.fit(model, TRAIN, VALID, **OPTIONS)
    assert all(p.grad is not None for p in model.parameters())


def test_a_partial_keeps_its_arguments(eager):
    double = faster(partial(torch.mul, other=2), Speedups(compile=True))
    assert double.keywords == {"other": 2}
    assert torch.equal(double(torch.ones(3)), torch.full((3,), 2.0))


@on_cuda
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("name", [*vpcore.PROMPTS])
def test_cuda_graphs_train_like_plain_steps(exact, name, optimizer):
    data, valid = tiny_split(44, size=32, chans=3), tiny_split(20, seed=1, size=32, chans=3)

    def losses(graph: bool) -> list[float]:
        backbone = vpcore.load_backbone("vit_nano", pretrained=False)  # anew: clusters are found where it is
        prompt = vpcore.PROMPTS[name](backbone.spec).prepare(backbone, data.images)
        model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3))
        options = {**OPTIONS, "lr": 1e-3, "optimizer": optimizer, "device": "cuda", "precision": "float32"}
        return [record.train_loss for record in vpcore.fit(model, data, valid, **options, cuda_graph=graph).epochs]

    assert losses(True) == pytest.approx(losses(False), rel=1e-4)


@on_cuda
def test_a_trained_network_is_recorded_with_its_batch_statistics_and_dropout():
    data, first, second = tiny_split(48), tiny_model(width=4), tiny_model(width=4)
    options = {**OPTIONS, "device": "cuda", "precision": "bfloat16", "epochs": 60}
    recorded = vpcore.fit(first, data, VALID, **options, cuda_graph=True)
    plain = vpcore.fit(second, data, VALID, **options)
    assert recorded.epochs[0].train_loss == pytest.approx(plain.epochs[0].train_loss, abs=0.2)  # other masks
    assert min(recorded.best.valid_accuracy, plain.best.valid_accuracy) > 0.8


@on_cuda
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_keeps_the_first_losses(precision):
    backbone = vpcore.load_backbone("resnet_nano", pretrained=False)
    data = tiny_split(80, size=32, chans=3)

    def loss(name: str) -> float:
        model = vpcore.Prompted(
            backbone, vpcore.MultiScalePrompt(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 3)
        )
        return vpcore.fit(model, data, data, epochs=1, batch_size=8, precision=name, device="cuda").epochs[0].train_loss

    assert loss(precision) == pytest.approx(loss("float32"), abs=2e-2)
    with autocast(precision, CUDA):
        assert (torch.ones(2, 2, device="cuda") @ torch.ones(2, 2, device="cuda")).dtype == getattr(torch, precision)


@on_cuda
def test_the_real_compiler_agrees(exact):
    data, first, second = tiny_split(48), tiny_model(train_backbone=False), tiny_model(train_backbone=False)
    options = {**OPTIONS, "device": "cuda", "precision": "float32"}
    fast = vpcore.fit(first, data, VALID, **options, compile=True, cuda_graph=True)
    slow = vpcore.fit(second, data, VALID, **options)
    assert [r.train_loss for r in fast.epochs] == pytest.approx([r.train_loss for r in slow.epochs], rel=1e-3)
