"""Safetensors files: never a pickle, and never half written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import index
from pathlib import Path
from typing import Any

from torch import Tensor


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file aside and rename it, so that a broken write leaves the old file whole.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    from safetensors.torch import save

    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata)
    replace_file(path, data)


def as_json(value: Any) -> str:
    """Return a value as JSON for a file's metadata; numbers and arrays of numpy or torch, and ranges, become plain.

    What JSON has nothing for stands there as its repr.
    """
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    return index(value) if hasattr(value, "__index__") else repr(value)


def replace_file(path: str | Path, data: bytes) -> None:
    """Put `data` in a file in one move: readers see the old content or the new, also after a power cut.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    target = Path(path)
    aside = target.with_name(f"{target.name}.{os.getpid()}.part")  # of this process alone: another may write as well
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(target)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        why = error.strerror or error
        raise OSError(f"cannot write {target}: {why}; free space or choose another folder") from error


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and metadata of a safetensors file.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is truncated, or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"no file {path}: check the name, or save a model there first")
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror or error}; check the permissions") from error
    except (SafetensorError, AttributeError, RuntimeError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(f"{path} is damaged or no safetensors file ({why}): take a fresh copy") from error
