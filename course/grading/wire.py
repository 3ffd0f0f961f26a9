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
from typing import Any

import numpy as np
import torch
from torch import Tensor

LIMIT = 64 * 2**20  # bytes of one frame
TEXT_LIMIT = 4 * 2**20  # bytes of its JSON, which is read before it is judged
HASHED_LIMIT = 1000  # entries of all sets and dictionaries of a frame: numbers can be chosen that all collide
_SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {"list": list, "tuple": tuple, "size": torch.Size, "set": set}
_NAMES = {list: "list", tuple: "tuple", torch.Size: "size", set: "set", frozenset: "set"}
_PLAIN = (type(None), bool, int, float, str)


class WireError(RuntimeError):
    """The other side sent something that is no message, or nothing more."""


class Died(WireError):
    """The other side is gone: its process ended."""


class Unsendable(TypeError):
    """A value of the grader's own cannot be sent to the sandbox."""


class Late(WireError):
    """The other side did not answer in time."""


def encode(value: Any, *, strict: bool = False) -> bytes:
    """Return a value as one frame.

    Args:
        value: numbers, texts, tensors, arrays, and tuples, lists, sets and dictionaries of them.
        strict: refuses any other object instead of sending the name of its type.

    Raises:
        Unsendable: strict, and the value holds another object.
    """
    from safetensors.torch import save

    blobs: dict[str, Tensor] = {}
    text = json.dumps(_tree(value, blobs, strict, 0)).encode()
    blob = save(blobs) if blobs else b""
    return struct.pack(">II", len(text), len(blob)) + text + blob


def decode(text: bytes, blob: bytes) -> Any:
    """Return the value of a frame's two parts.

    Raises:
        WireError: they are no message.
    """
    from safetensors.torch import load

    try:
        return _value(json.loads(text), load(blob) if blob else {}, [HASHED_LIMIT])
    except Exception as error:  # whatever a hostile message makes json, safetensors or torch raise
        raise WireError(f"the message cannot be read ({type(error).__name__})") from error


def receive(connection: socket.socket, deadline: float) -> Any:
    """Return the next message.

    Args:
        connection: where it arrives.
        deadline: `time.monotonic()` after which no more is waited for.

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
    return decode(*(_exactly(connection, size, deadline) for size in sizes))


def transmit(connection: socket.socket, value: Any, deadline: float, *, strict: bool = False) -> None:
    """Send a message.

    Raises:
        Late: the other side did not take it in time.
        Died: the other side is gone.
        Unsendable: see `encode`.
    """
    frame = encode(value, strict=strict)
    try:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        connection.sendall(frame)
    except TimeoutError as error:
        raise Late("no answer in time") from error
    except OSError as error:
        raise Died("the process ended") from error


def _exactly(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        try:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            part = connection.recv(min(size - len(data), 2**20))
        except TimeoutError as error:
            raise Late("no answer in time") from error
        except OSError as error:
            raise Died("the process ended") from error
        if not part:
            raise Died("the process ended")
        data += part
    return bytes(data)


def _tree(value: Any, blobs: dict[str, Tensor], strict: bool, depth: int) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if value is ...:
        return {"ellipsis": True}
    if depth > 20:
        return {"object": "deeply_nested"}
    if kind in _NAMES:
        return {_NAMES[kind]: [_tree(item, blobs, strict, depth + 1) for item in value]}
    if kind is dict:
        return {"dict": [[_tree(part, blobs, strict, depth + 1) for part in pair] for pair in value.items()]}
    return _numbers(value, blobs) or _other(value, strict)


def _numbers(value: Any, blobs: dict[str, Tensor]) -> dict[str, Any] | None:
    kind, name = type(value), str(len(blobs))
    if kind in (Tensor, torch.nn.Parameter) and value.layout is torch.strided and value.device.type != "meta":
        blobs[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name, "grad": bool(value.requires_grad)}
    if kind is torch.Generator:
        blobs[name] = value.get_state()
        return {"generator": name}
    if (kind is np.ndarray or isinstance(value, np.generic)) and value.dtype.kind in "fiub":
        blobs[name] = torch.from_numpy(np.array(value))
        return {"array" if kind is np.ndarray else "number": name}
    return None


def _other(value: Any, strict: bool) -> dict[str, str]:
    name = type.__dict__["__name__"].__get__(type(value))
    if strict:
        raise Unsendable(f"an input of type {name} cannot be sent to the sandbox; grade this exercise by hand")
    return {"object": name}


def _value(tree: Any, blobs: dict[str, Tensor], left: list[int]) -> Any:
    if type(tree) is str:
        return tree.encode("utf-8", "replace").decode("utf-8")  # halves of characters cannot be written down
    if type(tree) in _PLAIN:
        return tree
    ((kind, content),) = [pair for pair in tree.items() if pair[0] != "grad"]
    if kind in ("set", "dict"):
        left[0] -= len(content)
        if left[0] < 0:
            raise ValueError("too many entries")
    if kind in _SEQUENCES:
        return _SEQUENCES[kind]([_value(item, blobs, left) for item in content])
    if kind == "dict":
        return {_value(key, blobs, left): _value(item, blobs, left) for key, item in content}
    if kind == "tensor":
        return blobs[content].requires_grad_(bool(tree["grad"]))
    if kind == "generator":
        return torch.Generator().set_state(blobs[content])
    if kind in ("array", "number"):
        array = blobs[content].numpy()
        return array if kind == "array" else array[()]
    if kind == "ellipsis":
        return ...
    return type(content if str(content).isidentifier() else "unknown", (), {})()
