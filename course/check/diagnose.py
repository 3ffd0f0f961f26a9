"""Say how numbers are wrong: which dimension, which factor, which sign, which entry."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from course.check import texts

_abs, _sum, _flip, _swap, _isfinite = np.abs, np.sum, np.flip, np.swapaxes, np.isfinite
_max, _mean, _isnan, _nonzero, _array_equal = np.max, np.mean, np.isnan, np.nonzero, np.array_equal
_sort, _unique = np.sort, np.unique
_NEAR = 1e-2  # relative difference that is small enough to come from a constant


def shape_sentence(got: tuple[int, ...], want: tuple[int, ...], what: str) -> str | None:
    """Say how a shape differs, or None."""
    words = {"what": what, "got": got, "want": want}
    if got == want:
        return None
    got_long, want_long = [n for n in got if n != 1], [n for n in want if n != 1]
    if got_long == want_long and len(got) != len(want):
        return (texts.SHAPE_ONES_EXTRA if len(got) > len(want) else texts.SHAPE_ONES_MISSING).format(**words)
    if sorted(got) == sorted(want):
        return texts.SHAPE_ORDER.format(**words)
    if math.prod(got) == math.prod(want):
        return texts.SHAPE_FLAT.format(**words)
    if len(got) != len(want):
        return (texts.SHAPE_MORE if len(got) > len(want) else texts.SHAPE_FEWER).format(**words)
    dim = next(i for i, pair in enumerate(zip(got, want, strict=True)) if pair[0] != pair[1])
    return texts.SHAPE_SIZE.format(**words, dim=dim, size=got[dim], wanted=want[dim])


def close(got: np.ndarray, want: np.ndarray, tolerance: float) -> np.ndarray:
    """Return where two arrays of one shape agree, relative to each value and to the largest."""
    finite = want[_isfinite(want)]
    largest = float(_max(_abs(finite))) if finite.size else 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        near = _abs(got - want) <= tolerance * _abs(want) + 0.1 * tolerance * largest + 1e-12
    return near | (got == want) | (_isnan(got) & _isnan(want))


def values_sentence(
    got: np.ndarray, want: np.ndarray, what: str, tolerance: float, given: Mapping[str, np.ndarray] | None = None
) -> str | None:
    """Say how the values of an array of the right shape are wrong, or None; `given` are the inputs by name."""
    agree = close(got, want, tolerance)
    if agree.all():
        return None
    odd = ~_isfinite(got)
    if odd.any() and _isfinite(want).all():
        return texts.NOT_FINITE.format(what=what, kind="NaN" if _isnan(got).any() else "infinity")
    whole = _whole(got, want, what, tolerance) or _by_input(got, want, what, tolerance, given or {})
    if whole:
        return whole
    nearly = texts.NEARLY if close(got, want, _NEAR).all() else ""
    return _first_difference(got, want, what, agree) + nearly


def number_sentence(got: float, want: float, what: str, tolerance: float, factors: bool = True) -> str | None:
    """Say how one number is wrong, or None; `factors` allows to call it a multiple of the right one."""
    whole = isinstance(want, bool | int)
    if got == want or (math.isnan(got) and math.isnan(want)):
        return None
    if not whole and math.isfinite(got) and abs(got - want) <= tolerance * max(abs(want), 1e-8):
        return None
    said = {"what": what, "got": apart(got, want)[0]}
    if isinstance(want, bool):
        return texts.OTHER_VALUE.format(**said)
    if not math.isfinite(got):
        return texts.NOT_FINITE.format(what=what, kind="NaN" if math.isnan(got) else "infinity")
    if got == -want:
        return texts.NUMBER_SIGN.format(**said)
    if whole and abs(got - want) == 1:
        return texts.NUMBER_ONE_OFF.format(**said)
    if not whole and _is_rounded(got, want):
        return texts.NUMBER_ROUNDED.format(**said)
    factor = _simple_factor(got / want) if factors and want and not (whole and abs(want) < 10) else None  # no place
    if factor:
        return texts.NUMBER_FACTOR.format(**said, factor=factor)
    return (texts.NUMBER_LARGE if got > want else texts.NUMBER_SMALL).format(**said)


def _is_rounded(got: float, want: float) -> bool:
    near = abs(got - want) <= 0.05 * abs(want) and got != float(f"{got:.1g}")  # two digits, not a constant such as 0.5
    return near and any(math.isclose(got, round(want, n), rel_tol=1e-12) for n in range(7))


def digits(number: float) -> str:
    """Print a number with four significant digits, whole numbers in full."""
    return str(number) if isinstance(number, bool | int) else f"{float(number):.4g}"


def apart(got: float, want: float) -> tuple[str, str]:
    """Print two numbers with as many significant digits, four or more, as tell them apart."""
    if isinstance(got, bool | int | np.integer | np.bool_) or got == want:
        return digits(got), digits(want)
    for count in range(4, 18):
        said = (f"{float(got):.{count}g}", f"{float(want):.{count}g}")
        if said[0] != said[1]:
            break
    return said


def _whole(got: np.ndarray, want: np.ndarray, what: str, tolerance: float) -> str | None:
    """Look for one cause that explains every entry."""
    if got.size < 2 or got.dtype.kind == "c":
        return None

    def fits(other: np.ndarray) -> bool:
        return bool(close(other, want, tolerance).all())

    if not got.any():
        return texts.ALL_ZERO.format(what=what)
    if fits(-got):
        return texts.SIGN.format(what=what)
    for look in (_reversed, _scaled, _shifted, _moved):
        sentence = look(got, want, what, fits)
        if sentence:
            return sentence
    return texts.ALL_SAME.format(what=what, number=digits(got.flat[0])) if (got == got.flat[0]).all() else None


def _reversed(got: np.ndarray, want: np.ndarray, what: str, fits: Callable[[np.ndarray], bool]) -> str | None:
    for dim in range(got.ndim):
        if got.shape[dim] > 1 and fits(_flip(got, dim)):
            return texts.FLIPPED.format(what=what, dim=dim)
    square = got.ndim > 1 and got.shape[-1] == got.shape[-2]
    return texts.SWAPPED.format(what=what) if square and fits(_swap(got, -1, -2)) else None


def _scaled(got: np.ndarray, want: np.ndarray, what: str, fits: Callable[[np.ndarray], bool]) -> str | None:
    size = float(_sum(want * want))
    factor = float(_sum(got * want)) / size if size else 0.0
    if not factor or not fits(got / factor):
        return None
    words = f"{factor:.3g}"
    said = {"what": what, "factor": apart(factor, 1.0)[0] if words == "1" else words}
    nearly = abs(factor - 1) < _NEAR
    return texts.FACTOR_NEARLY.format(**said) + texts.NEARLY if nearly else texts.FACTOR.format(**said)


def _shifted(got: np.ndarray, want: np.ndarray, what: str, fits: Callable[[np.ndarray], bool]) -> str | None:
    offset = float(_mean(got - want))
    return texts.OFFSET.format(what=what, offset=f"{offset:.3g}") if fits(got - offset) else None


def _moved(got: np.ndarray, want: np.ndarray, what: str, fits: Callable[[np.ndarray], bool]) -> str | None:
    if len(_unique(want)) < 3 or not _isfinite(want).all():
        return None  # ones and zeros in other places say nothing
    order = np.empty(want.size)
    order[np.argsort(want, axis=None, kind="stable")] = _sort(got, axis=None)
    if not fits(order.reshape(want.shape)):
        return None
    return (texts.REORDERED if got.ndim == 1 else texts.MISPLACED).format(what=what)


def _by_input(
    got: np.ndarray, want: np.ndarray, what: str, tolerance: float, given: Mapping[str, np.ndarray]
) -> str | None:
    """Look for an input that is missing or too much, as a term or as a factor."""
    if got.size < 2 or got.dtype.kind == "c" or not _isfinite(want).all():
        return None
    for name, value in given.items():
        for placed in _placed(value, want.shape):
            said = {"what": what, "name": name}
            for text, right in _repairs(got, placed):
                if _isfinite(right).all() and close(right, want, tolerance).all():
                    return text.format(**said)
    return None


def _repairs(got: np.ndarray, value: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield texts.LACKS, got + value
    yield texts.TWICE, got - value
    yield texts.OPPOSITE, got + 2 * value
    if value.all():
        yield texts.OVER, got * value
        yield texts.TIMES, got / value


def _placed(value: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield an input spread over a result: as it broadcasts, and one with a single axis along each that fits."""
    if value.size < 2 or not _isfinite(value).all() or len(_unique(value)) < 2:
        return
    if value.size == max(value.shape):
        for axis, size in enumerate(shape):
            if size == value.size:
                row = [1] * len(shape)
                row[axis] = size
                yield np.broadcast_to(value.reshape(row), shape)
    elif value.ndim <= len(shape) and all(a in (1, b) for a, b in zip(value.shape[::-1], shape[::-1], strict=False)):
        yield np.broadcast_to(value, shape)


def _first_difference(got: np.ndarray, want: np.ndarray, what: str, agree: np.ndarray) -> str:
    wrong = ~agree
    place = tuple(int(axis[0]) for axis in _nonzero(np.atleast_1d(wrong)))
    count = int(_sum(wrong))
    share = "every number" if count == got.size else f"{count} of {got.size} numbers"
    first = apart(np.atleast_1d(got)[place], np.atleast_1d(want)[place])
    verb = "differs" if share == "every number" or count == 1 else "differ"
    index = list(place)
    return texts.DIFFERS.format(share=share, what=what, differ=verb, index=index, got=first[0], want=first[1])


def _simple_factor(ratio: float) -> str | None:
    for top, bottom in ((2, 1), (3, 1), (4, 1), (1, 2), (1, 3), (1, 4), (10, 1), (1, 10), (100, 1), (1, 100)):
        if math.isclose(ratio, top / bottom, rel_tol=1e-6):
            return f"{top}" if bottom == 1 else f"{top}/{bottom}"
    return None
