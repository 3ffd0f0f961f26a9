"""What the mutants of an exercise are, and which rules they must keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from course.check.engine import judge
from course.check.exercise import Exercise
from course.check.functions import FunctionExercise
from course.check.library import functions_of
from course.check.modules import ModuleExercise
from course.check.quiz import QuizExercise, WrittenExercise
from course.check.verdict import Outcome, Verdict

RIGHT_FORM = {"values", "gradient", "inputs", "judged", "learned", "frozen"}
UNSET = object()


@dataclass(frozen=True)
class Source:
    """An answer as source text: run after the lesson's imports, then `name` is taken from it."""

    text: str
    name: str


@dataclass(frozen=True)
class Mutant:
    """One wrong answer.

    Attributes:
        words: what is wrong with it.
        answer: the answer itself (function, class, value), or its Source.
        outcome: what the check must say.
        says: words that must be in its sentence.
    """

    words: str
    answer: Any
    outcome: Outcome = "wrong"
    says: str = ""


@dataclass(frozen=True)
class Suite:
    """The mutants of one exercise with right answers that must pass.

    Attributes:
        mutants: at least four, three of them of the right type, dtype and shape, one that calls the library.
        alternatives: other right answers.
        solution: the right answer; by default the lesson's own solution region.
        stub: the answer not attempted; by default the lesson's cell without its solution region.
    """

    mutants: tuple[Mutant, ...]
    alternatives: tuple[Any, ...] = ()
    solution: Any = UNSET
    stub: Any = UNSET


@dataclass(frozen=True)
class Report:
    """What one exercise's mutants showed; `problems` is empty when every rule is kept."""

    id: str
    mutants: int
    right_form: int
    library: int
    alternatives: int
    mistakes: int
    problems: tuple[str, ...]


Load = Callable[[Any], Any]


def report(exercise: Exercise, suite: Suite, load: Load = lambda answer: answer) -> Report:
    """Run a suite against its exercise and return counts and problems."""
    verdicts = [judge(exercise, load(mutant.answer)) for mutant in suite.mutants]
    stages = [verdict.finding.stage if verdict.finding else "" for verdict in verdicts]
    library = stages.count("library")
    right_form = sum(stage in RIGHT_FORM for stage in stages)
    problems = [
        *_right_answers(exercise, suite, load),
        *_wrong_answers(suite, verdicts),
        *_mistakes(exercise),
        *_counts(exercise, suite, right_form, library),
    ]
    mistakes = len(getattr(exercise, "mistakes", ()))
    counts = (len(suite.mutants), right_form, library, len(suite.alternatives), mistakes)
    return Report(exercise.id, *counts, tuple(problems))


def own_problems(exercise: Exercise) -> list[str]:
    """Return what is wrong with an exercise whatever its mutants are: hints, forbidden names, reference, reasons."""
    problems = []
    if not isinstance(exercise, QuizExercise | WrittenExercise) and len(exercise.hints) < 3:
        problems.append(f"has {len(exercise.hints)} hints, and needs 3")
    for name in exercise.forbids:
        try:
            functions_of(name)
        except ValueError as error:
            problems.append(str(error))
    if isinstance(exercise, QuizExercise):
        wrong = len(exercise.choices) - len(exercise.right)
        if len(set(exercise.reasons.values())) != wrong:
            problems.append(f"needs {wrong} different reasons, has {len(set(exercise.reasons.values()))}")
    if exercise.reference is not None and not problems:
        verdict = judge(replace(exercise, forbids=()), exercise.reference)
        problems += [] if verdict.passed else [f"refuses its own reference: {verdict.sentence}"]
    return problems


def needs_suite(exercise: Exercise) -> bool:
    """Whether an exercise must have mutants; quizzes have reasons instead, written answers a rubric."""
    return not isinstance(exercise, QuizExercise | WrittenExercise)


def _right_answers(exercise: Exercise, suite: Suite, load: Load) -> list[str]:
    if suite.stub is UNSET or suite.solution is UNSET:
        return ["has no lesson source to take solution and stub from: write the lesson, or give both to the suite"]
    problems = []
    stub = judge(exercise, load(suite.stub))
    if stub.outcome != "unattempted":
        problems.append(f"takes the stub for an attempt: {stub!r}")
    for number, answer in enumerate((suite.solution, *suite.alternatives)):
        verdict = judge(exercise, load(answer))
        if not verdict.passed:
            problems.append(f"refuses {f'alternative {number}' if number else 'the solution'}: {verdict!r}")
    return problems


def _wrong_answers(suite: Suite, verdicts: list[Verdict]) -> list[str]:
    problems, said = [], {}
    for mutant, verdict in zip(suite.mutants, verdicts, strict=True):
        if verdict.outcome != mutant.outcome:
            problems.append(f"mutant {mutant.words!r} should be {mutant.outcome}: {verdict!r}")
        if mutant.says not in verdict.sentence:
            problems.append(f"mutant {mutant.words!r} should hear {mutant.says!r}: {verdict!r}")
        if verdict.sentence in said:
            problems.append(f"mutants {said[verdict.sentence]!r} and {mutant.words!r} hear the same: {verdict!r}")
        said[verdict.sentence] = mutant.words
    return problems


def _mistakes(exercise: Exercise) -> list[str]:
    problems = []
    for mistake in getattr(exercise, "mistakes", ()):
        verdict = judge(replace(exercise, forbids=()), mistake.wrong)
        if mistake.sentence not in verdict.sentence:
            problems.append(f"mistake {mistake.sentence!r} is never said; its own wrong answer hears: {verdict!r}")
    return problems


def _counts(exercise: Exercise, suite: Suite, right_form: int, library: int) -> list[str]:
    problems = []
    if len(suite.mutants) < 4:
        problems.append(f"has {len(suite.mutants)} mutants, and needs 4")
    if right_form < 3:
        problems.append(f"has {right_form} mutants of the right type, dtype and shape, and needs 3")
    if isinstance(exercise, FunctionExercise | ModuleExercise) and not library:
        problems.append("has no mutant that calls the library and hears so: name the entry point in forbids")
    return problems
