"""Gradients across the sandbox: the grader's graph holds one node for each call of learner code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.grading.objects import State, write_state
from course.grading.wire import WireError


class Joined(torch.autograd.Function):
    """Stands in the grader's graph for a call in the sandbox."""

    @staticmethod
    def forward(ctx: Any, remote: Any, call: int, outputs: list[Tensor], *leaves: Tensor) -> Any:
        """Return the outputs that the sandbox sent."""
        ctx.remote, ctx.call, ctx.shapes = remote, call, [leaf.shape for leaf in leaves]
        return tuple(output.detach().clone() for output in outputs)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        """Return the gradients to the leaves, computed in the sandbox."""
        found = list(ctx.remote.slopes(ctx.call, list(slopes)))
        if [None if s is None else s.shape for s in found] != [
            None if s is None else shape for s, shape in zip(found, ctx.shapes, strict=True)
        ]:
            raise WireError("gradients of other shapes")
        return None, None, None, *found


def floating(value: Any) -> list[Tensor]:
    """Return the tensors inside tuples, lists and dictionaries that require a gradient, in order."""
    if isinstance(value, Tensor):
        return [value] if value.requires_grad else []
    parts = value.values() if type(value) is dict else value if type(value) in (tuple, list) else ()
    return [tensor for part in parts for tensor in floating(part)]


def replace(value: Any, tensors: Iterator[Tensor]) -> Any:
    """Return a value with its tensors that require a gradient replaced, in order."""
    if isinstance(value, Tensor):
        return next(tensors) if value.requires_grad else value
    if type(value) is dict:
        return {key: replace(item, tensors) for key, item in value.items()}
    return type(value)(replace(item, tensors) for item in value) if type(value) in (tuple, list) else value


def write_back(given: Any, after: Any, in_place: bool = False) -> None:
    """Change an input as the other side changed its copy; `in_place` see `write_state`."""
    with contextlib.suppress(RuntimeError, TypeError, ValueError, AttributeError):
        if isinstance(after, State):
            write_state(given, after, in_place=in_place)
        elif isinstance(given, Tensor) and in_place:
            given.data.copy_(after)
        elif isinstance(given, Tensor):
            given.data = after.detach().to(given.dtype)
        elif isinstance(given, np.ndarray):
            given[...] = after
        elif type(given) is list:
            given[:] = after
        elif type(given) is dict:
            given.clear()
            given.update(after)
