"""Exercises whose answer is a value, and exercises with a judgment of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from course.check import texts
from course.check.compare import compare
from course.check.exercise import Cases, Exercise, Mistake
from course.check.guards import on_input
from course.check.stubs import class_is_stub, is_stub
from course.check.verdict import Finding


@dataclass(frozen=True, kw_only=True)
class ValueExercise(Exercise):
    """The learner gives a number, text, tuple, list, dictionary or tensor.

    Attributes:
        reference: the right value; `compute` replaces it where the value needs work.
        compute: returns the right value, called at each check.
        mistakes: typical wrong values with the sentence for each.
        tolerance: allowed difference, relative to the right values.
        name: how sentences call the value.
    """

    compute: Callable[[], Any] | None = None
    mistakes: tuple[Mistake, ...] = ()
    tolerance: float = 1e-4
    name: str = "your answer"

    def attempted(self, answer: Any) -> bool:
        """Whether the value is not `...` and holds no `...`."""
        holds = type(answer) in (tuple, list) and any(item is ... for item in answer)
        return not (is_stub(answer) or holds)

    def prepare(self) -> Any:
        """Return the right value."""
        return self.compute() if self.compute else self.reference

    def examine(self, answer: Any, prepared: Any) -> Finding | None:
        """Compare type, dtype, shape, values; name a typical mistake."""
        found = self._compare(answer, prepared)
        if not found:
            return None
        said = next((m for m in self.mistakes if not self._compare(answer, m.wrong)), None)
        return Finding(found.stage, said.sentence, said.hint) if said else found

    def _compare(self, answer: Any, value: Any) -> Finding | None:
        return compare(answer, value, self.name, tolerance=self.tolerance)


@dataclass(frozen=True, kw_only=True)
class JudgeExercise(Exercise):
    """The learner's answer is judged by a function of its own, case by case.

    Attributes:
        judge: from answer and case to a sentence that names the fault and the fix, or None when right.
        cases: from a seeded generator to the cases.
        methods: for a class, the methods that the learner writes.
    """

    judge: Callable[[Any, Any], str | Finding | None]
    cases: Cases
    methods: tuple[str, ...] = ()

    def attempted(self, answer: Any) -> bool:
        """Whether the function or class has a body."""
        return not class_is_stub(answer, self.methods)

    def prepare(self) -> list[Any]:
        """Return the cases."""
        return list(self.cases(self.rng()))

    def examine(self, answer: Any, prepared: list[Any]) -> Finding | None:
        """Return the first sentence that the judge says."""
        for case in prepared:
            said = self.judge(answer, case)
            if said:
                return said if isinstance(said, Finding) else Finding("judged", said)
        return None


@dataclass(frozen=True)
class Specimen:
    """An implementation that a learner's test must accept or reject.

    Attributes:
        implementation: what the test gets as its only argument.
        good: whether it is right.
        words: for a wrong one, completes "one that ..."; for a right one, names it.
    """

    implementation: Any
    good: bool
    words: str


def judge_test(answer: Callable[[Any], Any], case: Specimen) -> str | None:
    """Judge a learner's test: it accepts by returning True or None, and rejects by False or AssertionError."""
    said: Any = False
    kind = "right" if case.good else "wrong"
    with contextlib.suppress(AssertionError), on_input(f"a {kind} implementation: {case.words}"):
        said = answer(case.implementation)
    if type(said) is int or hasattr(said, "item"):  # 0 and 1, and one entry of a tensor or array, are truth values
        said = bool(said)
    if (said is not False) == case.good:
        return None
    text = texts.REJECTS_GOOD if case.good else texts.ACCEPTS_BAD if said is not None else texts.ACCEPTS_BY_NONE
    return text.format(words=case.words)
