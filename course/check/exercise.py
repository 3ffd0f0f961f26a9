"""What an exercise is: an id, points, hints, and the two steps of its check."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from course.check.verdict import Finding

Cases = Callable[[torch.Generator], list[Any]]


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer and the sentence that names it.

    Attributes:
        sentence: what is wrong and how to fix it; no two mistakes of an exercise share one.
        wrong: the wrong implementation (function or class), or for a value exercise the wrong value.
        hint: a hint for exactly this mistake, given before the ordered ones.
    """

    sentence: str
    wrong: Any
    hint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Exercise(ABC):
    """The part every kind of exercise shares; each kind is a final subclass.

    Points stand here and in the header of the lesson's cell, because a notebook runs without its lesson
    source; the builder refuses a lesson where the two differ. Minutes, difficulty and path (core or extra)
    stand only in the cell header.

    Attributes:
        id: "NN-name"; NN names the lesson, and the module `course.exercises.lesson_NN` holds the exercise.
        points: full points.
        hints: hints in order, from a nudge to nearly the line.
        forbids: dotted names of library functions, methods or classes that the learner may not call.
        reference: a right answer of the library; later cells use it until the check has passed.
        seconds: time limit for the learner's code, all cases together.
        adapt: what later cells use of an answer; a class's version of an exercise is turned into the plain one.
    """

    id: str
    points: float
    hints: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    reference: Any = None
    seconds: float = 30.0
    adapt: Callable[[Any], Any] = field(default=lambda answer: answer, repr=False)

    def varied(self, exercise_id: str, seed: int) -> Exercise | None:
        """Return this exercise in the version of a class, under another id; None where it has none."""
        return None

    def rng(self) -> torch.Generator:
        """Return a generator seeded by the exercise id, the same in every run."""
        return torch.Generator().manual_seed(zlib.crc32(self.id.encode()))

    @abstractmethod
    def attempted(self, answer: Any) -> bool:
        """Whether the learner has written anything; runs none of it."""

    @abstractmethod
    def prepare(self) -> Any:
        """Compute inputs and right answers, before any learner code runs."""

    @abstractmethod
    def examine(self, answer: Any, prepared: Any) -> Finding | None:
        """Run the learner's answer and return the first thing that is wrong, or None."""
