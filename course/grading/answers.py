"""Inside the sandbox: one exercise, from the learner's cells to the answers of its calls."""

from __future__ import annotations

import ast
import os
import socket
import types
from collections.abc import Callable
from typing import Any

from course.check.engine import failure
from course.check.library import forbidden, functions_of
from course.check.stubs import class_is_stub
from course.grading.cells import Notebook, Slice, run_slice
from course.grading.patience import AGAIN
from course.grading.peer import Peer


class TooLarge(OSError):
    """The grader takes smaller inputs only."""


class Session(Peer):
    """Answers the calls of one exercise.

    Args:
        connection: the socket of this exercise.
        end: `time.monotonic()` after which nothing is waited for.
        forbids: names of library functions that refuse meanwhile.
        is_away: says whether an error may come from the sandbox and not from the answer.
    """

    def __init__(
        self,
        connection: socket.socket,
        end: float,
        forbids: tuple[str, ...],
        is_away: Callable[[BaseException], bool],
    ) -> None:
        super().__init__(connection, end, grading=False)
        self._forbids, self._is_away = forbids, is_away
        self.answer: Any = None
        self._actions["answer"] = lambda request: self._run(self.answer, request["inputs"], [])
        self._actions["make"] = lambda request: {"made": self.answer(*request["inputs"], **request["options"])}
        self._actions["again"] = lambda request: os._exit(AGAIN)

    def serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run learner code; a failure is the reply."""
        if request["do"] == "slopes":
            return _reply(lambda: Peer.serve(self, request), self._is_away)
        with forbidden(self._forbids) as called:
            reply = _reply(lambda: Peer.serve(self, request), self._is_away)
        return {"raised": "library", "words": called[0], "line": ""} if called else reply

    def reply(self) -> dict[str, Any]:
        """Wait for what the grader's function gives; its error is raised here."""
        reply = super().reply()
        if "raised" in reply:
            raise (TooLarge if reply["raised"] == "large" else RuntimeError)(reply["words"])
        return reply


def serve(connection: socket.socket, task: dict[str, Any], module: types.ModuleType, end: float) -> None:
    """Run what the check needs, send the answer's value, then answer calls until the grader hangs up."""
    answer, notebook = None, Notebook(task["cells"], task["lesson"])
    space = vars(module)
    space["display"] = lambda *things, **options: None
    part: Slice | None = None

    def load() -> dict[str, Any]:
        nonlocal answer, part
        part = notebook.slice(task["id"], task["answer"], whole=task["whole"])
        place = task["place"]
        if part.own is None and place in notebook.broken:
            raise notebook.broken[place]
        if part.own is None and place is None and not isinstance(part.expression, ast.Constant):
            return {"raised": "missing", "words": "", "line": ""}
        text = notebook.sources[part.own] if part.own is not None else ""
        told = {"text": text[:5000], "copies": part.copies[:20], "more": part.more}
        wrong = run_slice(notebook, part, space, lambda said: session.send({**told, "wrong": said}))
        answer = eval(compile(ast.Expression(part.expression), "<check>", "eval"), space)
        stub = class_is_stub(answer, tuple(task["methods"]))
        return {"stub": stub, "callable": callable(answer), "value": answer, "wrong": wrong}

    def is_away(error: BaseException) -> bool:
        return _is_away(error, part, space)

    session = Session(connection, end, tuple(name for name in task["forbids"] if _exists(name)), is_away)
    session.send(_reply(load, is_away))
    session.answer = answer
    session.reply()


def _is_away(error: BaseException, part: Slice | None, space: dict[str, Any]) -> bool:
    """Say whether an error may come from the sandbox: a hidden file or module, or a name whose cell did not run."""
    if isinstance(error, NameError):
        return part is not None and error.name in part.known and error.name not in space
    return isinstance(error, ImportError | OSError)


def _reply(action: Callable[[], dict[str, Any]], is_away: Callable[[BaseException], bool]) -> dict[str, Any]:
    try:
        return action()
    except BaseException as error:
        kind, words, line = failure(error)
        kind = "away" if kind == "raised" and is_away(error) else kind
        return {"raised": kind, "words": words[:200], "line": line}


def _exists(name: str) -> bool:
    try:
        return bool(functions_of(name))
    except (ValueError, ImportError):  # the reference answers are hidden here
        return False
