"""What may stand in for the model to make training steps faster: compiled, or compiled and replayed as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

MODELS = 1024  # kinds that a process compiles


@dataclass(frozen=True)
class Speedups:
    """What is done to make the steps of a training run faster; it changes results by rounding, and dropout's draws."""

    compile: bool = False
    cuda_graph: bool = False  # compiles too


_wanted: ContextVar[Speedups] = ContextVar("speedups", default=Speedups())  # noqa: B039, it cannot be changed


@contextmanager
def speedups(compile: bool = False, cuda_graph: bool = False) -> Iterator[None]:
    """Inside, every `fit` that is not told otherwise compiles its model, or replays it as CUDA graphs."""
    token = _wanted.set(Speedups(compile, cuda_graph))
    try:
        yield
    finally:
        _wanted.reset(token)


def around() -> Speedups:
    """Return what `speedups` says here."""
    return _wanted.get()


def choose_speedups(compile: bool | None, cuda_graph: bool | None, device: torch.device) -> Speedups:
    """Return what was asked for; where nothing was, what `speedups` says around.

    Raises:
        ValueError: CUDA graphs without a CUDA device.
    """
    graph = around().cuda_graph if cuda_graph is None else cuda_graph
    if graph and device.type != "cuda":
        raise ValueError(f"cuda_graph needs a CUDA device, got {device.type}: leave it out")
    return Speedups(around().compile if compile is None else compile, graph)


def faster(entry: Any, wanted: Speedups) -> Callable[..., Any] | None:
    """Return what does the same as a model, or as a model with some arguments given, faster; None if nothing is wanted.

    It holds for batches of one shape. A process compiles up to `MODELS` kinds of models; with torch's own limit, 8, a
    grid's ninth kind would run plainly.
    """
    if wanted == Speedups():
        return None
    config: Any = torch._dynamo.config
    for name in ("cache_size_limit", "accumulated_cache_size_limit"):  # what torch 2.6 calls them, and knows later too
        setattr(config, name, max(MODELS, getattr(config, name)))
    mode = "reduce-overhead" if wanted.cuda_graph else None
    if isinstance(entry, partial):
        return partial(torch.compile(entry.func, dynamic=False, mode=mode), *entry.args, **entry.keywords)
    return torch.compile(entry, dynamic=False, mode=mode)
