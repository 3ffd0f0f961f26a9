"""Lines of the library's own code, to be read beside the learner's."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def excerpt(function: Callable[..., Any], first: str, last: str) -> str:
    """Return the lines of a function from the one that starts with `first` to the next that starts with `last`.

    Raises:
        ValueError: there are no such lines.
    """
    lines = inspect.getsource(function).split("\n")
    starts = [number for number, line in enumerate(lines) if line.strip().startswith(first)]
    ends = [number for number, line in enumerate(lines) if line.strip().startswith(last)]
    found = [(start, end) for start in starts for end in ends if start <= end]
    if not found:
        raise ValueError(f"{function.__name__} has no lines from {first!r} to {last!r}: name the starts of two lines")
    return textwrap.dedent("\n".join(lines[found[0][0] : found[0][1] + 1]))
