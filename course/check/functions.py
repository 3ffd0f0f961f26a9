"""Exercises whose answer is a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course.check import texts
from course.check.compare import compare
from course.check.copies import arguments, fresh, tensors, touched
from course.check.exercise import Cases, Exercise, Mistake
from course.check.guards import on_input
from course.check.stubs import is_stub
from course.check.variants import Variant
from course.check.verdict import Finding
from course.check.words import argument_names, in_line, input_parts, leaf_names, result_words, type_words

_FAILED = object()


@dataclass(frozen=True)
class Case:
    """One input with its words, its right output, right input gradients, and what each typical mistake gives."""

    inputs: tuple[Any, ...]
    names: tuple[str, ...]
    words: list[str]
    whole: list[str]
    want: Any
    slopes: list[Tensor | None]
    wrong: list[Any]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the inputs that are tensors or arrays of decimal numbers, by name."""
        found = {}
        for name, value in zip(self.names, self.inputs, strict=True):
            if type(value) is Tensor and value.is_floating_point():
                found[f"`{name}`"] = value.double().numpy()
            elif type(value) is np.ndarray and value.dtype.kind == "f":
                found[f"`{name}`"] = value
        return found


@dataclass(frozen=True, kw_only=True)
class FunctionExercise(Exercise):
    """The learner writes a function; it is compared with the reference on fresh seeded inputs.

    Attributes:
        reference: the right function.
        cases: from a seeded generator to a list of inputs; a tuple is a list of positional arguments.
        mistakes: typical wrong functions with the sentence for each.
        gradient: whether the gradient to every floating input must be right as well.
        exact_dtype: whether the dtype must be the very same; otherwise float32 and float64 both pass.
        tolerance: allowed difference, relative to the right values.
        keeps_inputs: whether the function must leave its inputs as they are.
        also: one more judgment of the function, after all others: returns a sentence, or None when right.
        variant: how the exercise differs from class to class, if it does.
        say: an input in words, from its arguments, where these are too long to be written out.
    """

    cases: Cases
    mistakes: tuple[Mistake, ...] = ()
    gradient: bool = False
    exact_dtype: bool = False
    tolerance: float = 1e-4
    keeps_inputs: bool = True
    also: Callable[[Any], str | None] = field(default=lambda answer: None)
    variant: Variant | None = None
    say: Callable[..., list[str]] | None = None

    def varied(self, exercise_id: str, seed: int) -> FunctionExercise | None:
        """Return this exercise in the version of a class; None where it has no variant."""
        found = self.variant
        if found is None:
            return None
        turned = [replace(mistake, wrong=found.turned(mistake.wrong, seed)) for mistake in self.mistakes]
        return replace(
            self,
            id=exercise_id,
            reference=found.turned(self.reference, seed),
            cases=lambda rng: [found.inputs(arguments(given), seed) for given in self.cases(rng)],
            mistakes=tuple(turned),
            hints=(found.words(seed), *self.hints),
            adapt=lambda answer: found.plain(answer, seed),
        )

    def attempted(self, answer: Any) -> bool:
        """Whether the function has a body."""
        return not is_stub(answer)

    def prepare(self) -> list[Case]:
        """Compute the right outputs, gradients and the outputs of the typical mistakes."""
        cases, names = [], argument_names(self.reference)
        for given in self.cases(self.rng()):
            inputs = arguments(given)
            want = self.reference(*fresh(inputs))
            slopes = input_slopes(self.reference, inputs) if self.gradient else []
            wrong = [_attempt(mistake.wrong, inputs) for mistake in self.mistakes]
            words = self.say(*inputs) if self.say else input_parts(inputs, names)
            whole = words if self.say else input_parts(inputs, names, whole=True)
            known = names if len(names) == len(inputs) else tuple(f"number {n}" for n, _ in enumerate(inputs, 1))
            cases.append(Case(inputs, known, words, whole, want, slopes, wrong))
        return cases

    def examine(self, answer: Any, prepared: list[Case]) -> Finding | None:
        """Compare type, dtype, shape, values, gradient, inputs, in this order."""
        if not callable(answer):
            return Finding("type", texts.NOT_CALLABLE.format(got=type_words(answer)))
        results, changed = [], None
        for case in prepared:
            given = fresh(case.inputs)
            with on_input(in_line(case.words)):
                results.append(answer(*given))
            changed = changed or (_touched(case, given) if self.keeps_inputs else None)
        found = self._outputs(results, prepared)
        if changed:
            where, how = changed
            if found and found.stage == "values":
                return replace(found, sentence=found.sentence + texts.ALSO_TOUCHED.format(where=where))
            found = found or Finding("inputs", texts.TOUCHED.format(where=where, how=how))
        if not found and self.gradient:
            found = next((f for case in prepared if (f := self._gradient(answer, case))), None)
        if not found:
            sentence = self.also(answer)
            found = Finding("judged", sentence) if sentence else None
        return found

    def _outputs(self, results: list[Any], cases: list[Case]) -> Finding | None:
        wants, wrong = [case.want for case in cases], [case.wrong for case in cases]
        first = next((n for n, pair in enumerate(zip(results, wants, strict=True)) if self._compare(*pair)), None)
        if first is None:
            return None
        got, case = results[first], cases[first]
        factors = all(map(self._is_multiple, results, wants))
        found = self._compare(got, case.want, given=case.arrays(), factors=factors)
        assert found is not None
        said = known_mistake(self.mistakes, results, wrong, wants, self._compare)
        sentence = said.sentence if said else found.sentence
        if not said and got is None and any(want is None for want in wants):
            sentence = texts.NONE_HERE.format(want=type_words(case.want))
        if found.stage not in ("values", "shape") and all(map(self._compare, results, wants)):
            return Finding(found.stage, sentence, said.hint if said else found.hint)
        hint = (said and said.hint) or self._seen(found.stage, got, case, results, cases)
        return Finding(found.stage, sentence + texts.WITH_INPUT.format(words=in_line(case.words)), hint)

    def _seen(self, stage: str, got: Any, case: Case, results: list[Any], cases: list[Case]) -> str | None:
        """Return the hint that follows from what the check saw: a case that is right, small numbers, or shapes."""
        passed = (c for result, c in zip(results, cases, strict=True) if not self._compare(result, c.want))
        for right in passed:
            pairs = [pair for pair in zip(right.words, case.words, strict=True) if pair[0] != pair[1]]
            if pairs:
                one, other = (in_line([pair[place] for pair in pairs], 60) for place in (0, 1))
                if one != other:  # what differs may lie behind the cut
                    return texts.SOME_RIGHT.format(right=one, wrong=other)
        parts = case.want if type(case.want) in (tuple, list) else (case.want,)
        if stage == "shape" and any(isinstance(part, Tensor | np.ndarray) for part in parts):
            return texts.LOOK_AT_SHAPES.format(words=in_line(case.words))
        mine, wanted = result_words(got), result_words(case.want)
        words = ", ".join(case.whole)
        if 0 < len(words) <= 160 and mine and wanted and mine != wanted:
            return texts.FOLLOW.format(words=words, got=mine, want=wanted)
        return None

    def _compare(self, got: Any, want: Any, **more: Any) -> Finding | None:
        return compare(got, want, tolerance=self.tolerance, exact=self.exact_dtype, bare=True, **more)

    def _is_multiple(self, got: Any, want: Any) -> bool:
        """Whether one number is a simple multiple of the right one, or right: once is chance, always is a factor."""
        found = self._compare(got, want)
        return found is None or found != self._compare(got, want, factors=False)

    def _gradient(self, answer: Any, case: Case) -> Finding | None:
        where = [
            leaf for name, value in zip(case.names, case.inputs, strict=True) for leaf in leaf_names(value, f"`{name}`")
        ]
        for leaf, got, want in zip(where, input_slopes(answer, case.inputs), case.slopes, strict=True):
            found = slope_finding(got, want, leaf, self.tolerance)
            if found:
                return found
        return None


