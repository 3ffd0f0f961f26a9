"""Compiled and recorded steps train as plain ones do; what cannot be recorded is refused."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from tiny import same, tiny_backbone, tiny_model, tiny_split, weights
from torch import nn

import vpcore
from vpcore.cache import cached
from vpcore.data.augment import Augment
from vpcore.device import autocast
from vpcore.train import cross_entropy, cuda_graph
from vpcore.train.many_seeds import fit_seeds
from vpcore.train.optim import make_optimizer
from vpcore.train.runstate import start_run
from vpcore.train.steps import Speedups, Step, choose_speedups, compiled, speedups

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
TRAIN, VALID = tiny_split(40), tiny_split(20, seed=1)
OPTIONS = {"epochs": 3, "batch_size": 8, "lr": 1e-2, "augment": Augment(crop=1), "seed": 3}
on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture
def exact(monkeypatch):
    """Convolutions in float32 proper: TF32, cuDNN's default, rounds to 10 bits, and each kernel sums in its own way."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def played(monkeypatch):
    """Recordings played on the CPU: nothing runs while recording, everything at each replay."""
    bodies = []
    monkeypatch.setattr(cuda_graph, "on_side_stream", lambda device: nullcontext())
    monkeypatch.setattr(cuda_graph, "record", lambda body, generators, device: (bodies.append(body), body)[1])
    return bodies


def stepper(model: nn.Module, wanted: Speedups, size: int = 8, optimizer: str = "adamw", loss=cross_entropy) -> Step:
    state = start_run(model, make_optimizer(model, optimizer, 1e-2, 0.1), 0, CPU, "float32")
    return Step(state, loss, "float32", size, wanted)


def run(step_on: Step, sizes: list[int]) -> list[float]:
    model, losses = step_on.state.model.train(), []
    for number, size in enumerate(sizes):
        data = tiny_split(size, seed=number)
        losses.append(float(step_on(model, data.images.float() / 255, data.labels, 1 / (1 + number))))
    return losses


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_a_replayed_step_is_a_training_step(played, optimizer):
    sizes = [8, 8, 8, 8, 3, 8, 8, 3, 8]  # three to warm up, one recorded, small last batches between
    plain, replayed = (tiny_model(train_backbone=False) for _ in range(2))
    expected = run(stepper(plain, Speedups(), optimizer=optimizer), sizes)
    step_on = stepper(replayed, Speedups(cuda_graph=True), optimizer=optimizer)
    options = [set(group) for group in step_on.state.optimizer.param_groups]
    assert run(step_on, sizes) == pytest.approx(expected, rel=1e-5)
    assert len(played) == 1
    for name, tensor in weights(plain).items():
        torch.testing.assert_close(weights(replayed)[name], tensor, rtol=1e-5, atol=1e-6)
    assert [set(group) for group in step_on.state.optimizer.param_groups] == options  # put back after each step


def test_a_recording_of_whole_runs_changes_nothing_but_rounding(played, monkeypatch):
    monkeypatch.setattr("vpcore.train.choose_speedups", lambda *given: Speedups(cuda_graph=True))
    first, second = tiny_model(train_backbone=False), tiny_model(train_backbone=False)
    recorded = vpcore.fit(first, TRAIN, VALID, **OPTIONS)
    monkeypatch.undo()
    plain = vpcore.fit(second, TRAIN, VALID, **OPTIONS)
    assert [r.train_loss for r in recorded.epochs] == pytest.approx([r.train_loss for r in plain.epochs], rel=1e-5)
    assert recorded.best.valid_accuracy == plain.best.valid_accuracy


def test_draws_on_the_cpu_are_refused(played):
    backbone = tiny_backbone()
    prompt = vpcore.PatchPrompt(backbone.spec, size=2, position="random")
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3))
    with pytest.raises(ValueError, match="draws random numbers on the CPU in every step"):
        run(stepper(model, Speedups(cuda_graph=True)), [8] * 4)
    noisy = lambda *given: cross_entropy(*given) + 0 * torch.rand(())  # noqa: E731
    with pytest.raises(ValueError, match="draws random numbers on the CPU in every step"):
        run(stepper(tiny_model(train_backbone=False), Speedups(cuda_graph=True), loss=noisy), [8] * 4)


