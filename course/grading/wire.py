"""Values as bytes between the grader and the sandbox: JSON for the structure, safetensors for numbers, never pickle.

A frame is two lengths (4 bytes each), a JSON text and a safetensors file. What arrives from the sandbox is data of
plain types; an object of any other type arrives as an empty object whose type has the same name.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

LIMIT = 64 * 2**20  # bytes of one frame
TEXT_LIMIT = 4 * 2**20  # bytes of its JSON, which is read before it is judged
HASHED_LIMIT = 1000  # entries of all sets and dictionaries of a frame: numbers can be chosen that all collide
_SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {"list": list, "tuple": tuple, "size": torch.Size, "set": set}
_NAMES = {list: "list", tuple: "tuple", torch.Size: "size", set: "set", frozenset: "set"}
_PLAIN = (type(None), bool, int, float, str)


class Ending(Protocol):
    """Says how many seconds are left; the answer may change."""

    def left(self) -> float:
        """Return the seconds that are left."""
        ...


Deadline = float | Ending


class WireError(RuntimeError):
    """The other side sent something that is no message, or nothing more."""


class Died(WireError):
    """The other side is gone: its process ended."""


class Unsendable(TypeError):
    """A value of the grader's own cannot be sent to the sandbox."""


class Late(WireError):
    """The other side did not answer in time."""


@dataclass
class Frame:
    """One message while it is written or read.

    Attributes:
        blobs: its tensors by name; tensors that share their numbers share a name.
        seen: the number of each tensor object that was written, by its id.
        kept: tensor objects that were written, or read.
        count: modules read so far.
        left: entries of sets and dictionaries that may still be read.
        places: the name of each tensor's numbers that were written, by where they lie.
    """

    blobs: dict[str, Tensor] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    kept: list[Tensor] = field(default_factory=list)
    count: int = 0
    left: int = HASHED_LIMIT
    places: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def add(self, values: Tensor) -> str:
        """Write a tensor and return its name."""
        name = str(len(self.blobs))
        self.blobs[name] = values
        return name

    def blob(self, tensor: Tensor) -> str:
        """Write a tensor's numbers once, however many objects share them, and return their name."""
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if not tensor.numel() or place not in self.places:
            self.places[place] = self.add(_copied(tensor))
            self.kept.append(tensor)  # while it lives, nothing else gets its place
        return self.places[place]


Pack = Callable[[Any, Callable[[Any], Any], Frame], dict[str, Any] | None]
Unpack = Callable[[str, Any, Callable[[Any], Any], Frame], Any]


def encode(value: Any, *, strict: bool = False, pack: Pack | None = None) -> bytes:
    """Return a value as one frame.

    Args:
        value: numbers, texts, tensors, arrays, and tuples, lists, sets and dictionaries of them.
        strict: refuses any other object instead of sending the name of its type.
        pack: writes objects of other kinds, or returns None.

    Raises:
        Unsendable: strict, and the value holds another object.
    """
    from safetensors.torch import save

    frame = Frame()
    text = json.dumps(_tree(value, frame, strict, pack, 0)).encode()
    blob = save(frame.blobs) if frame.blobs else b""
    return struct.pack(">II", len(text), len(blob)) + text + blob


def decode(text: bytes, blob: bytes, unpack: Unpack | None = None) -> Any:
    """Return the value of a frame's two parts; `unpack` reads what `pack` wrote.

    Raises:
        WireError: they are no message.
    """
    from safetensors.torch import load

    try:
        return _value(json.loads(text), Frame(load(blob) if blob else {}), unpack)
    except Exception as error:  # whatever a hostile message makes json, safetensors or torch raise
        raise WireError(f"the message cannot be read ({type(error).__name__})") from error


def receive(connection: socket.socket, deadline: Deadline, unpack: Unpack | None = None) -> Any:
    """Return the next message.

    Args:
        connection: where it arrives.
        deadline: `time.monotonic()` after which no more is waited for, or what says how long is left.
        unpack: see `decode`.

    Raises:
        Late: it did not arrive in time.
        Died: the other side is gone.
        WireError: the other side sent something that is no message.
    """
    sizes = struct.unpack(">II", _exactly(connection, 8, deadline))
    if sum(sizes) > LIMIT:
        raise WireError(f"the message is larger than {LIMIT // 2**20} MB")
    if sizes[0] > TEXT_LIMIT:
        raise WireError(f"the message holds more than {TEXT_LIMIT // 2**20} MB of text and lists")
    text, blob = (_exactly(connection, size, deadline) for size in sizes)
    return decode(text, blob, unpack)


