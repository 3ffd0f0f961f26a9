"""Compare an answer with the right one: type, dtype, shape, values, in this order.

The torch and numpy functions used here are bound when this file is imported, so a notebook that replaces
`torch.allclose` afterwards changes nothing. No method of the learner's object is called before its exact
type is known, so an object that claims to equal everything fails by its type.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from course.check import texts
from course.check.diagnose import number_sentence, shape_sentence, values_sentence
from course.check.verdict import Finding
from course.check.words import brief, type_words

_SEQUENCES = (tuple, list, torch.Size)
_SETS = (set, frozenset)
_DICTS = (dict, OrderedDict, defaultdict, Counter)
_item = np.ndarray.item
_TENSORS = (Tensor, torch.nn.Parameter)
_HALF = (torch.float16, torch.bfloat16)
_detach, _cpu, _to, _numpy = Tensor.detach, Tensor.cpu, Tensor.to, Tensor.numpy
_resolve = Tensor.resolve_conj


def compare(
    got: Any,
    want: Any,
    what: str = "your result",
    tolerance: float = 1e-4,
    exact: bool = False,
    given: Mapping[str, np.ndarray] | None = None,
    factors: bool = True,
    bare: bool = False,
) -> Finding | None:
    """Return what is wrong with an answer, or None.

    Args:
        got: the learner's answer.
        want: the right answer: tensor, array, number, text, None, or tuples, lists, sets, dictionaries of them.
        what: how sentences name the answer.
        tolerance: allowed difference, relative to the right values.
        exact: whether the dtype must be the very same, not only of the same kind.
        given: the inputs by name, one of which may be what is missing or too much.
        factors: whether one wrong number may be called a multiple of the right one.
        bare: whether a number may not stand in a tensor or array with axes, which f"{number:.1f}" refuses.
    """
    return _compare(got, want, what, _Terms(tolerance, exact, given, factors, bare))


class _Terms(NamedTuple):
    """What counts as equal, and what a sentence may say; see `compare`."""

    tolerance: float
    exact: bool
    given: Mapping[str, np.ndarray] | None
    factors: bool
    bare: bool


def _compare(got: Any, want: Any, what: str, terms: _Terms) -> Finding | None:
    if got is ...:
        return Finding("type", texts.ELLIPSIS.format(what=what))
    if want is None:
        return _compare_other(got, want, what)
    if got is None:
        return Finding("type", texts.RETURNED_NONE.format(what=what))
    if type(want) in _TENSORS:
        return _compare_tensor(got, want, what, terms)
    if isinstance(want, np.ndarray):
        return _compare_array(got, want, what, terms)
    if isinstance(want, bool | int | float | np.generic):
        return _compare_number(got, want, what, terms)
    if type(want) in (*_SEQUENCES, *_SETS, dict):
        return _compare_container(got, want, what, terms)
    return _compare_other(got, want, what)


def _compare_tensor(got: Any, want: Tensor, what: str, terms: _Terms) -> Finding | None:
    problem = _tensor_type(got, what)
    if problem:
        return Finding("type", problem)
    problem = _dtype(got.dtype, want.dtype, what, terms.exact)
    if problem:
        return Finding("dtype", problem)
    problem = shape_sentence(tuple(got.shape), tuple(want.shape), what)
    if problem:
        return Finding("shape", problem)
    problem = values_sentence(_as_array(got), _as_array(want), what, terms.tolerance, terms.given)
    return Finding("values", problem) if problem else None


def _tensor_type(got: Any, what: str) -> str | None:
    if type(got) in _TENSORS:
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


def _as_array(tensor: Tensor) -> np.ndarray:
    """Return a tensor as an array of float64 (complex128 for complex numbers)."""
    wide = torch.complex128 if tensor.dtype.is_complex else torch.float64
    return _numpy(_resolve(_to(_cpu(_detach(tensor)), wide)))


def _compare_array(got: Any, want: np.ndarray, what: str, terms: _Terms) -> Finding | None:
    if type(got) is not np.ndarray:
        return Finding("type", texts.TYPE.format(what=what, got=type_words(got), want="a NumPy array"))
    same_kind = got.dtype.kind in "fiub" and (got.dtype.kind == "f") == (want.dtype.kind == "f")
    if not same_kind or (terms.exact and got.dtype != want.dtype):
        return Finding("dtype", texts.DTYPE.format(what=what, got=got.dtype, want=want.dtype))
    problem = shape_sentence(got.shape, want.shape, what)
    if problem:
        return Finding("shape", problem)
    wide, right = got.astype(np.float64), want.astype(np.float64)
    problem = values_sentence(wide, right, what, terms.tolerance, terms.given)
    return Finding("values", problem) if problem else None


def _compare_number(got: Any, want: Any, what: str, terms: _Terms) -> Finding | None:
    if type(got) in (*_TENSORS, np.ndarray) and got.shape != ():
        entry = tuple(got.shape) == (1,) * got.ndim
        if terms.bare or not entry:
            words = texts.NUMBER_FROM_ENTRY if entry else texts.NUMBER_FROM_TENSOR
            return Finding("type", words.format(what=what, got=type_words(got), shape=tuple(got.shape)))
    number, wanted = _plain_number(got), want.item() if isinstance(want, np.generic) else want
    if number is None or (type(number) is bool) != (type(wanted) is bool):
        return Finding("type", texts.TYPE.format(what=what, got=type_words(got), want=type_words(wanted)))
    if type(number) is int and abs(number) > sys.float_info.max:
        return Finding("values", texts.NUMBER_LARGE.format(what=what, got="a number of more than 308 digits"))
    problem = number_sentence(number, wanted, what, terms.tolerance, terms.factors)
    return Finding("values", problem) if problem else None


def _plain_number(value: Any) -> bool | int | float | None:
    if type(value) in (bool, int, float):
        return value
    if type(value) in _TENSORS and not _tensor_type(value, "") and not value.dtype.is_complex:
        number = _item(_as_array(value))
        return number if value.is_floating_point() else number != 0 if value.dtype == torch.bool else int(number)
    if type(value) is np.ndarray and value.size == 1 and value.dtype.kind in "fiub":
        return _item(value)
    if type(value).__module__ == "numpy" and isinstance(value, np.number | np.bool_):
        return value.item()
    return None


def _compare_container(got: Any, want: Any, what: str, terms: _Terms) -> Finding | None:
    got = _unpacked(got, want)
    family = _SEQUENCES if type(want) in _SEQUENCES else _SETS if type(want) in _SETS else _DICTS
    if type(got) not in family:
        return Finding("type", texts.TYPE.format(what=what, got=type_words(got), want=type_words(want)))
    if type(want) in _SETS:
        return None if got == want else Finding("values", texts.OTHER_VALUE.format(what=what, got=brief(got)))
    if type(want) is dict and set(got) != set(want):
        return Finding("shape", texts.KEYS.format(what=what, got=brief(list(got)), want=brief(list(want))))
    if len(got) != len(want):
        counts = {"got": texts.plural(len(got), "item"), "want": _are(len(want))}
        return Finding("shape", texts.LENGTH.format(what=what, **counts))
    keys = want if type(want) is dict else range(len(want))
    if _inverted([got[key] for key in keys], [want[key] for key in keys]):
        return Finding("values", texts.INVERTED.format(what=what))
    found = (_compare_part(got[key], want[key], f"{what}[{key!r}]", terms) for key in keys)
    first = next((finding for finding in found if finding), None)
    ordered = type(want) in (tuple, list) and not all(type(each) is bool for each in want)
    astray = _misplaced(list(got), list(want), terms) if first and ordered else None
    return Finding("values", texts.ITEMS_ORDER.format(what=what, got=astray[0], want=astray[1])) if astray else first


def _misplaced(got: list[Any], want: list[Any], terms: _Terms) -> tuple[int, int] | None:
    """Return where the first item that stands in a wrong place is and should be, if all are there in another order."""
    if len(want) > 6:
        return None
    free, places = list(range(len(want))), []
    for item in got:
        fits = [place for place in free if not _compare(item, want[place], "", terms)]
        if not fits:
            return None
        place = len(places) if len(places) in fits else fits[0]
        places.append(place)
        free.remove(place)
    return next(((number, place) for number, place in enumerate(places) if number != place), None)


def _compare_part(got: Any, want: Any, what: str, terms: _Terms) -> Finding | None:
    if got is None and want is not None:
        return Finding("type", texts.PART_NONE.format(what=what, want=type_words(want)))
    return _compare(got, want, what, terms)


def _unpacked(got: Any, want: Any) -> Any:
    """Return the numbers of a tensor or array with one axis where a few decimal numbers are asked for."""
    if type(want) not in _SEQUENCES or not want or not all(type(each) is float for each in want):
        return got
    if type(got) in _TENSORS and got.dim() == 1 and got.is_floating_point() and not _tensor_type(got, ""):
        return tuple(_as_array(got).tolist())
    return tuple(got.tolist()) if type(got) is np.ndarray and got.ndim == 1 and got.dtype.kind == "f" else got


def _inverted(got: list[Any], want: list[Any]) -> bool:
    """Whether True stands for False and False for True, where both occur."""
    if not all(type(each) in (bool, np.bool_) for each in [*got, *want]):
        return False
    return len(set(want)) == 2 and all(bool(a) != bool(b) for a, b in zip(got, want, strict=True))


def _compare_other(got: Any, want: Any, what: str) -> Finding | None:
    if type(got) is not type(want):
        return Finding("type", texts.TYPE.format(what=what, got=type_words(got), want=type_words(want)))
    same = got.strip().casefold() == want.strip().casefold() if type(want) is str else got == want
    return None if same else Finding("values", texts.OTHER_VALUE.format(what=what, got=brief(got)))


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"
