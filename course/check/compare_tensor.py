"""Compare an answer with the right tensor; see `compare`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.check import texts
from course.check.diagnose import shape_sentence, values_sentence
from course.check.verdict import Finding
from course.check.words import type_words

TENSORS = (Tensor, torch.nn.Parameter)

_HALF = (torch.float16, torch.bfloat16)
_detach, _cpu, _to, _numpy = Tensor.detach, Tensor.cpu, Tensor.to, Tensor.numpy
_resolve = Tensor.resolve_conj


def compare_tensor(got: Any, want: Tensor, what: str, tolerance: float, exact: bool) -> Finding | None:
    """Return what is wrong with an answer that should be a tensor, or None; see `compare`."""
    problem = _tensor_type(got, what)
    if problem:
        return Finding("type", problem)
    problem = _dtype(got.dtype, want.dtype, what, exact)
    if problem:
        return Finding("dtype", problem)
    problem = shape_sentence(tuple(got.shape), tuple(want.shape), what)
    if problem:
        return Finding("shape", problem)
    problem = values_sentence(as_array(got), as_array(want), what, tolerance)
    return Finding("values", problem) if problem else None


def _tensor_type(got: Any, what: str) -> str | None:
    if type(got) in TENSORS:
        if got.device.type == "meta":
            return texts.TENSOR_META.format(what=what)
        return None if got.layout is torch.strided else texts.TENSOR_SPARSE.format(what=what)
    kind = type(got)
    if issubclass(kind, Tensor):
        return texts.TENSOR_SUBCLASS.format(what=what, got=type_words(got))
    if kind is np.ndarray:
        return texts.TENSOR_FROM_ARRAY.format(what=what)
    if kind in (bool, int, float) or issubclass(kind, np.generic):
        return texts.TENSOR_FROM_NUMBER.format(what=what, got=type_words(got))
    if kind in (tuple, list):
        return texts.TENSOR_FROM_LIST.format(what=what, got=type_words(got))
    return texts.TYPE.format(what=what, got=type_words(got), want="a tensor")


def _dtype(got: torch.dtype, want: torch.dtype, what: str, exact: bool) -> str | None:
    words = {"what": what, "got": str(got), "want": str(want)}
    if got == want:
        return None
    if want.is_floating_point and got == torch.bool:
        return texts.DTYPE_BOOL.format(**words)
    if want.is_floating_point and not (got.is_floating_point or got.is_complex):
        return texts.DTYPE_INTEGER.format(**words)
    if want.is_floating_point and got in _HALF and want not in _HALF:
        return texts.DTYPE_HALF.format(**words)
    if want != torch.bool and not want.is_floating_point and got.is_floating_point:
        return texts.DTYPE_FLOAT.format(**words)
    same_kind = _kind(got) == _kind(want)
    return texts.DTYPE.format(**words) if exact or not same_kind else None


def _kind(dtype: torch.dtype) -> str:
    if dtype == torch.bool:
        return "bool"
    return "complex" if dtype.is_complex else "float" if dtype.is_floating_point else "int"


def as_array(tensor: Tensor) -> np.ndarray:
    """Return a tensor as an array of float64 (complex128 for complex numbers)."""
    wide = torch.complex128 if tensor.dtype.is_complex else torch.float64
    return _numpy(_resolve(_to(_cpu(_detach(tensor)), wide)))
