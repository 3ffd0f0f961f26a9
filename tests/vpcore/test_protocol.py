"""What the training loop asks of a model is written down, kept by the library's parts, and enough for foreign ones."""

import ast
import inspect
import pickle
from pathlib import Path

import pytest
import torch
from nets import small_vit
from tiny import same, tiny_split, weights
from torch import nn

import vpcore
from vpcore import train
from vpcore.train.protocol import Draws, Freezes, StartsEpochs, parts

TRAIN, VALID = tiny_split(40), tiny_split(20, seed=1)


def alike(method, wanted) -> bool:
    """Whether a method takes what the protocol's takes, under the same names."""
    return [*inspect.signature(method).parameters][: len(inspect.signature(wanted).parameters)] == [
        *inspect.signature(wanted).parameters
    ]


@pytest.mark.parametrize("name", vpcore.PROMPTS)
def test_every_prompt_draws(name):
    prompt = vpcore.PROMPTS[name](small_vit().spec)
    assert isinstance(prompt, Draws)
    assert alike(type(prompt).generator, Draws.generator)
    made = prompt.generator("cpu")
    assert prompt.generators == {"cpu": made}
    assert prompt.generator(torch.device("cpu")) is made


def test_the_state_of_a_gpu_that_is_not_here_is_left_out():
    state = {"cpu": torch.Generator().manual_seed(3).get_state(), "cuda:99": torch.zeros(16, dtype=torch.uint8)}
    prompt = vpcore.NoPrompt(small_vit().spec)
    prompt.load_state_dict({"_extra_state": state})
    assert set(prompt.generators) == {"cpu"}
    assert torch.equal(prompt.generator().get_state(), state["cpu"])
    prompt.get_extra_state = lambda: state  # as a process with that GPU pickles it
    copied = prompt.__getstate__()
    del copied["get_extra_state"]
    again = vpcore.NoPrompt.__new__(vpcore.NoPrompt, prompt.spec)
    again.__setstate__(pickle.loads(pickle.dumps(copied)))
    assert set(again.generators) == {"cpu"}


def test_backbones_freeze_and_mappings_start_epochs():
    backbone = vpcore.load_backbone("resnet_nano")
    head = vpcore.LabelMapping(backbone, 3)
    model = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), head)
    assert [name for name, _ in parts(model, Freezes)] == ["backbone"]
    assert [name for name, _ in parts(model, Draws)] == ["prompt"]
    assert [name for name, _ in parts(model, StartsEpochs)] == ["head"]
    assert alike(vpcore.LabelMapping.start_epoch, StartsEpochs.start_epoch)
    assert not isinstance(vpcore.LinearHead(4, 3), StartsEpochs)


class Frozen(nn.Module):
    """A foreign frozen part, whose buffer nevertheless counts."""

    def __init__(self):
        super().__init__()
        self.frozen = True
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += self.training
        return x.flatten(1)


class Noisy(nn.Module):
    """A foreign part that draws from a generator of its own, made at its first call."""

    def __init__(self):
        super().__init__()
        self.generators = {}

    def generator(self, device):
        return self.generators.setdefault(str(device), torch.Generator(device).manual_seed(7))

    def forward(self, x):
        return x + torch.rand(x.shape, generator=self.generator("cpu")) if self.training else x


class Told(nn.Linear):
    """A foreign part that writes down what it is told when an epoch begins; it is no head of any name."""

    def __init__(self):
        super().__init__(64, 3)
        self.told = []

    def start_epoch(self, model, train):
        self.told.append((model, train, model.training))


def foreign() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(Frozen(), Noisy(), Told())


def test_a_model_without_any_of_it_trains():
    assert vpcore.fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), TRAIN, VALID, epochs=1).epochs


def test_foreign_parts_are_served(tmp_path):
    class Killed(BaseException):
        pass

    def stop(record):
        if record.epoch == 1:
            raise Killed

    options = {"epochs": 4, "batch_size": 16, "lr": 1e-2, "device": "cpu"}
    whole = foreign()
    history = vpcore.fit(whole, TRAIN, VALID, **options)
    assert [(model is whole, len(split)) for model, split, _ in whole[2].told] == [(True, 40)] * 4
    assert int(whole[0].calls) == 12  # of all epochs: what is frozen is not put back to the best
    with pytest.raises(Killed):
        vpcore.fit(foreign(), TRAIN, VALID, **options, checkpoint=tmp_path / "run", on_epoch=stop)
    resumed = foreign()
    again = vpcore.fit(resumed, TRAIN, VALID, **options, checkpoint=tmp_path / "run")
    assert [r.train_loss for r in again.epochs] == [r.train_loss for r in history.epochs]
    assert same(weights(resumed[2]), weights(whole[2]))
    assert len(resumed[2].told) == 2


def test_what_is_no_longer_frozen_is_put_back_to_the_best():
    model = foreign()
    model[0].frozen = False
    history = vpcore.fit(model, TRAIN, VALID, epochs=4, batch_size=16, lr=1e-2, device="cpu")
    assert int(model[0].calls) == 3 * (history.best.epoch + 1)


def test_the_loop_asks_nothing_else():
    """No getattr or hasattr, no private attribute of another object, no child of a model by name."""
    for path in Path(train.__file__).parent.glob("*.py"):
        if path.name == "speedups.py":  # it reads the compiler's options by name, and nothing of a model
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            asks = isinstance(node, ast.Name) and node.id in ("getattr", "hasattr")
            assert not asks, f"{path.name}:{node.lineno} asks an object for what no protocol promises"
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) != "self":
                private = node.attr.startswith("_") and not node.attr.endswith("__")
                known = private or node.attr in ("head", "prompt", "backbone")
                assert not known, f"{path.name}:{node.lineno} reads {ast.unparse(node)}: say so in protocol.py"