def test_what_cannot_be_recorded_says_so(monkeypatch, played):
    def refuse(body, generators, device):
        raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors ...")

    monkeypatch.setattr(cuda_graph, "record", refuse)
    step_on = stepper(tiny_model(train_backbone=False), Speedups(cuda_graph=True))
    message = r"cannot be recorded as a CUDA graph \(operation not permitted when stream is capturing\): leave cuda_gra"
    with pytest.raises(ValueError, match=message):
        run(step_on, [8] * 4)


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="cuda_graph needs a CUDA device, got cpu: leave it out"):
        vpcore.fit(tiny_model(), TRAIN, VALID, epochs=1, cuda_graph=True, device="cpu")
    with pytest.raises(ValueError, match="cuda_graph cannot scale a float16 loss"):
        choose_speedups(None, True, CUDA, "float16")


def test_speedups_hold_inside_and_what_is_asked_for_wins():
    assert choose_speedups(None, None, CUDA, "float32") == Speedups()
    with speedups(compile=True, cuda_graph=True):
        assert choose_speedups(None, None, CUDA, "float32") == Speedups(True, True)
        assert choose_speedups(False, False, CUDA, "float32") == Speedups()
        with pytest.raises(ValueError, match="cuda_graph needs a CUDA device"):
            vpcore.fit(tiny_model(), TRAIN, VALID, epochs=1, device="cpu")
    assert choose_speedups(None, None, CUDA, "float32") == Speedups()
    with pytest.raises(RuntimeError, match="stop"), speedups(compile=True):
        raise RuntimeError("stop")
    assert choose_speedups(None, None, CPU, "float32") == Speedups()


def three(prompts=(vpcore.PadPrompt, vpcore.InstanceImagePrompt, vpcore.MultiScalePrompt)) -> list[vpcore.Prompted]:
    backbone = tiny_backbone(width=4)
    made = [prompt(backbone.spec, seed=seed) for seed, prompt in enumerate(prompts)]
    return [vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3)) for prompt in made]


def train_three(models: list[vpcore.Prompted], **options) -> list[list[float]]:
    """Train on 44 images: every epoch ends with a small batch."""
    given = {**OPTIONS, "seeds": (3, 4, 5), "lr": (0.01, 0.02, 0.01), **options}
    del given["seed"]
    return [[r.train_loss for r in each.epochs] for each in fit_seeds(models, tiny_split(44), VALID, **given)]


def test_several_models_are_recorded_as_one(played, monkeypatch):
    monkeypatch.setattr("vpcore.train.many_seeds.choose_speedups", lambda *given: Speedups(cuda_graph=True))
    first, second = three(), three()
    recorded = train_three(first)
    assert len(played) == 1
    monkeypatch.undo()
    for mine, plain in zip(recorded, train_three(second), strict=True):
        assert mine == pytest.approx(plain, rel=1e-5)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one.learned(), other.learned(), rtol=1e-4, atol=1e-6)


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


def test_several_models_compile_as_one(eager):
    fast, slow = train_three(three(), compile=True), train_three(three())
    assert len(eager) == 1
    for mine, plain in zip(fast, slow, strict=True):
        assert mine == pytest.approx(plain, rel=1e-4)


def test_models_trained_in_turn_follow_the_same_speedups(eager, monkeypatch):
    monkeypatch.setattr("vpcore.train.together.CPU_PIXELS", 1)
    train_three(three())
    assert not eager
    with speedups(compile=True):
        train_three(three())
    assert len(eager) == 3


def test_a_partial_keeps_its_arguments(eager):
    double = compiled(partial(torch.mul, other=2))
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
def test_several_models_on_a_gpu_train_like_each_alone(exact):
    options = {**OPTIONS, "device": "cuda", "precision": "float32", "augment": None}
    alone = [
        [r.train_loss for r in vpcore.fit(model, tiny_split(44), VALID, **{**options, "seed": seed, "lr": rate}).epochs]
        for model, seed, rate in zip(three(), (3, 4, 5), (0.01, 0.02, 0.01), strict=True)
    ]
    given = {"device": "cuda", "precision": "float32", "augment": None}
    for speed in ({}, {"cuda_graph": True}, {"compile": True, "cuda_graph": True}):
        for mine, other in zip(train_three(three(), **given, **speed), alone, strict=True):
            assert mine == pytest.approx(other, rel=1e-3), speed


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
