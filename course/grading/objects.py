"""Modules, optimizers and functions between the grader and the sandbox: state crosses as data, code is called back.

Each side numbers what it has sent. A module arrives with its class name, tensors, flags and children; where its class
is PyTorch's or the library's, the sandbox makes a real one of it. Any other module, any function, and on the grader's
side every module, is a stand-in: calling it asks the side it came from. So no code crosses, and what the grader keeps
behind a function never enters the sandbox.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course.grading.wire import Frame, Unsendable
from vpcore.backbone import Spec

MODULES = 2000  # of one frame
_OWN = set(vars(nn.Module()))
_REAL = ("torch.nn.", "vpcore.")
_THERE = "_number_there"
_PLAIN = (type(None), bool, int, float, str)


@dataclass(frozen=True)
class Ref:
    """A module or the number of a function that the other side knows, without any state."""

    what: Any


@dataclass(frozen=True)
class State:
    """Tensors (with flags and gradients) and modes of a module, by name: to be sent, or as they arrived."""

    module: nn.Module | None
    tensors: tuple[tuple[str, Tensor], ...] = ()
    modes: tuple[tuple[str, bool], ...] = ()


class Objects:
    """What one side knows of the objects of both.

    Args:
        ask: calls an object of the other side: `ask.call(number, *inputs)` and `ask.forward(module, *inputs)`.
        trusting: build real classes of what arrives, as the sandbox does; the grader builds only stand-ins.
    """

    def __init__(self, ask: Any, trusting: bool) -> None:
        self._ask, self._trusting = ask, trusting
        self._mine: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._theirs: dict[int, Any] = {}
        self._known: dict[int, int] = {}

    def pack(self, value: Any, tree: Callable[[Any], Any], frame: Frame) -> dict[str, Any] | None:
        """Return an object as a part of a message, or None if it is of no kind that crosses."""
        if isinstance(value, Ref):
            what = value.what
            there = what if type(what) is int else vars(what).get(_THERE, self._known.get(id(what)))
            return {"mine": self._numbers[id(what)]} if there is None else {"yours": there}
        if isinstance(value, State):
            assert value.module is not None
            return {
                "state": [_tensors(value.module, frame), [[n, m.training] for n, m in value.module.named_modules()]]
            }
        if isinstance(value, nn.Module):
            known = self._known.get(id(value))
            return {"module": self._module(value, tree, frame)} if known is None else {"yours": known}
        if self._trusting:
            return None
        if isinstance(value, torch.optim.Optimizer):
            groups = [[[_tensor(t, frame) for t in group["params"]], [[k, tree(v)] for k, v in group.items()
                       if k != "params" and _is_plain(v)]] for group in value.param_groups]  # fmt: skip
            return {"optimizer": [type(value).__name__, groups]}
        if isinstance(value, Spec):
            return {"spec": [tree(part) for part in astuple(value)]}
        if callable(value) and not isinstance(value, type):
            return {"callable": self._export(value)}
        return None

    def unpack(self, kind: str, content: Any, value: Callable[[Any], Any], frame: Frame) -> Any:
        """Return the object that a part of a message stands for.

        Raises:
            ValueError: there is none.
        """
        if kind == "yours":
            return self._mine[_index(content)]
        if kind == "mine":
            return self._theirs[_index(content)]
        if kind == "module":
            return self._arrived(content, value, frame)
        if kind == "state":
            tensors, modes = content
            return State(None, tuple((str(n), _tensor_of(t, frame)) for n, t in tensors), tuple(map(_mode, modes)))
        if self._trusting and kind == "callable":
            return self._learn(content, functools.partial(self._ask.call, content))
        if self._trusting and kind == "spec":
            return Spec(*map(value, content))
        if self._trusting and kind == "optimizer":
            name, groups = content
            made = [
                {"params": [_tensor_of(t, frame) for t in ts], **{k: value(v) for k, v in more}} for ts, more in groups
            ]
            return getattr(torch.optim, name)(made)
        raise ValueError(f"unknown kind {kind[:20]!r}")

    def borrow(self, module: nn.Module) -> None:
        """Let calls of a module that was sent go to its copy on the other side."""
        vars(module)["forward"] = functools.partial(self._ask.forward, module)

    def _export(self, value: Any) -> int:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._mine)
            self._mine.append(value)
        return self._numbers[id(value)]

    def _learn(self, number: int, value: Any) -> Any:
        self._theirs[number], self._known[id(value)] = value, number
        return value

    def _module(self, module: nn.Module, tree: Callable[[Any], Any], frame: Frame) -> list[Any]:
        more = {name: value for name, value in vars(module).items() if name not in _OWN}
        options = {} if self._trusting else {name: value for name, value in more.items() if _is_plain(value)}
        loose = {name: value for name, value in more.items() if type(value) is Tensor and value.is_floating_point()}
        return [
            self._export(module), f"{type(module).__module__}.{type(module).__qualname__}", module.training,
            [[name, tree(value)] for name, value in options.items()],
            [[name, _tensor(value.detach(), frame)] for name, value in loose.items()],
            [[name, None if value is None else _tensor(value, frame)] for name, value in module._parameters.items()],
            [[name, None if value is None else _tensor(value, frame)] for name, value in module._buffers.items()],
            [[name, self._module(part, tree, frame)] for name, part in module._modules.items() if part is not None],
        ]  # fmt: skip

    def _arrived(self, content: list[Any], value: Callable[[Any], Any], frame: Frame) -> nn.Module:
        frame.count += 1
        if frame.count > MODULES:
            raise ValueError("too many modules")
        number, name, training, options, loose, parameters, buffers, children = content
        module = self._theirs.get(_index(number))
        if module is None:
            module = self._learn(number, self._made(str(name), number))
        module.training = bool(training)
        vars(module).update({str(key): value(option) for key, option in options if self._trusting})
        for key, tensor in loose:
            if not hasattr(module, str(key)):
                vars(module)[str(key)] = _tensor_of(tensor, frame)
        for home, tensors in ((module._parameters, parameters), (module._buffers, buffers)):
            for key, tensor in tensors:
                new, old = None if tensor is None else _tensor_of(tensor, frame), home.get(str(key))
                if old is None or new is None:
                    home[str(key)] = new
                else:
                    _put(old, new, self._trusting)
        for key, part in children:
            module._modules[str(key)] = self._arrived(part, value, frame)
        return module

    def _made(self, name: str, number: int) -> nn.Module:
        home, _, last = name.rpartition(".")
        found: Any = None
        if name.startswith(_REAL if self._trusting else _REAL[0]):
            found = getattr(importlib.import_module(home) if self._trusting else nn, last, None)
        real = isinstance(found, type) and issubclass(found, nn.Module)
        kind: Any = found if real else type(last if last.isidentifier() else "unknown", (nn.Module,), {})
        module = kind.__new__(kind)
        nn.Module.__init__(module)
        if not (real and self._trusting):
            vars(module)[_THERE] = number
            self.borrow(module)
        return module


def write_state(module: nn.Module, state: State, *, same_shapes: bool = False, in_place: bool = False) -> None:
    """Give a module the tensors, flags, gradients and modes that arrived; what did not arrive becomes empty.

    Args:
        module: to be changed.
        state: what arrived.
        same_shapes: refuse tensors of other shapes.
        in_place: write into the tensors' own memory, which others may share, as code in one process does.

    Raises:
        ValueError: same_shapes, and a tensor is missing or has another shape.
    """
    found = dict(state.tensors)
    for name, tensor in _named(module):
        new = found.get(name)
        if same_shapes and (new is None or new.shape != tensor.shape or new.dtype != tensor.dtype):
            raise ValueError(f"{name} must keep its shape")
        _put(tensor, torch.empty(0, dtype=tensor.dtype) if new is None else new, in_place)
    modules = dict(module.named_modules())
    for name, training in state.modes:
        if name in modules:
            modules[name].training = training


def learned(module: nn.Module) -> list[Tensor]:
    """Return the parameters that require a gradient, in order."""
    return [tensor for tensor in module.parameters() if tensor.requires_grad]


def _put(old: Tensor, new: Tensor, in_place: bool) -> None:
    old.grad = None
    same = old.dtype == new.dtype
    if in_place and same and old.shape == new.shape:
        old.data.copy_(new.detach())
    else:
        old.data = new.detach() if same else torch.empty(0, dtype=old.dtype)
    if old.is_leaf and old.is_floating_point():
        old.requires_grad_(new.requires_grad)
    if same:
        old.grad = new.grad


def _named(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]


def _tensors(module: nn.Module, frame: Frame) -> list[Any]:
    return [[name, _tensor(tensor, frame)] for name, tensor in _named(module)]


def _tensor(tensor: Tensor, frame: Frame) -> list[Any]:
    """Return [number] of a tensor that this frame holds already, else number, values, flags and gradient."""
    if id(tensor) in frame.seen:
        return [frame.seen[id(tensor)]]
    if tensor.layout is not torch.strided or tensor.device.type == "meta":
        raise Unsendable("only dense tensors cross")
    frame.seen[id(tensor)] = len(frame.seen)
    frame.kept.append(tensor)
    slope = tensor.grad if tensor.is_leaf else None
    parameter = isinstance(tensor, nn.Parameter)
    gradient = None if slope is None else frame.blob(slope)
    return [frame.seen[id(tensor)], frame.blob(tensor), bool(tensor.requires_grad), parameter, gradient]


def _tensor_of(content: list[Any], frame: Frame) -> Tensor:
    number, *more = content
    if not more:
        return frame.kept[_index(number)]
    blob, learns, parameter, gradient = more
    values = frame.blobs[blob]
    floating = values.is_floating_point()
    tensor = nn.Parameter(values, requires_grad=bool(learns) and floating) if parameter else values.detach()
    if learns and not parameter and floating:
        tensor.requires_grad_()
    if gradient is not None and frame.blobs[gradient].shape == tensor.shape:
        tensor.grad = frame.blobs[gradient]
    frame.kept.append(tensor)
    return tensor


def _index(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ValueError("no number of an object")
    return number


def _mode(pair: list[Any]) -> tuple[str, bool]:
    name, training = pair
    return str(name), bool(training)


def _is_plain(value: Any) -> bool:
    if type(value) in (tuple, list):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN or isinstance(value, Spec)
