"""The contract every prompt method is held to, as checks of one `Case`; add a check with `@check`."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from nets import floats, pixels, split
from torch import Tensor, nn
from torch.nn import functional as F

import vpcore
from vpcore.backbone import Backbone
from vpcore.prompts.base import Prompt

CHECKS: dict[str, Callable[..., None]] = {}


def check(function: Callable[..., None]) -> Callable[..., None]:
    CHECKS[function.__name__] = function
    return function


@dataclass(frozen=True)
class Case:
    """A method with its options, on a backbone; both made afresh for every check."""

    factory: Callable[..., Prompt]
    make_backbone: Callable[..., Backbone]

    def prompt(self, backbone: Backbone, seed: int = 0, randomize: bool = True) -> Prompt:
        prompt = self.factory(backbone.spec, seed=seed)
        if hasattr(prompt, "prepare"):
            prompt.prepare(backbone, pixels(backbone))  # type: ignore[operator]
        return randomized(prompt, seed) if randomize else prompt

    def model(self, seed: int = 0, randomize: bool = True, **options: Any) -> vpcore.Prompted:
        backbone = self.make_backbone().requires_grad_(True)  # freezing is the model's duty
        prompt = self.prompt(backbone, seed, randomize)
        head = vpcore.LinearHead(backbone.spec.dim, 3, seed=seed)
        with torch.no_grad():
            head.linear.weight.mul_(30)
        return vpcore.Prompted(backbone, prompt, head, **options)


def randomized(prompt: Prompt, seed: int = 0) -> Prompt:
    """Give every learned tensor random values: a zero start hides faults."""
    draw = torch.Generator().manual_seed(100 + seed)
    with torch.no_grad():
        for parameter in prompt.parameters():
            if parameter.requires_grad:
                scale = 0.1 if parameter.dim() < 2 else 0.5 / parameter[0].numel() ** 0.25
                parameter.copy_(torch.randn(parameter.shape, generator=draw) * scale)
    return prompt


def tensors(module: nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters and buffers by name."""
    return {n: t.detach().clone() for n, t in [*module.named_parameters(), *module.named_buffers()]}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[n].nan_to_num(), b[n].nan_to_num()) for n in a)


def random_states() -> tuple[Any, ...]:
    return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()


def gradients(model: vpcore.Prompted, steps: int = 2) -> dict[str, Tensor]:
    """Summed absolute gradients of the prompt's learned tensors over some SGD steps in training mode."""
    images, labels = floats(model.backbone), torch.arange(16) % 3
    learned = {n: p for n, p in model.prompt.named_parameters() if p.requires_grad}
    total = {name: torch.zeros_like(parameter) for name, parameter in learned.items()}
    model.train()
    for _ in range(steps):
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), labels).backward()
        with torch.no_grad():
            for name, parameter in learned.items():
                assert parameter.grad is not None, f"{name} gets no gradient"
                total[name] += parameter.grad.abs()
                parameter -= 0.1 * parameter.grad
    return total


@check
def keeps_shape_and_dtype(case: Case) -> None:
    model = case.model()
    images = floats(model.backbone, 4)
    x = model.normalize(images)
    prompted = model.prompt.image(x, model.prompt.condition(x))
    assert prompted.shape == x.shape
    assert prompted.dtype == x.dtype
    assert model(images).shape == (4, 3)
    double = case.model().double()
    assert double(images.double()).dtype == torch.float64


@check
def changes_no_input_in_place(case: Case) -> None:
    model = case.model()
    images = floats(model.backbone, 4)
    x, before = model.normalize(images), images.clone()
    kept = x.clone()
    context = model.prompt.condition(x)
    model.prompt.image(x, context)
    assert torch.equal(x, kept)
    z = model.backbone.embed(x).detach()
    kept = z.clone()
    model.prompt.activation(z, 0, context)
    assert torch.equal(z, kept)
    model(images)
    assert torch.equal(images, before)


@check
def learned_tensors_get_gradients_in_every_slice(case: Case) -> None:
    for randomize in (True, False):
        model = case.model(randomize=randomize)
        for name, total in gradients(model).items():
            for axis in range(total.dim()):
                slices = total.transpose(0, axis).flatten(1).sum(1) if total.dim() > 1 else total
                assert (slices > 0).all(), f"{name}: no gradient in a slice of axis {axis} (randomize={randomize})"
        assert all(p.grad is None for p in model.parameters() if not p.requires_grad)


@check
def counts_what_is_stored_and_acts(case: Case) -> None:
    prompt = case.model().prompt
    acting = sum(int((total > 0).sum()) for total in gradients(case.model()).values())
    assert prompt.num_learned() == acting
    assert vpcore.count(case.model()).prompt == acting


@check
def fit_leaves_frozen_tensors_alone(case: Case) -> None:
    model = case.model()
    frozen, learned = tensors(model.backbone), tensors(model.prompt)
    data = split(model.backbone, 20)
    vpcore.fit(model, data, data.take(range(4)), epochs=1, batch_size=2, lr=1e-2, schedule="constant", device="cpu")
    assert same(frozen, tensors(model.backbone))
    changed = tensors(model.prompt)
    for name, parameter in model.prompt.named_parameters():
        assert torch.equal(learned[name], changed[name]) != parameter.requires_grad, name


@check
def frozen_survives_train_copy_and_pickle(case: Case) -> None:
    model = case.model()
    images = floats(model.backbone, 4)
    expected = model.eval()(images)
    for other in (model.train(), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.train()
        assert not any(module.training for module in other.backbone.modules())
        assert not any(parameter.requires_grad for parameter in other.backbone.parameters())
        assert torch.equal(other.eval()(images), expected)


@check
def copy_is_independent(case: Case) -> None:
    model = case.model()
    images = floats(model.backbone, 4)
    expected, other = model.eval()(images), copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    assert torch.equal(model(images), expected)
    mine = {id(module) for module in model.modules()}
    held = [b for b in getattr(other.prompt, "_backbone", ())]
    assert all(id(b) not in mine and b is other.backbone for b in held)
