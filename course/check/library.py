"""While learner code runs, the library functions that an exercise names refuse to work.

The code object inside a function is exchanged, not the name in its module, so a name that the notebook
imported earlier refuses as well. A class refuses through all of its own methods.
"""

from __future__ import annotations

import contextlib
import pkgutil
import threading
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

_LOCK = threading.RLock()
_CALLED: list[str] = []


class LibraryCalled(BaseException):
    """Learner code called a library entry point that the exercise forbids."""


def refuse(name: str) -> None:
    """Note the call and stop the learner's code."""
    _CALLED.append(name)
    raise LibraryCalled(name)


@contextlib.contextmanager
def forbidden(names: tuple[str, ...]) -> Iterator[list[str]]:
    """Make the named functions, methods or classes refuse; yields the list of names that were called.

    Raises:
        ValueError: a name leads to nothing, or to something without Python code.
    """
    targets = [(name, function) for name in names for function in functions_of(name)]
    with _LOCK:
        originals: list[tuple[FunctionType, CodeType]] = []
        start = len(_CALLED)
        called: list[str] = []
        try:
            for name, function in targets:
                originals.append((function, function.__code__))
                function.__code__ = _refusing_code(name, function.__code__)
            yield called
        finally:
            for function, code in reversed(originals):
                function.__code__ = code
            called += _CALLED[start:]
            del _CALLED[start:]


def resolve(name: str) -> Any:
    """Return the object behind a dotted name such as "vpcore.prompts.multiscale.average_maps".

    Raises:
        ValueError: there is no such object.
    """
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        wrong = f"got {name!r}, which does not exist: correct the dotted name"
        raise ValueError(f"forbids must name library objects, {wrong}") from None


def functions_of(name: str) -> list[FunctionType]:
    """Return the Python functions behind a dotted name: of a class, its own methods.

    Raises:
        ValueError: there is no such object, or it has no Python code.
    """
    found = _inside(resolve(name), depth=0)
    if not found:
        raise ValueError(f"forbids must name Python functions or classes, got {name!r}: name what defines the code")
    return found


def _inside(thing: Any, depth: int) -> list[FunctionType]:
    if isinstance(thing, FunctionType):
        wrapped = vars(thing).get("__wrapped__")
        return [thing, *_inside(wrapped, depth)]
    if isinstance(thing, staticmethod | classmethod | MethodType):
        return _inside(thing.__func__, depth)
    if isinstance(thing, property):
        return _inside(thing.fget, depth)
    if isinstance(thing, type) and depth == 0:
        return [function for member in vars(thing).values() for function in _inside(member, depth + 1)]
    return []


def _refusing_code(name: str, original: CodeType) -> CodeType:
    space: dict[str, Any] = {}
    lines = f"def refused(*args, **kwargs):\n    from course.check.library import refuse\n    refuse({name!r})\n"
    exec(lines, space)
    return space["refused"].__code__.replace(co_freevars=original.co_freevars, co_name=original.co_name)
