"""Exercises whose answer is a torch.nn.Module class: its learned tensors are listed, made random, and copied to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from course.check import texts
from course.check.compare import compare
from course.check.copies import arguments, fresh, touched
from course.check.exercise import Cases, Exercise, Mistake
from course.check.functions import known_mistake, projection, slope_finding
from course.check.guards import on_input
from course.check.stubs import class_is_stub
from course.check.verdict import Finding
from course.check.words import argument_names, in_line, input_parts, type_words

_named_parameters, _named_buffers = nn.Module.named_parameters, nn.Module.named_buffers


@dataclass(frozen=True)
class PreparedModule:
    """The right outputs and gradients of a reference module whose learned tensors are random."""

    reference: nn.Module
    inputs: list[tuple[Any, ...]]
    words: list[str]
    wants: list[Any]
    slopes: list[list[Tensor | None]]
    wrong: list[list[Any]]
    layouts: list[list[tuple[int, ...]]]


@dataclass(frozen=True, kw_only=True)
class ModuleExercise(Exercise):
    """The learner writes an nn.Module; it gets the reference's learned tensors and must give its outputs.

    Learned tensors are copied by name when the names agree, else in the order of their shapes. They are
    random first, because a prompt that starts at zero hides most faults.

    Attributes:
        reference: the right class.
        construct: how a class becomes a module, for example `lambda cls: cls(width=3)`.
        cases: from a seeded generator to a list of inputs of forward.
        methods: the methods that the learner writes; while one is a placeholder the class is not attempted.
        mistakes: typical wrong classes with the sentence for each.
        copy_state: copies learned tensors from reference to answer where names and shapes may differ.
        also: one more judgment of the class, after all others: returns a sentence, or None when right.
    """

    cases: Cases
    construct: Callable[[Any], nn.Module] = field(default=lambda cls: cls())
    methods: tuple[str, ...] = ("__init__", "forward")
    mistakes: tuple[Mistake, ...] = ()
    exact_dtype: bool = False
    tolerance: float = 1e-4
    copy_state: Callable[[nn.Module, nn.Module], None] | None = None
    also: Callable[[Any], str | None] = field(default=lambda answer: None)

    def attempted(self, answer: Any) -> bool:
        """Whether every method that the learner writes has a body."""
        return not class_is_stub(answer, self.methods)

    def prepare(self) -> PreparedModule:
        """Randomize the reference and compute its outputs, gradients, and those of the typical mistakes."""
        rng = self.rng()
        inputs = [arguments(case) for case in self.cases(rng)]
        reference = self.construct(self.reference)
        randomize(reference, rng)
        wants = [_detached(reference(*fresh(given))) for given in inputs]
        slopes = [learned_slopes(reference, given) for given in inputs]
        modules = [self.construct(mistake.wrong) for mistake in self.mistakes]
        rows = [self._wrong(module, reference, inputs) for module in modules]
        wrong = [[row[index] for row in rows] for index in range(len(inputs))]
        names = argument_names(self.reference.forward)[1:]  # without self
        words = [in_line(input_parts(given, names)) for given in inputs]
        return PreparedModule(reference, inputs, words, wants, slopes, wrong, [layout(module) for module in modules])

    def examine(self, answer: Any, prepared: PreparedModule) -> Finding | None:
        """Compare learned tensors, then type, dtype, shape, values, gradient, inputs, in this order."""
        if not callable(answer) or isinstance(answer, nn.Module):
            return Finding("type", texts.NOT_CLASS.format(got=type_words(answer)))
        missing = _missing(answer, self.methods)
        if missing:
            return Finding("type", texts.NO_METHOD.format(method=missing))
        module = self.construct(answer)
        if nn.Module not in type(module).__mro__:
            return Finding("type", texts.NOT_MODULE.format(got=type_words(module)))
        found = self._learned(module, prepared) or self._forward(module, prepared)
        if not found:
            sentence = self.also(answer)
            found = Finding("judged", sentence) if sentence else None
        return found

    def _learned(self, module: nn.Module, prepared: PreparedModule) -> Finding | None:
        if self.copy_state:
            self.copy_state(prepared.reference, module)
            return None
        found = learned_finding(module, prepared.reference)
        if not found:
            copy_learned(prepared.reference, module)
            return None
        right = layout(prepared.reference)
        if found.stage == "frozen":
            return found
        for mistake, shapes in zip(self.mistakes, prepared.layouts, strict=True):
            if shapes == layout(module) != right:
                return Finding("learned", mistake.sentence, mistake.hint)
        return found

    def _forward(self, module: nn.Module, prepared: PreparedModule) -> Finding | None:
        given = [fresh(inputs) for inputs in prepared.inputs]
        results = []
        for words, inputs in zip(prepared.words, given, strict=True):
            with on_input(words):
                results.append(module(*inputs))
        for words, got, want in zip(prepared.words, results, prepared.wants, strict=True):
            found = self._compare(got, want)
            if found:
                said = known_mistake(self.mistakes, results, prepared.wrong, prepared.wants, self._compare)
                shown = texts.WITH_INPUT.format(words=words)
                return Finding(found.stage, (said or found).sentence + shown, said.hint if said else None)
        if any(touched(before, after) for before, after in zip(prepared.inputs, given, strict=True)):
            return Finding("inputs", texts.TOUCHED.format(where="", how=texts.TOUCHED_TENSOR))
        return self._reached(module, prepared) if self.copy_state else self._gradients(module, prepared)

    def _gradients(self, module: nn.Module, prepared: PreparedModule) -> Finding | None:
        names = list(learned(module))
        for inputs, wanted in zip(prepared.inputs, prepared.slopes, strict=True):
            order = copy_learned(prepared.reference, module)
            for name, got in zip(names, learned_slopes(module, inputs), strict=True):
                found = slope_finding(got, wanted[order[name]], f"`{name}`", self.tolerance)
                if found:
                    return found
        return None

    def _reached(self, module: nn.Module, prepared: PreparedModule) -> Finding | None:
        rows = [learned_slopes(module, inputs) for inputs in prepared.inputs]
        for name, slopes in zip(learned(module), zip(*rows, strict=True), strict=True):
            if not any(slope is not None and bool(slope.any()) for slope in slopes):
                return Finding("gradient", texts.NO_GRADIENT.format(where=f"`{name}`"))
        return None

    def _compare(self, got: Any, want: Any) -> Finding | None:
        return compare(got, want, "your module's output", self.tolerance, self.exact_dtype)

    def _wrong(self, module: nn.Module, reference: nn.Module, inputs: list[tuple[Any, ...]]) -> list[Any]:
        if self.copy_state is None and layout(module) != layout(reference):
            return [...] * len(inputs)  # equals no result
        (self.copy_state or copy_learned)(reference, module)
        try:
            return [_detached(module(*fresh(given))) for given in inputs]
        except Exception:  # a mistake may fail on these inputs; then it proves nothing
            return [...] * len(inputs)


def learned_slopes(module: nn.Module, inputs: tuple[Any, ...]) -> list[Tensor | None]:
    """Return the gradient to each learned tensor, in the order of `learned`."""
    total = projection(module(*fresh(inputs)))
    if total is None or not total.requires_grad:
        return [None] * len(learned(module))
    return list(torch.autograd.grad(total, list(learned(module).values()), allow_unused=True))


def _detached(output: Any) -> Any:
    if type(output) in (tuple, list):
        return type(output)(_detached(item) for item in output)
    return output.detach() if isinstance(output, Tensor) else output


def _missing(answer: Any, methods: tuple[str, ...]) -> str | None:
    if not isinstance(answer, type):
        return None
    empty = getattr(nn.Module, "forward", None)
    return next((name for name in methods if getattr(answer, name, empty) in (None, empty)), None)


def learned(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that require a gradient, by name."""
    return {name: tensor for name, tensor in _named_parameters(module) if tensor.requires_grad}


