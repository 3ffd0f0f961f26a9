"""Inside the sandbox: one exercise, from the learner's cells to the answers of its calls."""

from __future__ import annotations

import socket
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course.check.copies import fresh, touched
from course.check.engine import error_message, error_words, learner_line
from course.check.guards import is_out_of_memory
from course.check.library import LibraryCalled, forbidden, functions_of
from course.check.stubs import is_stub
from course.grading.child import run_cell
from course.grading.wire import receive, transmit

Kept = tuple[list[Tensor], list[Tensor]]


def serve(connection: socket.socket, task: dict[str, Any], module: types.ModuleType, end: float) -> None:
    """Execute the cells, send the answer's value, then answer calls until the grader hangs up."""
    answer = None

    def load() -> Any:
        nonlocal answer
        for name, source in task["cells"]:
            run_cell(name, source, vars(module))
        answer = eval(task["answer"], vars(module))
        return {"stub": is_stub(answer), "callable": callable(answer), "value": answer}

    transmit(connection, _reply(load), end)
    names = tuple(name for name in task["forbids"] if _exists(name))
    kept: list[Kept] = []
    while True:
        request = receive(connection, end)
        if request["do"] == "call":
            reply = _call(answer, request["inputs"], names, kept)
        else:
            outputs, leaves = kept[request["call"]]
            reply = _slopes(outputs, leaves, request["slopes"])
        transmit(connection, reply, end)


def floating(value: Any) -> list[Tensor]:
    """Return the tensors inside tuples, lists and dictionaries that require a gradient, in order."""
    if isinstance(value, Tensor):
        return [value] if value.requires_grad else []
    parts = value.values() if type(value) is dict else value if type(value) in (tuple, list) else ()
    return [tensor for part in parts for tensor in floating(part)]


def _call(answer: Any, inputs: tuple[Any, ...], names: tuple[str, ...], kept: list[Kept]) -> dict[str, Any]:
    leaves, before = floating(inputs), fresh(inputs)

    def run() -> Any:
        output = answer(*inputs)
        kept.append((floating(output), leaves))
        changed = tuple(_plain(item) for item in inputs) if touched(before, inputs) else None
        return {"output": output, "call": len(kept) - 1, "changed": changed}

    with forbidden(names) as called:
        reply = _reply(run)
    return {"raised": "library", "words": called[0], "line": ""} if called else reply


def _plain(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


def _slopes(outputs: list[Tensor], leaves: list[Tensor], slopes: list[Tensor]) -> dict[str, Any]:
    def run() -> Any:
        return {"slopes": list(torch.autograd.grad(outputs, leaves, slopes, allow_unused=True))}

    return _reply(run)


def _reply(action: Callable[[], Any]) -> dict[str, Any]:
    try:
        return action()
    except BaseException as error:
        kind = "error"
        if isinstance(error, SystemExit):
            kind = "exit"
        elif isinstance(error, LibraryCalled):
            return {"raised": "library", "words": error_message(error), "line": ""}
        elif is_out_of_memory(error):
            kind = "memory"
        return {"raised": kind, "words": error_words(error)[:200], "line": learner_line(error.__traceback__)}


def _exists(name: str) -> bool:
    try:
        return bool(functions_of(name))
    except (ValueError, ImportError):  # the reference answers are hidden here
        return False
