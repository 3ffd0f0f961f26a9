"""What training on a GPU needs and a machine without one can show: tensors stay there, and memory is given back."""

import gc
import weakref
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from nets import pixels, small_vit
from tiny import tiny_backbone, tiny_model, tiny_split
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.torch_version import TorchVersion

import vpcore
from vpcore.data.augment import Augment
from vpcore.experiments.grid import run as grid_run
from vpcore.experiments.grid.cell import Cell
from vpcore.prompts.base import Prompt
from vpcore.train import cross_entropy

METHODS = [*vpcore.PROMPTS, *(f"{name} tuning" for name in vpcore.TUNINGS)]
CUDA = torch.device("cuda")


@pytest.fixture
def fake(monkeypatch):
    """Tensors that say they are on a GPU and hold no numbers; generators of a GPU cannot be made without one."""
    if TorchVersion(torch.__version__) < (2, 11):
        pytest.skip("before torch 2.11 fake tensors of a GPU ask the driver, and may end the process")
    real = Prompt.generator
    monkeypatch.setattr(Prompt, "generator", lambda self, device="cpu": real(self) if str(device) == "cpu" else None)
    return FakeTensorMode(allow_non_fake_inputs=False)


def moved(model: vpcore.Prompted) -> vpcore.Prompted:
    """Put fake tensors of a GPU in the place of all parameters and buffers."""
    for module in model.modules():
        for name, held in module._parameters.items():
            if held is not None:
                there = torch.empty(held.shape, device=CUDA, dtype=held.dtype)
                module._parameters[name] = nn.Parameter(there, held.requires_grad)
        for name, held in module._buffers.items():
            module._buffers[name] = None if held is None else torch.empty(held.shape, device=CUDA, dtype=held.dtype)
    if isinstance(model.prompt, vpcore.ClusterPrompt):
        model.prompt._looked = model.prompt.centers._version  # fake tensors have no numbers to look at
    return model.train()


def build(method: str, backbone: vpcore.Backbone) -> vpcore.Prompted:
    name, _, tuned = method.partition(" ")
    prompt = vpcore.NoPrompt(backbone.spec) if tuned else vpcore.PROMPTS[name](backbone.spec)
    prompt.prepare(backbone, pixels(backbone))
    tuning = vpcore.TUNINGS[name](backbone) if tuned else None
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3), tuning=tuning)


@pytest.mark.parametrize("method", METHODS)
def test_a_loss_on_a_gpu_reads_nothing_from_elsewhere_and_never_waits(method, fake):
    model = build(method, small_vit())
    with fake:
        images, labels = torch.empty(8, 3, 32, 32, device=CUDA), torch.empty(8, dtype=torch.int64, device=CUDA)
        loss = cross_entropy(moved(model), images, labels, torch.Generator())
    assert loss.device.type == "cuda"


def test_a_tensor_left_behind_or_a_wait_would_be_seen(fake):
    class Left(vpcore.NoPrompt):
        def image(self, images, context):
            return images + torch.zeros(3, 32, 32)

    class Waits(vpcore.NoPrompt):
        def image(self, images, context):
            return images if images.sum() > 0 else -images

    backbone = small_vit()
    for kind, says in ((Left, "different devices|same device"), (Waits, "_local_scalar_dense")):
        model = vpcore.Prompted(backbone, kind(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 3))
        with fake, pytest.raises(Exception, match=says):
            moved(model)(torch.empty(8, 3, 32, 32, device=CUDA))


def test_augmented_batches_stay_on_a_gpu(fake, monkeypatch):
    drawn = lambda rows, columns, like, generator: torch.empty(rows, columns, device=like.device)  # noqa: E731
    monkeypatch.setattr("vpcore.data.augment.draw", drawn)
    with fake:
        split = vpcore.Split.__new__(vpcore.Split)
        object.__setattr__(split, "images", torch.empty(40, 3, 32, 32, dtype=torch.uint8, device=CUDA))
        where = torch.empty(8, dtype=torch.int64, device=CUDA)
        images = split.batch(where, CUDA, Augment(crop=4, rotate=10, flip=True), torch.Generator())
    assert images.device.type == "cuda"


@contextmanager
def no_collector():
    """Only what nothing refers to goes, at once; circles stay."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_a_run_that_ended_holds_no_memory():
    def trained() -> weakref.ref:
        model = tiny_model(train_backbone=False)
        vpcore.fit(model, tiny_split(40), tiny_split(20, seed=1), epochs=1, batch_size=8, device="cpu")
        return weakref.ref(model)

    trained()  # the first run imports parts of torch
    with no_collector():
        assert trained()() is None


def test_a_failed_cell_holds_no_memory_while_the_next_one_runs(monkeypatch, tmp_path):
    seen: list[weakref.ref] = []

    def run(cell, *rest):
        alive.append([each() is not None for each in seen])
        model = tiny_model()
        seen.append(weakref.ref(model))
        raise torch.OutOfMemoryError("CUDA out of memory")

    alive: list[list[bool]] = []
    monkeypatch.setattr(grid_run, "run_cell", run)
    (tmp_path / "r").touch()
    work = grid_run.LocalWork(tmp_path / "r", "cpu", lambda cell: None, [])  # type: ignore[arg-type]
    with no_collector():
        assert work.run([Cell("digits", "simple_cnn", "none", seed) for seed in range(3)]) == 3
    assert alive == [[], [False], [False, False]]


def test_a_process_compiles_more_kinds_of_models_than_eight(monkeypatch):
    torch._dynamo.reset()
    seen = []
    traced = lambda graph, inputs: (seen.append(graph), graph.forward)[1]  # noqa: E731
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=traced))
    backbone = tiny_backbone()
    for classes in range(3, 13):
        head = vpcore.LinearHead(backbone.spec.dim, classes)
        model = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), head)
        vpcore.fit(model, tiny_split(8), tiny_split(8), epochs=1, batch_size=8, device="cpu", compile=True)
    assert len(seen) == 10
