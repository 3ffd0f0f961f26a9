"""Name types and values in words, without calling anything that belongs to a learner's object."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor


def type_words(value: Any) -> str:
    """Name a type in words, without calling anything of the object."""
    kind = type(value)
    words = {bool: "True or False", int: "a whole number", float: "a decimal number", str: "a text", tuple: "a tuple"}
    words |= {list: "a list", dict: "a dictionary", set: "a set", type(None): "None", Tensor: "a tensor"}
    words |= {torch.nn.Parameter: "a Parameter", np.ndarray: "a NumPy array", FunctionType: "a function"}
    if kind in words:
        return words[kind]
    if issubclass(kind, type):
        return "a class"
    return f"an object of type {type.__dict__['__name__'].__get__(kind)}"


def inputs_words(inputs: tuple[Any, ...], limit: int = 80) -> str:
    """Say the inputs of a call in one line: numbers as they are, tensors and arrays by their shape."""
    words = ", ".join(_input_words(value) for value in inputs)
    return words if len(words) <= limit else ""


def _input_words(value: Any) -> str:
    if type(value) in (Tensor, np.ndarray):
        whole = value.tolist() if value.size and np.prod(value.shape) <= 6 else None
        return str(whole) if whole is not None and "." not in str(whole) else f"{tuple(value.shape)}"
    if type(value) in (list, tuple) and any(type(each) in (Tensor, np.ndarray) for each in value):
        return f"[{', '.join(_input_words(each) for each in value)}]"
    return repr(value) if type(value) in (bool, int, float, str, tuple, list) else type_words(value)


def brief(value: Any, limit: int = 60) -> str:
    """Return a short repr of a plain value."""
    words = repr(value)
    return words if len(words) <= limit else words[: limit - 1] + "…"
