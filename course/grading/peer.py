"""Both ends of the socket between grader and sandbox: each can call what the other has sent, also while it waits."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course.check.copies import fresh, touched
from course.check.guards import global_streams
from course.grading.gradients import Joined, floating, replace, write_back
from course.grading.objects import Objects, Ref, State, learned, write_state
from course.grading.wire import Deadline, WireError, receive, transmit


class Peer:
    """One end of the connection.

    A message is a request, with "do", or the reply to the last request. While an end waits for a reply it serves the
    requests of the other one, so calls may be nested. Gradients pass through every call.

    Args:
        connection: the socket.
        end: `time.monotonic()` after which nothing is waited for, or what says how long is left.
        grading: this end is the grader's: it believes nothing, and sends only what the other end can make use of.
    """

    def __init__(self, connection: socket.socket, end: Deadline, *, grading: bool) -> None:
        self._connection, self._end, self._grading = connection, end, grading
        self.objects = Objects(self, trusting=not grading)
        self._kept: list[tuple[list[Tensor], list[Tensor]]] = []
        self._actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "call": lambda request: self._run(request["what"], request["inputs"], []),
            "forward": self._forward,
            "slopes": self._slopes,
        }

    def __deepcopy__(self, memo: Any) -> Peer:
        """Return this end itself: a copied stand-in asks the same one."""
        return self

    def call(self, what: int, *inputs: Any) -> Any:
        """Call a function of the other side."""
        return self._called({"do": "call", "what": Ref(what), "inputs": inputs}, inputs, [])

    def forward(self, module: nn.Module, *inputs: Any) -> Any:
        """Run a module of the other side with the state that it has here."""
        message = {"do": "forward", "module": Ref(module), "state": State(module), "inputs": inputs}
        return self._called(message, inputs, learned(module) if torch.is_grad_enabled() else [], module)

    def slopes(self, call: int, slopes: list[Tensor]) -> list[Tensor | None]:
        """Return the gradients to the inputs of an earlier call."""
        return self.request({"do": "slopes", "call": call, "slopes": slopes})["slopes"]

    def request(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the reply."""
        self.send(message)
        return self.reply()

    def send(self, message: Any) -> None:
        """Send a message."""
        transmit(self._connection, message, self._end, strict=self._grading, pack=self.objects.pack)

    def reply(self) -> dict[str, Any]:
        """Wait for a reply, and serve the requests that come before it.

        Raises:
            WireError: there is none, or not in time.
        """
        while True:
            message = receive(self._connection, self._end, self.objects.unpack)
            if type(message) is not dict:
                raise WireError("no answer")
            if "do" not in message:
                return message
            self.send(self.serve(message))

    def serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks, and return the reply."""
        return self._actions[request["do"]](request)

    def _called(
        self, message: dict[str, Any], inputs: tuple[Any, ...], more: list[Tensor], module: nn.Module | None = None
    ) -> Any:
        reply = self.request(message)
        for given, after in zip(inputs, reply["changed"] or (), strict=False):
            write_back(given, after, in_place=not self._grading)
            if self._grading and isinstance(given, nn.Module):
                self.objects.borrow(given)
        if module is not None and isinstance(reply["state"], State):
            _write_buffers(module, reply["state"])
        output, leaves = reply["output"], [*floating(inputs), *more]
        tensors = floating(output)
        if not (leaves and tensors):
            return replace(output, iter([tensor.detach() for tensor in tensors]))
        joined = Joined.apply(self, reply["call"], tensors, *leaves)
        return replace(output, iter(joined))

    def _run(self, function: Any, inputs: tuple[Any, ...], more: list[Tensor]) -> dict[str, Any]:
        leaves, before, streams = [*floating(inputs), *more], fresh(inputs), global_streams()
        output = function(*inputs)
        drew = streams != global_streams()
        self._kept.append((floating(output), leaves))
        changed = None
        if any(isinstance(item, nn.Module) for item in inputs) or touched(before, inputs):
            changed = tuple(_sendable(item) for item in inputs)
        return {"output": output, "call": len(self._kept) - 1, "changed": changed, "drew": drew}

    def _forward(self, request: dict[str, Any]) -> dict[str, Any]:
        module = request["module"]
        write_state(module, request["state"], same_shapes=self._grading, in_place=not self._grading)
        return {**self._run(module, request["inputs"], learned(module)), "state": State(module)}

    def _slopes(self, request: dict[str, Any]) -> dict[str, Any]:
        outputs, leaves = self._kept[request["call"]]
        return {"slopes": list(torch.autograd.grad(outputs, leaves, request["slopes"], allow_unused=True))}


def _write_buffers(module: nn.Module, state: State) -> None:
    """Take over what a call of a module changed in it: its buffers. Parameters change only where they are learned."""
    found = dict(state.tensors)
    for name, buffer in module.named_buffers():
        if name in found and found[name].shape == buffer.shape and found[name].dtype == buffer.dtype:
            buffer.data = found[name].detach()


def _sendable(value: Any) -> Any:
    if isinstance(value, nn.Module):
        return State(value)
    return value.detach() if isinstance(value, Tensor) else value
