"""Inside the sandbox: one exercise, from the learner's cells to the answers of its calls."""

from __future__ import annotations

import ast
import socket
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course.check.copies import fresh, touched
from course.check.engine import failure
from course.check.library import forbidden, functions_of
from course.check.stubs import class_is_stub
from course.grading.cells import Notebook, Slice, run_slice
from course.grading.wire import receive, transmit

Kept = tuple[list[Tensor], list[Tensor]]


class Session:
    """Answers the calls of one exercise.

    Args:
        answer: the learner's function or class.
        forbids: names of library functions that refuse meanwhile.
        is_away: says whether an error may come from the sandbox and not from the answer.
    """

    def __init__(self, answer: Any, forbids: tuple[str, ...], is_away: Callable[[BaseException], bool]) -> None:
        self._answer, self._forbids, self._is_away = answer, forbids, is_away
        self._kept: list[Kept] = []
        self._made: list[nn.Module] = []

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call the learner's function."""
        return self._run(self._answer, request["inputs"], [])

    def make(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make an object of the learner's class; tell its tensors when it is a module."""
        return self._guarded(lambda: self._told(self._answer(*request["inputs"], **request["options"])))

    def forward(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call a module that was made, with the tensors of the request."""
        module = self._made[request["module"]]
        return self._run(module, request["inputs"], _restore(module, request))

    def slopes(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the gradients of an earlier call."""
        outputs, leaves = self._kept[request["call"]]
        slopes = request["slopes"]

        def run() -> dict[str, Any]:
            return {"slopes": list(torch.autograd.grad(outputs, leaves, slopes, allow_unused=True))}

        return _reply(run, self._is_away)

    def _run(self, function: Any, inputs: tuple[Any, ...], learned: list[Tensor]) -> dict[str, Any]:
        leaves, before = [*floating(inputs), *learned], fresh(inputs)

        def run() -> dict[str, Any]:
            output = function(*inputs)
            self._kept.append((floating(output), leaves))
            changed = tuple(_plain(item) for item in inputs) if touched(before, inputs) else None
            return {"output": output, "call": len(self._kept) - 1, "changed": changed}

        return self._guarded(run)

    def _told(self, module: Any) -> dict[str, Any]:
        if not isinstance(module, nn.Module):
            return {"made": module}
        self._made.append(module)
        tensors = {name: value for name, value in vars(module).items() if isinstance(value, Tensor)}
        plain = {name: value.detach() for name, value in tensors.items() if value.is_floating_point()}
        found = {"parameters": dict(module.named_parameters()), "buffers": dict(module.named_buffers()), "plain": plain}
        return {"module": len(self._made) - 1, **found}

    def _guarded(self, action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        with forbidden(self._forbids) as called:
            reply = _reply(action, self._is_away)
        return {"raised": "library", "words": called[0], "line": ""} if called else reply


def serve(connection: socket.socket, task: dict[str, Any], module: types.ModuleType, end: float) -> None:
    """Run what the check needs, send the answer's value, then answer calls until the grader hangs up."""
    answer, notebook = None, Notebook(task["cells"], task["lesson"])
    space = vars(module)
    space["display"] = lambda *things, **options: None
    part: Slice | None = None

    def load() -> dict[str, Any]:
        nonlocal answer, part
        part = notebook.slice(task["id"], task["answer"])
        place = task["place"]
        if part.own is None and place in notebook.broken:
            raise notebook.broken[place]
        if part.own is None and place is None and not isinstance(part.expression, ast.Constant):
            return {"raised": "missing", "words": "", "line": ""}
        text = notebook.sources[part.own] if part.own is not None else ""
        told = {"text": text[:5000], "copies": part.copies[:20]}
        wrong = run_slice(notebook, part, space, lambda said: transmit(connection, {**told, "wrong": said}, end))
        answer = eval(compile(ast.Expression(part.expression), "<check>", "eval"), space)
        stub = class_is_stub(answer, tuple(task["methods"]))
        return {"stub": stub, "callable": callable(answer), "value": answer, "wrong": wrong}

    def is_away(error: BaseException) -> bool:
        return _is_away(error, part, space)

    transmit(connection, _reply(load, is_away), end)
    session = Session(answer, tuple(name for name in task["forbids"] if _exists(name)), is_away)
    actions = {name: getattr(session, name) for name in ("call", "make", "forward", "slopes")}
    while True:
        request = receive(connection, end)
        transmit(connection, actions[request["do"]](request), end)


def floating(value: Any) -> list[Tensor]:
    """Return the tensors inside tuples, lists and dictionaries that require a gradient, in order."""
    if isinstance(value, Tensor):
        return [value] if value.requires_grad else []
    parts = value.values() if type(value) is dict else value if type(value) in (tuple, list) else ()
    return [tensor for part in parts for tensor in floating(part)]


def _restore(module: nn.Module, state: dict[str, Any]) -> list[Tensor]:
    module.train(state["training"])
    parameters = dict(module.named_parameters())
    for named, values in ((parameters, state["parameters"]), (dict(module.named_buffers()), state["buffers"])):
        for name, tensor in named.items():
            if name in values:
                tensor.data = values[name]
    return [tensor for tensor in parameters.values() if tensor.requires_grad]


def _plain(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


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