def known_mistake(
    mistakes: tuple[Mistake, ...], results: list, wrong: list[list], wants: list, differ: Callable
) -> Mistake | None:
    """Return the mistake that gives the learner's result in every case, or None.

    Where a mistake happens to be right it proves nothing, so it must differ from the right one somewhere.
    """
    for index, mistake in enumerate(mistakes):
        outputs = [row[index] for row in wrong]
        if any(output is _FAILED for output in outputs):
            continue
        same = all(not differ(got, output) for got, output in zip(results, outputs, strict=True))
        if same and any(differ(output, want) for output, want in zip(outputs, wants, strict=True)):
            return mistake
    return None


def input_slopes(function: Callable[..., Any], inputs: tuple[Any, ...]) -> list[Tensor | None]:
    """Return the gradient to each floating input, None where there is none."""
    leaves: list[Tensor] = []
    given = fresh(inputs, leaves=leaves)
    total = projection(function(*given))
    if total is None or not total.requires_grad:
        return [None] * len(leaves)
    return list(torch.autograd.grad(total, leaves, allow_unused=True))


def projection(output: Any) -> Tensor | None:
    """Return the sum of all floating outputs weighted by fixed random numbers, one number."""
    rng = torch.Generator().manual_seed(1)
    parts = [part.double().cpu() for part in tensors(output)]
    weighted = [(part * torch.randn(part.shape, generator=rng, dtype=torch.float64)).sum() for part in parts]
    return torch.stack(weighted).sum() if weighted else None


def slope_finding(got: Tensor | None, want: Tensor | None, where: str, tolerance: float) -> Finding | None:
    """Compare one gradient with the right one; an absent gradient equals a zero one."""
    reaches, wanted = (slope is not None and bool(slope.any()) for slope in (got, want))
    if got is None or not reaches:
        return Finding("gradient", texts.NO_GRADIENT.format(where=where)) if wanted else None
    found = compare(got, want if wanted else torch.zeros_like(got), "the gradient", 10 * tolerance)
    return Finding("gradient", texts.GRADIENT.format(where=where, sentence=found.sentence)) if found else None


def _attempt(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
    try:
        return function(*fresh(inputs))
    except Exception:  # a mistake may well fail on some inputs; then it proves nothing
        return _FAILED


def _touched(case: Case, after: tuple[Any, ...]) -> tuple[str, str] | None:
    """Return which input was changed, and how to leave it as it is."""
    for name, kept, given in zip(case.names, case.inputs, after, strict=True):
        if touched(kept, given):
            kinds = {Tensor: texts.TOUCHED_TENSOR, np.ndarray: texts.TOUCHED_ARRAY, list: texts.TOUCHED_LIST}
            how = texts.TOUCHED_MODULE if isinstance(kept, nn.Module) else kinds.get(type(kept), texts.TOUCHED_ELSE)
            return f" `{name}`", how
    return None
