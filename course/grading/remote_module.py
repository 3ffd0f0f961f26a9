"""The grader's side of a learner's nn.Module class: learned tensors live here, `forward` runs in the sandbox."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course.grading.remote import RemoteFunction


class RemoteClass:
    """Makes modules of the learner's class in the sandbox.

    Args:
        remote: the connection of this exercise.
    """

    def __init__(self, remote: RemoteFunction) -> None:
        self._remote = remote

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Return a module whose forward runs in the sandbox, or what the class makes when that is no module."""
        reply = self._remote.request({"do": "make", "inputs": inputs, "options": options})
        if "made" in reply:
            return reply["made"]
        return RemoteModule(self._remote, reply)


class RemoteModule(nn.Module):
    """Holds copies of the learned tensors and buffers under the learner's names, and sends them with each call.

    Args:
        remote: the connection of this exercise.
        made: what the sandbox told of the module.
    """

    def __init__(self, remote: RemoteFunction, made: dict[str, Any]) -> None:
        super().__init__()
        self._remote, self._number = remote, int(made["module"])
        for name, value in made["parameters"].items():
            frozen = not value.requires_grad
            home, last = self._home(name)
            home.register_parameter(last, nn.Parameter(value.detach(), requires_grad=not frozen))
        for name, value in made["buffers"].items():
            home, last = self._home(name)
            home.register_buffer(last, value.detach())
        for name, value in made["plain"].items():
            if not hasattr(self, name):
                vars(self)[name] = value.detach()

    def forward(self, *inputs: Any) -> Any:
        """Return what the learner's module returns; gradients reach the learned tensors here."""
        parameters = dict(self.named_parameters())
        learned: list[Tensor] = [tensor for tensor in parameters.values() if tensor.requires_grad]
        message = {
            "do": "forward",
            "module": self._number,
            "inputs": inputs,
            "parameters": {name: tensor.detach() for name, tensor in parameters.items()},
            "buffers": {name: buffer.detach() for name, buffer in self.named_buffers()},
            "training": self.training,
        }
        return self._remote.call(message, inputs, learned if torch.is_grad_enabled() else [])

    def _home(self, name: str) -> tuple[nn.Module, str]:
        *parts, last = name.split(".")
        home: nn.Module = self
        for part in parts:
            if part not in home._modules:
                home.add_module(part, nn.Module())
            found = home._modules[part]
            assert found is not None
            home = found
        return home, last
