"""The verdict about an answer that runs in the sandbox."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from course.check import texts
from course.check.engine import conclude, too_late, with_input
from course.check.exercise import Exercise
from course.check.functions import FunctionExercise
from course.check.modules import ModuleExercise
from course.check.quiz import QuizExercise
from course.check.values import JudgeExercise, Specimen, ValueExercise
from course.check.verdict import Finding, Verdict
from course.check.words import type_words
from course.grading.patience import START_SECONDS
from course.grading.remote import NotStarted, Raised, RemoteFunction
from course.grading.wire import Died, Late, Unsendable, WireError

KINDS = (FunctionExercise, ModuleExercise, ValueExercise, QuizExercise, JudgeExercise)
ROUNDS = 4  # in which a learner's test meets each specimen, so that guessing pays in one of thousands
DIED = "your code ended its process: a crash in native code, os._exit, or too much memory"
BROKEN = "your code sent something that no check can read ({reason})"
AWAY = "in the sandbox, your code {sentence}"
ABOVE = "a cell that your answer needs fails in the sandbox ({wrong})"
SLOW = "the cells that your answer needs run longer than {seconds:g} s"


@dataclass(frozen=True)
class Judged:
    """What came of one answer.

    Attributes:
        verdict: about the answer.
        doubt: why the verdict may differ from the one in the notebook; empty when nothing speaks for that.
        text: the cell that gives the answer, as the sandbox tells it; may be empty.
        copies: numbers of the cells that give it, where there are several; the last one is judged.
    """

    verdict: Verdict
    doubt: str = ""
    text: str = ""
    copies: tuple[int, ...] = ()


def judge(
    exercise: Exercise,
    prepared: Any,
    connection: socket.socket,
    seconds: float,
    start: float = START_SECONDS,
    used: Callable[[], float] = lambda: float("inf"),
) -> Judged:
    """Judge the answer in the sandbox; the comparison happens in this process.

    Args:
        exercise: of one of KINDS.
        prepared: its right answers.
        connection: the socket of this exercise. An answer that is not right is looked at once more, in a fresh process,
            with all that the learner wrote and that may touch it; it passes if it is right then.
        seconds: the learner's code may take so long.
        start: seconds to wait until the sandbox comes to this exercise.
        used: processor time of the sandbox so far, if it is known.

    Raises:
        NotStarted: the sandbox never came to this exercise.
        Unsendable: an input of the check is of a type that cannot be sent.
    """
    remote = RemoteFunction(connection, seconds, start, used)
    judged = _judged(exercise, prepared, remote, seconds)
    finding = judged.verdict.finding
    if judged.verdict.passed or remote.first.get("stub") or (finding and finding.stage in ("time", "died")):
        return judged
    try:
        again = remote.again(seconds, start, used)
    except NotStarted as error:
        return replace(judged, doubt=judged.doubt or str(error))
    except WireError:
        return judged
    if again is None:
        return judged
    whole = _judged(exercise, prepared, again, seconds)
    return whole if whole.verdict.passed else replace(judged, doubt=judged.doubt or whole.doubt)


def _judged(exercise: Exercise, prepared: Any, remote: RemoteFunction, seconds: float) -> Judged:
    try:
        remote.load()
        finding = _examine(exercise, prepared, remote)
    except (NotStarted, Unsendable):
        raise
    except Raised as error:
        finding = with_input(error.finding, error)
    except Late:
        finding = too_late(seconds)
    except WireError as error:
        said = DIED if isinstance(error, Died) else BROKEN.format(reason=error)
        finding = Finding("died", said, outcome="error")
    except Exception as error:  # a hostile answer may make any comparison fail; it earns nothing
        finding = Finding("internal", texts.INTERNAL.format(error=type(error).__name__), outcome="error")
    text, copies = str(remote.told.get("text", "")), tuple(map(int, remote.told.get("copies", ())))
    return Judged(conclude(exercise, finding), _doubt(remote, finding, seconds), text, copies)


def _doubt(remote: RemoteFunction, finding: Finding | None, seconds: float) -> str:
    if finding is None or finding.stage in ("stub", "missing"):
        return ""
    if finding.stage == "internal":
        return finding.sentence
    if finding.stage == "away":
        return AWAY.format(sentence=finding.sentence.removeprefix("your code "))
    if finding.stage == "time" and not remote.told:
        return SLOW.format(seconds=seconds)
    wrong = str(remote.first.get("wrong") or remote.told.get("wrong") or "")
    return ABOVE.format(wrong=wrong[:200]) if wrong else ""


def _examine(exercise: Exercise, prepared: Any, remote: RemoteFunction) -> Finding | None:
    if remote.first["stub"]:
        return Finding("stub", texts.UNATTEMPTED, outcome="unattempted")
    answer: Any = remote.first["value"]
    if remote.first["callable"] and isinstance(exercise, FunctionExercise | JudgeExercise):
        answer = remote
    elif remote.first["callable"] and isinstance(exercise, ModuleExercise):
        answer = remote.make
    if not exercise.attempted(answer):
        return Finding("stub", texts.UNATTEMPTED, outcome="unattempted")
    return (
        _judge_cases(exercise, answer, prepared)
        if isinstance(exercise, JudgeExercise)
        else exercise.examine(answer, prepared)
    )


def _judge_cases(exercise: JudgeExercise, answer: Any, cases: list[Any]) -> Finding | None:
    """Judge case by case in a secret order, and report of the first case of the exercise that was not right.

    Learner code must not know from the order which specimen it meets; that of the exercise is public.
    """
    if not callable(answer):
        return Finding("type", texts.NOT_CALLABLE.format(got=type_words(answer)))
    order = [place for place, case in enumerate(cases) for _ in range(ROUNDS if isinstance(case, Specimen) else 1)]
    random.SystemRandom().shuffle(order)
    found: dict[int, Finding] = {}
    for place in order:
        try:
            finding = exercise.examine(answer, [cases[place]])
        except Raised as error:
            finding = with_input(error.finding, error)
        if finding:
            found.setdefault(place, finding)
    return found[min(found)] if found else None
