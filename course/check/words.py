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
    if issubclass(kind, np.bool_ | np.number) and kind.__module__ == "numpy":
        return words.get(type(value.item()), "a complex number")
    if issubclass(kind, type):
        return "a class"
    return f"an object of type {type.__dict__['__name__'].__get__(kind)}"


def argument_names(function: Any) -> tuple[str, ...]:
    """Return the names of a plain function's arguments; empty for anything else."""
    code = function.__code__ if type(function) is FunctionType else None
    return code.co_varnames[: code.co_argcount] if code else ()


def input_parts(inputs: tuple[Any, ...], names: tuple[str, ...] = (), *, whole: bool = False) -> list[str]:
    """Say each input of a call: "images (2, 3, 8, 9)", "p = 4", tensors and arrays by their shape.

    Args:
        inputs: positional arguments.
        names: theirs, or none.
        whole: writes short tensors of decimal numbers out; empty if there is an input of which a part stays unsaid.
    """
    named = len(names) == len(inputs)
    parts = [_input_words(value, names[place] if named else "", whole) for place, value in enumerate(inputs)]
    return parts if all(parts) else []


def leaf_names(value: Any, name: str) -> list[str]:
    """Name the floating tensors inside an argument: "`x`", or "`maps`[1]"."""
    if type(value) is Tensor:
        return [name] if value.is_floating_point() else []
    if type(value) in (tuple, list):
        parts: list[tuple[Any, Any]] = list(enumerate(value))
    else:
        parts = list(value.items()) if type(value) is dict else []
    return [leaf for key, item in parts for leaf in leaf_names(item, f"{name}[{key!r}]")]


def in_line(parts: list[str], limit: int = 160) -> str:
    """Join parts with commas; what does not fit is left out at the end."""
    kept = [part for count, part in enumerate(parts, 1) if len(", ".join(parts[:count])) <= limit]
    kept = kept or [f"{parts[0][:limit]}…"]
    return ", ".join(kept) + (", …" if len(kept) < len(parts) else "")


def _input_words(value: Any, name: str, whole: bool) -> str:
    start = f"{name} = " if name else ""
    if type(value) in (Tensor, np.ndarray):
        numbers = value.tolist() if value.ndim < 2 and 0 < np.prod(value.shape) <= 6 else None
        if numbers is not None and (whole or "." not in str(numbers)):
            return f"{start}{result_words(numbers)}"
        return "" if whole else f"{name} {tuple(value.shape)}".strip()
    if type(value) in (list, tuple) and any(type(each) in (Tensor, np.ndarray) for each in value):
        words = [_input_words(each, "", whole) for each in value]
        return f"{start}[{', '.join(words)}]" if all(words) else ""
    if type(value) in (list, tuple) and not _plain(value):
        return "" if whole else f"{name} ({type_words(value)} of {len(value)})".strip()
    plain = _plain(value)
    if plain or whole:
        return f"{start}{value!r}" if plain else ""
    if type(value) is dict and name and len(keys := ", ".join(map(str, value))) <= 40:
        return f"{name} with the keys {keys}"
    return f"{name} ({type_words(value).removeprefix('an object of type ')})" if name else type_words(value)


def _plain(value: Any) -> bool:
    if type(value) is dict:
        return _plain([*value, *value.values()])
    if type(value) in (tuple, list):
        return all(map(_plain, value))
    return type(value) in (bool, int, float, str, type(None))


def result_words(value: Any) -> str:
    """Say a result of at most six numbers, each with four digits; empty for anything else."""
    if type(value) in (Tensor, torch.nn.Parameter) and 0 < value.numel() <= 6 and value.layout is torch.strided:
        value = value.detach().flatten().tolist()
    if type(value) in (int, float, bool):
        return f"{value:.4g}" if type(value) is float else str(value)
    if type(value) in (list, tuple) and 0 < len(value) <= 6:
        words = [result_words(each) for each in value]
        return f"[{', '.join(words)}]" if all(words) else ""
    return ""


def brief(value: Any, limit: int = 60) -> str:
    """Return a short repr of a plain value."""
    words = repr(value)
    return words if len(words) <= limit else words[: limit - 1] + "…"
