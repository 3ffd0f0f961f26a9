"""The grader's side: a learner's function that runs in the sandbox, and the verdict about it."""

from __future__ import annotations

import socket
import time
from typing import Any

from torch import Tensor

from course.check import texts
from course.check.exercise import Exercise
from course.check.functions import FunctionExercise
from course.check.modules import ModuleExercise
from course.check.quiz import QuizExercise
from course.check.values import ValueExercise
from course.check.verdict import Finding, Verdict
from course.grading.answers import floating
from course.grading.gradients import Joined, replace, write_back
from course.grading.wire import Late, Unsendable, WireError, receive, transmit

START_SECONDS = 120.0  # until the libraries are imported on a busy machine
KINDS = (FunctionExercise, ModuleExercise, ValueExercise, QuizExercise)
DIED = "your code ended its process: a crash in native code, os._exit, or too much memory"
BROKEN = "your code sent something that no check can read ({reason})"
NO_START = "the sandbox did not start ({reason}); grade this exercise again"


class Raised(Exception):
    """The learner's code failed in the sandbox; the finding says how."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


class NotStarted(RuntimeError):
    """The sandbox never began with the exercise: a fault of the machine and not of the learner."""


class RemoteFunction:
    """Calls the learner's function in the sandbox; gradients pass through.

    Args:
        connection: the socket of this exercise.
        seconds: all calls together may take so long.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection, self._seconds = connection, seconds
        try:
            begun = receive(connection, time.monotonic() + START_SECONDS)
        except WireError as error:
            raise NotStarted(NO_START.format(reason=error)) from error
        self._end = time.monotonic() + seconds
        self.first = self._reply() if begun == "started" else {}

    def __call__(self, *inputs: Any) -> Any:
        """Return what the learner's function returns, with its inputs changed as it changed them."""
        return self.call({"do": "call", "inputs": inputs}, inputs, [])

    def call(self, message: dict[str, Any], inputs: tuple[Any, ...], learned: list[Tensor]) -> Any:
        """Return the output of a call; gradients reach its inputs and the learned tensors."""
        reply = self.request(message)
        for given, after in zip(inputs, reply["changed"] or (), strict=False):
            write_back(given, after)
        output, leaves = reply["output"], [*floating(inputs), *learned]
        tensors = floating(output)
        if not (leaves and tensors):
            return replace(output, iter([tensor.detach() for tensor in tensors]))
        joined = Joined.apply(self, reply["call"], tensors, *leaves)
        return replace(output, iter(joined))

    def slopes(self, call: int, slopes: list[Tensor]) -> list[Tensor | None]:
        """Return the gradients to the inputs of an earlier call."""
        return self.request({"do": "slopes", "call": call, "slopes": slopes})["slopes"]

    def request(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message and return the answer."""
        transmit(self._connection, message, self._end, strict=True)
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        reply = receive(self._connection, self._end)
        if type(reply) is not dict:
            raise WireError("no answer")
        if "raised" in reply:
            raise Raised(_raised(str(reply["raised"]), str(reply.get("words")), str(reply.get("line"))))
        return reply


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
        died = "ended" in str(error)
        finding = Finding("died", DIED if died else BROKEN.format(reason=error), outcome="error")
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


def _raised(kind: str, words: str, line: str) -> Finding:
    if kind == "library":
        return Finding("library", texts.LIBRARY.format(name=words[:100]))
    if kind in ("exit", "memory"):
        return Finding(kind, texts.EXIT if kind == "exit" else texts.MEMORY, outcome="error")
    text = texts.RAISED_AT if line else texts.RAISED
    return Finding("raised", text.format(error=words[:200], line=line[:100]), outcome="error")
