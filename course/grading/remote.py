"""The grader's side: a learner's function that runs in the sandbox, and the verdict about it."""

from __future__ import annotations

import socket
import time
from typing import Any

from torch import Tensor

from course.check.engine import failed
from course.check.verdict import Finding
from course.grading.answers import floating
from course.grading.gradients import Joined, replace, write_back
from course.grading.wire import WireError, receive, transmit

START_SECONDS = 120.0  # until the libraries are imported on a busy machine
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
        start: seconds to wait until the sandbox comes to this exercise.
    """

    def __init__(self, connection: socket.socket, seconds: float, start: float = START_SECONDS) -> None:
        self._connection, self._seconds = connection, seconds
        try:
            begun = receive(connection, time.monotonic() + start)
        except WireError as error:
            raise NotStarted(NO_START.format(reason=error)) from error
        self._end = time.monotonic() + seconds
        self._begun = begun == "started"
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
        reply = self._reply()
        if "text" in reply:
            self.told, reply = reply, self._reply()
        self.first = {"stub": False, "callable": False, "value": None, **reply}

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
            words, line = str(reply.get("words"))[:200], str(reply.get("line"))[:100]  # the sandbox may send anything
            raise Raised(_raised(str(reply["raised"]), words, line))
        return reply


def _raised(kind: str, words: str, line: str) -> Finding:
    if kind == "missing":
        return Finding(kind, "no cell of the notebook gives this answer", outcome="error")
    finding = failed(kind, words, line)
    return Finding(kind, finding.sentence, outcome="error") if kind == "away" else finding
