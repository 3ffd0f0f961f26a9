"""From an exercise and an answer to a verdict; nothing but a keyboard interrupt leaves this file."""

from __future__ import annotations

import linecache
import re
from dataclasses import replace
from types import TracebackType
from typing import Any

from course.check import texts
from course.check.exercise import Exercise
from course.check.guards import TimeUp, guarded, input_of
from course.check.library import LibraryCalled, forbidden, functions_of
from course.check.registry import UnknownExercise, find
from course.check.verdict import Finding, Verdict
from vpcore.device import is_out_of_memory

_OURS = ("course.", "vpcore.", "torch.", "numpy.")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_PATH = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[\w.@-]+[\\/])+[\w.@-]*")


def verdict(exercise_id: str, answer: Any, seconds: float | None = None) -> Verdict:
    """Judge an answer to the exercise of this id.

    Args:
        exercise_id: such as "02-average".
        answer: function, class, value, choice or text.
        seconds: a time limit, where the exercise's own is longer.
    """
    try:
        exercise = find(exercise_id)
    except UnknownExercise as error:
        return Verdict(str(exercise_id), "error", str(error))
    except Exception as error:
        sentence = texts.INTERNAL.format(error=error_words(error))
        return Verdict(str(exercise_id), "error", sentence, finding=Finding("internal", sentence, outcome="error"))
    return judge(exercise, answer, seconds)


def judge(exercise: Exercise, answer: Any, seconds: float | None = None) -> Verdict:
    """Judge an answer to an exercise: compute what is right first, then run the learner's code under guards."""
    printed: list[str] = []
    try:
        if not exercise.attempted(answer):
            return Verdict(exercise.id, "unattempted", texts.UNATTEMPTED)
        prepared = guarded(exercise.prepare, 60.0, [])
        for name in exercise.forbids:
            functions_of(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return conclude(exercise, _internal(error))
    limit = min(exercise.seconds, seconds or exercise.seconds)
    finding = _run(exercise, answer, prepared, limit, printed)
    return conclude(exercise, finding, "".join(printed))


def _run(exercise: Exercise, answer: Any, prepared: Any, seconds: float, printed: list[str]) -> Finding | None:
    called: list[str] = []
    try:
        with forbidden(exercise.forbids) as called:
            finding = guarded(lambda: exercise.examine(answer, prepared), seconds, printed)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        finding = too_late(seconds) if isinstance(error, TimeUp) else with_input(failed(*failure(error)), error)
    if called:  # whatever the learner's code made of the refusal
        return failed("library", called[0], "")
    return finding


def conclude(exercise: Exercise, finding: Finding | None, printed: str = "") -> Verdict:
    """Return the verdict that follows from what was seen; nothing seen earns the points."""
    if finding is None:
        sentence = texts.PASSED.format(points=texts.plural(exercise.points, "point"))
        return Verdict(exercise.id, "passed", sentence, exercise.points, None, printed)
    sentence = texts.WRONG.format(sentence=finding.sentence) if finding.outcome == "wrong" else finding.sentence
    return Verdict(exercise.id, finding.outcome, sentence, 0.0, finding, printed)


def failure(error: BaseException) -> tuple[str, str, str]:
    """Return how the learner's code failed: "library", "exit", "memory" or "raised", the error in words, the line."""
    if isinstance(error, LibraryCalled):
        return "library", error_message(error), ""
    kind = "exit" if isinstance(error, SystemExit) else "memory" if is_out_of_memory(error) else "raised"
    return kind, error_words(error), learner_line(error.__traceback__)


def failed(kind: str, words: str, line: str) -> Finding:
    """Return the finding for a failure as `failure` describes it."""
    if kind == "library":
        return Finding("library", texts.LIBRARY.format(name=words))
    if kind in ("exit", "memory"):
        return Finding(kind, texts.EXIT if kind == "exit" else texts.MEMORY, outcome="error")
    text = texts.RAISED_AT if line else texts.RAISED
    return Finding("raised", text.format(error=words, line=line), outcome="error")


def with_input(finding: Finding, error: BaseException) -> Finding:
    """Return the finding for an error, with the input that brought it up, where that is known."""
    words = input_of(error) if finding.stage == "raised" else ""
    return replace(finding, sentence=finding.sentence + texts.RAISED_WITH.format(words=words)) if words else finding


def too_late(seconds: float) -> Finding:
    """Return the finding for code that took longer than allowed."""
    return Finding("time", texts.TIME.format(seconds=seconds), outcome="error")


def _internal(error: BaseException) -> Finding:
    return Finding("internal", texts.INTERNAL.format(error=error_words(error)), outcome="error")


def error_words(error: BaseException) -> str:
    """Return "TypeError: message" of one line, without addresses and paths, whatever the exception does."""
    message = error_message(error)
    name = type.__dict__["__name__"].__get__(type(error))
    return f"{name}: {message}" if message else name


def error_message(error: BaseException) -> str:
    """Return the first line of an exception's message, at most 160 characters, without addresses and paths."""
    try:
        words = f"{error}".strip().splitlines()
    except Exception:  # its own __str__ failed
        return ""
    first = _PATH.sub("…", _ADDRESS.sub("0x…", words[0])) if words else ""
    return first if len(first) <= 160 else first[:159] + "…"


def learner_line(trace: TracebackType | None) -> str:
    """Return the source line of the deepest frame that belongs to the learner, or nothing."""
    line = ""
    while trace:
        frame = trace.tb_frame
        module = f"{frame.f_globals.get('__name__', '')}."
        if not module.startswith(_OURS):
            found = linecache.getline(frame.f_code.co_filename, trace.tb_lineno).strip()
            line = found or line
        trace = trace.tb_next
    return line if len(line) <= 100 else line[:99] + "…"
