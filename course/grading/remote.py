"""The grader's side: a learner's function that runs in the sandbox, and the verdict about it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from course.check.engine import error_words, failed
from course.check.guards import Watched
from course.check.verdict import Finding
from course.grading.objects import State
from course.grading.patience import START_SECONDS, Limit
from course.grading.peer import Peer
from course.grading.wire import WireError, receive

ASKED = 2000  # times that code in the sandbox may call what the grader keeps
NUMBERS = 2**15  # in all tensors of such a call
NO_START = "the sandbox did not start ({reason}); grade this exercise again"


class Raised(Exception):
    """The learner's code failed in the sandbox; the finding says how."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


class NotStarted(RuntimeError):
    """The sandbox never began with the exercise: a fault of the machine and not of the learner."""


class Asserted(Raised, AssertionError):
    """The learner's code failed by an assertion, which is how a test rejects."""


class RemoteFunction(Peer, Watched):
    """Calls the learner's function or class in the sandbox; gradients pass through.

    Args:
        connection: the socket of this exercise.
        seconds: all calls together may take so long.
        start: seconds to wait until the sandbox comes to this exercise.
        used: processor time of the sandbox so far, if it is known.
    """

    def __init__(
        self,
        connection: socket.socket,
        seconds: float,
        start: float = START_SECONDS,
        used: Callable[[], float] = lambda: float("inf"),
    ) -> None:
        try:
            begun = receive(connection, time.monotonic() + start)
        except WireError as error:
            raise NotStarted(NO_START.format(reason=error)) from error
        super().__init__(connection, Limit(seconds, used), grading=True)
        self._begun, self._asked = begun == "started", 0
        self.told: dict[str, Any] = {}
        self.first: dict[str, Any] = {}

    def load(self) -> None:
        """Wait until the learner's cells have run: first those that the answer needs (`told`), then its own (`first`).

        Raises:
            Raised: the learner's code failed.
            WireError: there is no answer, or not in time.
        """
        if not self._begun:
            raise WireError("no answer")
        reply = self.reply()
        if "text" in reply:
            self.told, reply = reply, self.reply()
        self.first = {"stub": False, "callable": False, "value": None, **reply}

    def again(self, seconds: float, start: float, used: Callable[[], float]) -> RemoteFunction | None:
        """Return the answer once more, with all that may touch it, from a fresh process; None if there is no more.

        Raises:
            NotStarted: there is no fresh process.
            WireError: this process is gone.
        """
        if self.told.get("more") is not True:
            return None
        self.send({"do": "again"})
        return RemoteFunction(self._connection, seconds, start, used)

    def __call__(self, *inputs: Any) -> Any:
        """Return what the learner's function returns, with its inputs changed as it changed them."""
        return self._called({"do": "answer", "inputs": inputs}, inputs, [])

    def make(self, *inputs: Any, **options: Any) -> Any:
        """Return what the learner's class makes: a module whose forward runs in the sandbox, or something else."""
        return self.request({"do": "make", "inputs": inputs, "options": options})["made"]

    def reply(self) -> dict[str, Any]:
        """Wait for a reply.

        Raises:
            Raised: the learner's code failed.
            WireError: there is no reply, or not in time.
        """
        reply = super().reply()
        self.drew = reply.get("drew") is True
        if "raised" in reply:
            words, line = str(reply.get("words"))[:200], str(reply.get("line"))[:100]  # the sandbox may send anything
            finding = _raised(str(reply["raised"]), words, line)
            raise (Asserted if words.startswith("AssertionError") else Raised)(finding)
        return reply

    def serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what code in the sandbox asks of a function or module that was sent to it; errors are the reply."""
        self._asked += 1
        if self._asked > ASKED or _numbers(list(request.values())) > NUMBERS:
            return {"raised": "large", "words": "too many or too large inputs for the grader's functions"}
        try:
            return super().serve(request)
        except WireError:
            raise
        except Exception as error:
            return {"raised": "raised", "words": error_words(error)}


def _numbers(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel()
    if isinstance(value, State):
        return sum(tensor.numel() for _, tensor in value.tensors)
    if type(value) in (tuple, list):
        return sum(map(_numbers, value))
    if type(value) is dict:
        return sum(map(_numbers, value.values()))
    return value.size if isinstance(value, np.ndarray) else 0


def _raised(kind: str, words: str, line: str) -> Finding:
    if kind == "missing":
        return Finding(kind, "no cell of the notebook gives this answer", outcome="error")
    finding = failed(kind, words, line)
    return Finding(kind, finding.sentence, outcome="error") if kind == "away" else finding
