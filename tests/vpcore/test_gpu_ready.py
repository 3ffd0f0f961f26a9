"""What training on a GPU needs and a machine without one can show: tensors stay there, and memory is given back."""

import gc
import weakref
from contextlib import contextmanager, nullcontext
from functools import partial

import pytest
import torch
from nets import pixels, small_vit
from tiny import tiny_backbone, tiny_model, tiny_split
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.torch_version import TorchVersion
from torch.utils._python_dispatch import TorchDispatchMode

import vpcore
from vpcore.data.augment import Augment
from vpcore.experiments.grid import run as grid_run
from vpcore.experiments.grid.cell import Cell
from vpcore.prompts.base import Prompt
from vpcore.train import cross_entropy, cuda_graph
from vpcore.train.halves import out_of_memory
from vpcore.train.many_seeds import fit_seeds
from vpcore.train.one_pass import own_losses
from vpcore.train.steps import Speedups
from vpcore.train.together import Several

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


def test_augmented_batches_and_several_models_stay_on_a_gpu(fake, monkeypatch):
    drawn = lambda rows, columns, like, generator: torch.empty(rows, columns, device=like.device)  # noqa: E731
    monkeypatch.setattr("vpcore.data.augment.draw", drawn)
    backbone = small_vit()
    models = [build("multiscale", backbone), build("instance_image", backbone)]
    with fake:
        split = vpcore.Split.__new__(vpcore.Split)
        object.__setattr__(split, "images", torch.empty(40, 3, 32, 32, dtype=torch.uint8, device=CUDA))
        where = torch.empty(8, dtype=torch.int64, device=CUDA)
        images = split.batch(where, CUDA, Augment(crop=4, rotate=10, flip=True), torch.Generator())
        labels = torch.empty(8, 2, dtype=torch.int64, device=CUDA)
        several = Several([moved(model) for model in models])
        losses = own_losses(several, torch.stack([images, images], 1), labels, torch.Generator())
    assert losses.shape == (2,)
    assert {images.device.type, losses.device.type} == {"cuda"}


class Launches(TorchDispatchMode):
    """Counts what a GPU would have to start: all operations but those that only look at a tensor in another way."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not (func.is_view or func.namespace != "aten")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("backbone", ["vit_nano", "resnet_nano"])
@pytest.mark.parametrize("prompt", ["activation", "multiscale"])
def test_a_step_of_five_models_launches_little_more_than_one(backbone, prompt, monkeypatch):
    monkeypatch.setattr("vpcore.train.together.CPU_PIXELS", 10**9)
    monkeypatch.setattr("vpcore.prompted.may_look", lambda images: False)  # as on a GPU
    net = vpcore.load_backbone(backbone, pretrained=False)
    options = {"epochs": 1, "batch_size": 2, "device": "cpu", "precision": "float32"}

    def of_a_step(count: int) -> float:
        seen = []
        for steps in (1, 5):
            train = tiny_split(2 * steps, size=32, chans=3)
            models = [build(prompt, net) for _ in range(count)]
            with Launches() as launches:
                if count == 1:
                    vpcore.fit(models[0], train, train.take([0]), **options)
                else:
                    fit_seeds(models, train, train.take([0]), seeds=range(count), **options)
            seen.append(launches.count)
        return (seen[1] - seen[0]) / 4

    assert of_a_step(5) <= 1.5 * of_a_step(1)


@contextmanager
def no_collector():
    """Only what nothing refers to goes, at once; circles stay."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def replay(body: weakref.WeakMethod) -> None:
    """Play a recording on the CPU; like a real one, it does not hold the step."""
    step = body()
    assert step is not None
    step()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("wanted", [Speedups(), Speedups(cuda_graph=True)])
def test_a_run_that_ended_holds_no_memory(monkeypatch, wanted, count):
    monkeypatch.setattr(cuda_graph, "on_side_stream", lambda device: nullcontext())
    monkeypatch.setattr(cuda_graph, "record", lambda body, *rest: partial(replay, weakref.WeakMethod(body)))
    for where in ("vpcore.train", "vpcore.train.many_seeds"):
        monkeypatch.setattr(f"{where}.choose_speedups", lambda *given: wanted)

    def trained() -> weakref.ref:
        model = tiny_model(train_backbone=False)
        data, options = (tiny_split(40), tiny_split(20, seed=1)), {"epochs": 1, "batch_size": 8, "device": "cpu"}
        if count == 1:
            vpcore.fit(model, *data, **options)
        else:
            prompt, head = vpcore.NoPrompt(model.backbone.spec), vpcore.LinearHead(model.backbone.spec.dim, 3)
            fit_seeds([model, vpcore.Prompted(model.backbone, prompt, head)], *data, seeds=(0, 1), **options)
        kept = [p.grad is not None for p in model.parameters() if p.requires_grad]
        assert set(kept) == {not wanted.cuda_graph}  # those of a recording lie in its memory
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


def test_a_lack_of_memory_in_a_step_to_be_recorded_says_what_to_do(monkeypatch):
    monkeypatch.setattr(cuda_graph, "on_side_stream", lambda device: nullcontext())
    monkeypatch.setattr("vpcore.train.choose_speedups", lambda *given: Speedups(cuda_graph=True))

    def no_room(*given):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ValueError, match="out of memory with 8 images a step: leave cuda_graph out"):
        vpcore.fit(tiny_model(), tiny_split(40), tiny_split(9), epochs=1, batch_size=8, loss=no_room, device="cpu")


def test_a_lack_of_memory_is_known_by_what_cuda_and_cublas_call_it():
    assert out_of_memory(RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"))
    assert out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))


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
