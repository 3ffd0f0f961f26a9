"""What this kernel knows of each exercise: last verdict, the answer that passed, hints given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from course.check import texts
from course.check.registry import find
from course.check.verdict import Note, Verdict

_PLAIN = (bool, int, float, str)


@dataclass
class Memory:
    """Everything remembered about one exercise."""

    last: Verdict | None = None
    passed: bool = False
    answer: Any = None
    hints: int = 0
    seen: set[str] = field(default_factory=set)


_MEMORY: dict[str, Memory] = {}


def remember(verdict: Verdict, answer: Any) -> None:
    """Note a verdict, and the answer it was about when it passed."""
    memory = _memory(verdict.id)
    memory.last = verdict
    memory.passed = verdict.passed
    memory.answer = answer if verdict.passed else None


def forget() -> None:
    """Forget everything, as a new kernel does."""
    _MEMORY.clear()


def hint(exercise_id: Any = None) -> Note:
    """Return the hint for what the last check saw, if there is one, else the next in order; never raises."""
    if not isinstance(exercise_id, str):
        return Note(texts.HINT_WHICH)
    try:
        hints = find(exercise_id).hints
    except Exception as error:
        return Note(f"{exercise_id}: {error}")
    memory = _memory(exercise_id)
    special = memory.last.finding.hint if memory.last and memory.last.finding else None
    if special and special not in memory.seen:
        memory.seen.add(special)
        return Note(texts.HINT_SEEN.format(id=exercise_id, text=special))
    if not hints:
        return Note(texts.HINT_NONE.format(id=exercise_id))
    memory.hints += 1
    if memory.hints > len(hints):
        return Note(texts.HINT_LAST.format(id=exercise_id, text=hints[-1]))
    number = memory.hints
    return Note(texts.HINT.format(number=number, count=len(hints), id=exercise_id, text=hints[number - 1]))


def use(exercise_id: str, mine: Any) -> Any:
    """Return the learner's object if its check has passed in this kernel, else the library's.

    An object that replaced the one which passed is not used before it is checked again.

    Raises:
        ValueError: there is no such exercise, or it has no reference.
    """
    memory = _memory(exercise_id)
    if memory.passed and _same(memory.answer, mine):
        return find(exercise_id).adapt(mine)
    memory.passed = False
    exercise = find(exercise_id)
    compute = getattr(exercise, "compute", None)
    if compute is None and exercise.reference is None:
        raise ValueError(f"use needs an exercise with a reference, {exercise_id} has none: give it one")
    return exercise.adapt(compute() if compute else exercise.reference)


def made_by(*exercise_ids: str) -> str:
    """Say whose code stands behind a figure or result: "your code", or the library's and why."""
    mine = [name for name in exercise_ids if _memory(name).passed]
    theirs = [name for name in exercise_ids if name not in mine]
    if not theirs:
        return texts.YOURS
    exercises = f"{'exercise' if len(theirs) == 1 else 'exercises'} {texts.join(theirs)}"
    rest = texts.LIBRARY_MADE.format(exercises=exercises)
    return texts.MIXED.format(ids=texts.join(mine), rest=rest) if mine else rest


def _memory(exercise_id: str) -> Memory:
    return _MEMORY.setdefault(exercise_id, Memory())


def _same(passed: Any, mine: Any) -> bool:
    return passed is mine or (type(passed) in _PLAIN and type(mine) is type(passed) and passed == mine)
