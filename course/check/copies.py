"""Copies of inputs, so that neither side can touch what the other one gets."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

_equal = torch.equal
_same_array = np.array_equal
_PLAIN = (bool, int, float, str, type(None))


def arguments(case: Any) -> tuple[Any, ...]:
    """Return a case as positional arguments: a tuple stands for itself, anything else for one argument."""
    return case if type(case) is tuple else (case,)


def fresh(value: Any, *, leaves: list[Tensor] | None = None) -> Any:
    """Return a deep copy; with `leaves`, floating tensors require gradients and are appended to that list."""
    if type(value) is Tensor:
        return _fresh_tensor(value, leaves)
    if type(value) in (tuple, list):
        return type(value)(fresh(item, leaves=leaves) for item in value)
    if type(value) is dict:
        return {key: fresh(item, leaves=leaves) for key, item in value.items()}
    if isinstance(value, torch.Generator):
        return value.clone_state()
    return value if callable(value) and not isinstance(value, torch.nn.Module) else copy.deepcopy(value)


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the floating tensors inside tuples, lists and dictionaries."""
    if type(value) in (Tensor, torch.nn.Parameter):
        if value.is_floating_point():
            yield value
    elif type(value) in (tuple, list):
        for item in value:
            yield from tensors(item)
    elif type(value) is dict:
        yield from tensors(list(value.values()))


def touched(before: Any, after: Any) -> bool:
    """Whether tensors, arrays, lists, dictionaries or the state of modules differ."""
    if type(before) is Tensor:
        return type(after) is not Tensor or before.dtype != after.dtype or not _equal(before, after.detach())
    if isinstance(before, np.ndarray):
        return not _same_array(before, after, equal_nan=before.dtype.kind == "f")
    if type(before) in (tuple, list):
        pairs = zip(before, after, strict=False)
        return type(after) is not type(before) or len(before) != len(after) or any(touched(a, b) for a, b in pairs)
    if type(before) is dict:
        return before.keys() != after.keys() or any(touched(before[key], after[key]) for key in before)
    if isinstance(before, torch.nn.Module):
        return _flags(before) != _flags(after) or touched(dict(before.state_dict()), dict(after.state_dict()))
    return type(before) in _PLAIN and (type(after) is not type(before) or before != after) and before == before


def _flags(module: torch.nn.Module) -> list[bool]:
    """Return the modes of a module and what is inside it, and which parameters require a gradient."""
    return [part.training for part in module.modules()] + [tensor.requires_grad for tensor in module.parameters()]


def _fresh_tensor(value: Tensor, leaves: list[Tensor] | None) -> Tensor:
    clone = value.detach().clone()
    if leaves is not None and clone.is_floating_point():
        leaves.append(clone.requires_grad_(True))
    return clone
