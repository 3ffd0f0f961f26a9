import subprocess
import sys

import pytest
import torch
from torch import nn

from vpcore import device as devices
from vpcore.device import (
    autocast,
    choose_device,
    choose_precision,
    evaluating,
    own_random_stream,
    prefer_channels_last,
    profile,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_profile_is_quick_unless_named(monkeypatch):
    for value, expected in ((None, "quick"), ("", "quick"), ("quick", "quick"), ("full", "full")):
        monkeypatch.delenv("VPCOURSE_PROFILE", raising=False)
        if value is not None:
            monkeypatch.setenv("VPCOURSE_PROFILE", value)
        assert profile() == expected


def test_an_unknown_profile_is_an_error(monkeypatch):
    monkeypatch.setenv("VPCOURSE_PROFILE", "fast")
    with pytest.raises(ValueError, match="VPCOURSE_PROFILE must be quick or full, got 'fast'"):
        profile()


def test_the_device_asked_for_wins(monkeypatch):
    assert choose_device("cpu") == CPU
    assert choose_device(CPU) == CPU
    for available, expected in ((True, CUDA), (False, CPU)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert choose_device() == expected
        assert choose_device("cpu") == CPU


@pytest.mark.parametrize(
    ("name", "device", "native", "expected"),
    [
        ("quick", CPU, True, "float32"),
        ("full", CPU, True, "float32"),
        ("quick", CUDA, True, "float32"),
        ("full", CUDA, True, "bfloat16"),
        ("full", CUDA, False, "float16"),
    ],
)
def test_precision_follows_profile_and_device(monkeypatch, name, device, native, expected):
    monkeypatch.setenv("VPCOURSE_PROFILE", name)
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: (asked.append(options), native)[1])
    assert choose_precision(None, device) == expected
    assert choose_precision("bfloat16", device) == "bfloat16"  # on request, everywhere
    assert all(options == {"including_emulation": False} for options in asked)


def test_an_unknown_precision_is_an_error():
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16, float16, got 'fp8'"):
        choose_precision("fp8", CPU)


def test_autocast_gives_the_precision_it_names():
    linear, x = nn.Linear(2, 2), torch.ones(1, 2)
    for name, dtype in devices.PRECISIONS.items():
        with autocast(name, CPU):
            assert linear(x).dtype == dtype
    assert linear(x).dtype == torch.float32


def test_own_stream_depends_on_the_seed_and_is_given_back():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    draws = []
    for seed in (5, 6, 5):
        with own_random_stream(seed, CPU):
            draws.append(torch.rand(3))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[1])


def test_own_stream_is_given_back_after_an_error():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with pytest.raises(RuntimeError, match="stop"), own_random_stream(5, CPU):
        raise RuntimeError("stop")
    assert torch.equal(torch.rand(3), expected)


def test_a_cpu_run_leaves_the_gpus_alone(monkeypatch):
    seeded = []
    for name in ("manual_seed", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, name, lambda seed, name=name: seeded.append(name))
    with own_random_stream(5, CPU):
        pass
    assert seeded == []


def test_channels_last_changes_strides_not_values():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)).eval()
    before, x = [p.clone() for p in net.parameters()], torch.rand(2, 3, 8, 8)
    expected = net(x)
    assert prefer_channels_last(net) is net
    assert net[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(map(torch.equal, before, net.parameters()))
    assert torch.allclose(net(x), expected, atol=1e-6)


def test_a_model_without_convolutions_keeps_its_layout():
    net = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.Flatten(), nn.Linear(4, 2))
    net.prompt = nn.Parameter(torch.rand(1, 3, 4, 4))
    prefer_channels_last(net)
    assert net[0].weight.is_contiguous()
    assert net.prompt.is_contiguous()


@pytest.mark.parametrize("mode", [True, False])
def test_eval_mode_lasts_as_long_as_the_block_also_when_it_fails(mode):
    model = nn.Sequential(nn.Dropout(0.5)).train(mode)
    with evaluating(model):
        assert not model[0].training
    assert model[0].training is mode
    with pytest.raises(ZeroDivisionError, match="division"), evaluating(model):
        1 / 0  # noqa: B018
    assert model[0].training is mode


@pytest.mark.parametrize("mode", [True, False])
def test_each_module_gets_its_own_mode_back_and_hears_of_training(mode):
    class Listens(nn.Dropout):
        heard = ()

        def train(self, mode=True):
            self.heard += (mode,)
            return super().train(mode)

    model = nn.Sequential(nn.Sequential(Listens(), nn.BatchNorm1d(2)), nn.BatchNorm1d(2)).train(mode)
    model[0][1].train(not mode)
    before, model[0][0].heard = [module.training for module in model.modules()], ()
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == before
    assert model[0][0].heard == (False, mode), "some clear there what they computed in eval mode"


def test_a_model_with_group_norms_keeps_its_layout_on_a_cpu():
    """In a process of its own: on this layout the backward pass of torch's group norm ends it (exit 139)."""
    code = """
import torch, vpcore
backbone = vpcore.load_backbone("resnet50_gn", pretrained=False, image_size=33)
images, labels = torch.randint(0, 256, (6, 3, 33, 33), dtype=torch.uint8), torch.arange(6) % 3
data = vpcore.Split(images, labels)
for tuning in (None, vpcore.NormTuning(backbone)):
    head = vpcore.LinearHead(backbone.spec.dim, 3)
    model = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), head, tuning=tuning)
    vpcore.fit(model, data, data, epochs=1, batch_size=3, lr=1e-3, device="cpu")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
