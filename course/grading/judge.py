"""The verdict about an answer that runs in the sandbox."""

from __future__ import annotations

import socket
from typing import Any

from course.check import texts
from course.check.exercise import Exercise
from course.check.functions import FunctionExercise
from course.check.modules import ModuleExercise
from course.check.quiz import QuizExercise
from course.check.values import ValueExercise
from course.check.verdict import Finding, Verdict
from course.grading.remote import NotStarted, Raised, RemoteFunction
from course.grading.wire import Died, Late, Unsendable, WireError

KINDS = (FunctionExercise, ModuleExercise, ValueExercise, QuizExercise)
DIED = "your code ended its process: a crash in native code, os._exit, or too much memory"
BROKEN = "your code sent something that no check can read ({reason})"


def judge(exercise: Exercise, prepared: Any, connection: socket.socket, seconds: float) -> Verdict:
    """Return the verdict about the answer in the sandbox; the comparison happens in this process.

    Args:
        exercise: of one of KINDS.
        prepared: its right answers.
        connection: the socket of this exercise.
        seconds: the learner's code may take so long.

    Raises:
        NotStarted: the sandbox never came to this exercise.
        Unsendable: an input of the check is of a type that cannot be sent.
    """
    try:
        finding = _examine(exercise, prepared, RemoteFunction(connection, seconds))
    except (NotStarted, Unsendable):
        raise
    except Raised as error:
        finding = error.finding
    except Late:
        finding = Finding("time", texts.TIME.format(seconds=seconds), outcome="error")
    except WireError as error:
        said = DIED if isinstance(error, Died) else BROKEN.format(reason=error)
        finding = Finding("died", said, outcome="error")
    except Exception as error:  # a hostile answer may make any comparison fail; it earns nothing
        finding = Finding("internal", texts.INTERNAL.format(error=type(error).__name__), outcome="error")
    if finding is None:
        sentence = texts.PASSED.format(points=texts.plural(exercise.points, "point"))
        return Verdict(exercise.id, "passed", sentence, exercise.points)
    sentence = texts.WRONG.format(sentence=finding.sentence) if finding.outcome == "wrong" else finding.sentence
    return Verdict(exercise.id, finding.outcome, sentence, 0.0, finding)


def _examine(exercise: Exercise, prepared: Any, remote: RemoteFunction) -> Finding | None:
    if remote.first["stub"]:
        return Finding("stub", texts.UNATTEMPTED, outcome="unattempted")
    answer: Any = remote.first["value"]
    if remote.first["callable"] and isinstance(exercise, FunctionExercise | ModuleExercise):
        from course.grading.remote_module import RemoteClass

        answer = remote if isinstance(exercise, FunctionExercise) else RemoteClass(remote)
    if not exercise.attempted(answer):
        return Finding("stub", texts.UNATTEMPTED, outcome="unattempted")
    return exercise.examine(answer, prepared)