def layout(module: nn.Module) -> list[tuple[int, ...]]:
    """Return the sorted shapes of the learned tensors."""
    return sorted(tuple(tensor.shape) for tensor in learned(module).values())


def randomize(module: nn.Module, rng: torch.Generator) -> None:
    """Fill every learned tensor with draws from a standard normal distribution."""
    with torch.no_grad():
        for tensor in learned(module).values():
            tensor.copy_(torch.randn(tensor.shape, generator=rng))


def copy_learned(source: nn.Module, target: nn.Module) -> dict[str, int]:
    """Copy learned tensors and like-named buffers; return for each target name its place in the source."""
    have, get = learned(source), learned(target)
    places = _places(have, get)
    values = list(have.values())
    buffers = dict(_named_buffers(source))
    with torch.no_grad():
        for name, tensor in get.items():
            tensor.copy_(values[places[name]])
        for name, buffer in _named_buffers(target):
            if name in buffers and buffers[name].shape == buffer.shape:
                buffer.copy_(buffers[name])
    return places


def learned_finding(module: nn.Module, reference: nn.Module) -> Finding | None:
    """Say how the learned tensors differ from those of the reference in number or shape, or None."""
    have, want = layout(module), layout(reference)
    if have == want:
        return None
    if len(have) < len(want):
        own = vars(module).items()
        plain = [name for name, value in own if isinstance(value, Tensor) and value.is_floating_point()]
        frozen = [name for name, tensor in _named_parameters(module) if not tensor.requires_grad]
        if plain or frozen:
            text = texts.PLAIN_TENSOR if plain else texts.FROZEN
            return Finding("frozen", text.format(name=(plain or frozen)[0]))
        if not have:
            return Finding("learned", texts.NOTHING_LEARNED)
    counts = [sum(tensor.numel() for tensor in learned(each).values()) for each in (module, reference)]
    if counts[0] != counts[1]:
        got = texts.plural(counts[0], "number")
        return Finding("learned", texts.LEARNED_COUNT.format(got=got, want=counts[1]))
    got, wanted = (texts.join([str(shape) for shape in shapes]) for shapes in (have, want))
    return Finding("learned", texts.LEARNED_SHAPES.format(got=got, want=wanted))


def _places(have: dict[str, Tensor], get: dict[str, Tensor]) -> dict[str, int]:
    names = list(have)
    if set(have) == set(get) and all(have[name].shape == get[name].shape for name in have):
        return {name: names.index(name) for name in get}
    free = {index: have[name].shape for index, name in enumerate(names)}
    places = {}
    for name, tensor in get.items():
        places[name] = next(index for index, shape in free.items() if shape == tensor.shape)
        del free[places[name]]
    return places
