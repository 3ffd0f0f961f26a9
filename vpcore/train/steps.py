"""One training step, plainly or faster: compiled, or recorded once and replayed by the GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from vpcore.device import autocast
from vpcore.train.cuda_graph import RecordedStep
from vpcore.train.halves import PlainStep
from vpcore.train.runstate import RunState

Loss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Speedups:
    """What is done to make the steps of a training run faster; it changes results by rounding, and dropout's draws."""

    compile: bool = False
    cuda_graph: bool = False


PLAIN = Speedups()
MODELS = 1024  # kinds that a process compiles
_wanted: ContextVar[Speedups] = ContextVar("speedups", default=PLAIN)


@contextmanager
def speedups(compile: bool = False, cuda_graph: bool = False) -> Iterator[None]:
    """Inside, every `fit` that is not told otherwise compiles its model, or replays its steps as a CUDA graph."""
    token = _wanted.set(Speedups(compile, cuda_graph))
    try:
        yield
    finally:
        _wanted.reset(token)


def around() -> Speedups:
    """Return what `speedups` says here."""
    return _wanted.get()


def choose_speedups(compile: bool | None, cuda_graph: bool | None, device: torch.device, precision: str) -> Speedups:
    """Return what was asked for; where nothing was, what `speedups` says around.

    Raises:
        ValueError: a CUDA graph without a CUDA device, or in float16, whose loss scale changes between steps.
    """
    graph = around().cuda_graph if cuda_graph is None else cuda_graph
    if graph and device.type != "cuda":
        raise ValueError(f"cuda_graph needs a CUDA device, got {device.type}: leave it out")
    if graph and precision == "float16":
        raise ValueError("cuda_graph cannot scale a float16 loss: choose bfloat16 or float32, or leave it out")
    return Speedups(around().compile if compile is None else compile, graph)


class Step:
    """Take training steps on batches that are on the device.

    Compiled and recorded code holds for one shape only. So the smaller last batch of an epoch always runs plainly: no
    image is dropped or seen twice, and nothing is compiled again.

    Args:
        state: model, optimizer and generators.
        loss: as in `fit`.
        precision: "float32", "bfloat16" or "float16".
        size: images of a full batch.
        wanted: how to be faster.
        shape: of what the loss returns: one number, or one for each of several models, whose sum is then minimized.

    Raises:
        ValueError: in a step, a loss of another shape.
    """

    def __init__(
        self, state: RunState, loss: Loss, precision: str, size: int, wanted: Speedups, shape: tuple[int, ...] = ()
    ) -> None:
        self.state, self.size, self.wanted = state, size, wanted
        self.value = partial(_value, loss, precision, state.noise, shape)  # no method: a cycle would hold GPU memory
        self.plain = PlainStep(state, self.value)
        self._compiled: Any = None
        self._recorded: RecordedStep | None = None

    def __call__(self, entry: Any, images: Tensor, labels: Tensor, factor: float) -> Tensor:
        """Take one step at `factor` times the peak learning rate; returns the loss, valid until the next step.

        Args:
            entry: maps the images to logits; the same part of the model in every call.
            images: (B, C, H, W), or activations.
            labels: (B,).
            factor: 0 … 1.
        """
        full = len(images) == self.size
        if full and self.wanted.compile:
            self._compiled = compiled(entry) if self._compiled is None else self._compiled
            entry = self._compiled
        if full and self.wanted.cuda_graph:
            if self._recorded is None:
                self._recorded = RecordedStep(self.state, partial(self.value, entry))
            return self._recorded(images, labels, factor)
        return self.plain(entry, images, labels, factor)

    def finish(self) -> None:
        """Let go of a recording and of the gradients, which lie in its memory and would hold all of it."""
        if self._recorded is not None:
            self._recorded = None
            self.state.optimizer.zero_grad(set_to_none=True)


def _value(
    loss: Loss, precision: str, noise: torch.Generator, shape: tuple[int, ...],
    entry: Any, images: Tensor, labels: Tensor,
) -> Tensor:  # fmt: skip
    with autocast(precision, images.device):
        value = loss(entry, images, labels, noise)
    if value.shape != shape:
        raise ValueError(f"a loss must be one number, a mean over images, got shape {tuple(value.shape)}: average it")
    return value


def compiled(entry: Any) -> Any:
    """Compile a model, or a model with some arguments given, for batches of one shape.

    A process compiles up to `MODELS` kinds of models. With torch's own limit, 8, a grid's ninth kind would run plainly.
    """
    config: Any = torch._dynamo.config
    for name in ("cache_size_limit", "accumulated_cache_size_limit"):  # what torch 2.6 calls them, and knows later too
        setattr(config, name, max(MODELS, getattr(config, name)))
    if isinstance(entry, partial):
        return partial(torch.compile(entry.func, dynamic=False), *entry.args, **entry.keywords)
    return torch.compile(entry, dynamic=False)
