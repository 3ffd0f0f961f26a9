"""Versions of one exercise for different classes: the same check on another form of the same function.

A `Variant` says in a few Python expressions how one form turns into the other, with a place {0} for a constant.
Reference, typical mistakes, a class's solved notebook and the later cells that use an answer all come from these.
The id "01-count-v7" is exercise 01-count in the version of seed 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_ID = re.compile(r"(?P<plain>.+)-v(?P<seed>\d+)")


@dataclass(frozen=True)
class Variant:
    """How an exercise differs from class to class; every text is formatted with the constants of the class.

    Attributes:
        args: the arguments of the function, as in "chans, height".
        note: what a learner reads after "In your class, ".
        values: the constants, a tuple for each version; a seed chooses one, and seeds in a row choose different ones.
        given: the plain function's arguments, from those of this class's version.
        taken: the reverse: this version's arguments, from those of the plain function.
        gives: what this version returns, from the plain function's `out`.
        back: the reverse: what the plain function returns, from this version's `out`.
    """

    args: str
    note: str
    values: tuple[tuple[Any, ...], ...]
    given: str = ""
    taken: str = ""
    gives: str = "out"
    back: str = "out"

    def constants(self, seed: int) -> tuple[Any, ...]:
        """Return the constants of the class with this seed."""
        return self.values[seed % len(self.values)]

    def words(self, seed: int) -> str:
        """Return what a learner reads."""
        return f"In your class, {self.note.format(*self.constants(seed))}."

    def body(self, seed: int) -> list[str]:
        """Return the lines of a function that answers this version, with the plain function at hand as `plain`."""
        given, gives = (self._text(text, seed) for text in (self.given or self.args, self.gives))
        return [f"out = plain({given})", f"return {gives}"]

    def turned(self, plain: Callable[..., Any], seed: int) -> Callable[..., Any]:
        """Return this version of a plain function."""
        return _wrapped(plain, self.args, *(self._text(text, seed) for text in (self.given or self.args, self.gives)))

    def plain(self, answer: Callable[..., Any], seed: int) -> Callable[..., Any]:
        """Return the plain function behind an answer to this version."""
        return _wrapped(answer, self.args, *(self._text(text, seed) for text in (self.taken or self.args, self.back)))

    def inputs(self, given: tuple[Any, ...], seed: int) -> tuple[Any, ...]:
        """Return this version's inputs, from those of the plain function."""
        return _wrapped(lambda *args: args, self.args, self._text(self.taken or self.args, seed), "out")(*given)

    def _text(self, text: str, seed: int) -> str:
        return text.format(*self.constants(seed))


def plain_id(exercise_id: str) -> str:
    """Return the id without the part that names a class's version."""
    return split_id(exercise_id)[0]


def split_id(exercise_id: str) -> tuple[str, int | None]:
    """Return the plain id and the seed of a version; None where the id names none."""
    found = _ID.fullmatch(exercise_id)
    return (found["plain"], int(found["seed"])) if found else (exercise_id, None)


def _wrapped(function: Callable[..., Any], args: str, given: str, gives: str) -> Callable[..., Any]:
    space: dict[str, Any] = {"function": function}
    exec(f"def version({args}):\n    out = function({given})\n    return {gives}\n", space)
    return space["version"]