def transmit(
    connection: socket.socket, value: Any, deadline: Deadline, *, strict: bool = False, pack: Pack | None = None
) -> None:
    """Send a message.

    Raises:
        Late: the other side did not take it in time.
        Died: the other side is gone.
        Unsendable: see `encode`.
    """
    frame = encode(value, strict=strict, pack=pack)
    try:
        connection.settimeout(max(0.001, _left(deadline)))
        connection.sendall(frame)
    except TimeoutError as error:
        raise Late("no answer in time") from error
    except OSError as error:
        raise Died("the process ended") from error


def _left(deadline: Deadline) -> float:
    return deadline - time.monotonic() if isinstance(deadline, int | float) else deadline.left()


def _exactly(connection: socket.socket, size: int, deadline: Deadline) -> bytes:
    data = bytearray()
    while len(data) < size:
        try:
            connection.settimeout(max(0.001, _left(deadline)))
            part = connection.recv(min(size - len(data), 2**20))
        except TimeoutError as error:
            if _left(deadline) > 0:
                continue
            raise Late("no answer in time") from error
        except OSError as error:
            raise Died("the process ended") from error
        if not part:
            raise Died("the process ended")
        data += part
    return bytes(data)


def _tree(value: Any, frame: Frame, strict: bool, pack: Pack | None, depth: int) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if value is ...:
        return {"ellipsis": True}
    if depth > 20:
        return {"object": "deeply_nested"}

    def tree(part: Any) -> Any:
        return _tree(part, frame, strict, pack, depth + 1)

    if kind in _NAMES:
        return {_NAMES[kind]: [tree(item) for item in value]}
    if kind is dict:
        return {"dict": [[tree(part) for part in pair] for pair in value.items()]}
    packed = _numbers(value, frame) or (pack(value, tree, frame) if pack else None)
    return packed or _other(value, strict)


def _numbers(value: Any, frame: Frame) -> dict[str, Any] | None:
    kind = type(value)
    if kind in (Tensor, torch.nn.Parameter) and value.layout is torch.strided and value.device.type != "meta":
        return {"tensor": frame.add(_copied(value)), "grad": bool(value.requires_grad)}
    if kind is torch.Generator:
        return {"generator": frame.add(value.get_state())}
    if (kind is np.ndarray or isinstance(value, np.generic)) and value.dtype.kind in "fiub":
        return {"array" if kind is np.ndarray else "number": frame.add(torch.from_numpy(np.array(value)))}
    return None


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous().clone()


def _other(value: Any, strict: bool) -> dict[str, str]:
    name = type.__dict__["__name__"].__get__(type(value))
    if strict:
        raise Unsendable(f"an input of type {name} cannot be sent to the sandbox; grade this exercise by hand")
    return {"object": name}


def _value(tree: Any, frame: Frame, unpack: Unpack | None) -> Any:
    if type(tree) is str:
        return tree.encode("utf-8", "replace").decode("utf-8")  # halves of characters cannot be written down
    if type(tree) in _PLAIN:
        return tree
    ((kind, content),) = [pair for pair in tree.items() if pair[0] != "grad"]
    if kind in ("set", "dict"):
        frame.left -= len(content)
        if frame.left < 0:
            raise ValueError("too many entries")

    def value(part: Any) -> Any:
        return _value(part, frame, unpack)

    if kind in _SEQUENCES:
        return _SEQUENCES[kind]([value(item) for item in content])
    if kind == "dict":
        return {value(key): value(item) for key, item in content}
    if kind == "tensor":
        return frame.blobs[content].requires_grad_(bool(tree["grad"]))
    if kind == "generator":
        return torch.Generator().set_state(frame.blobs[content])
    if kind in ("array", "number"):
        array = frame.blobs[content].numpy()
        return array if kind == "array" else array[()]
    if kind == "ellipsis":
        return ...
    if kind != "object" and unpack:
        return unpack(kind, content, value, frame)
    return type(content if str(content).isidentifier() else "unknown", (), {})()
