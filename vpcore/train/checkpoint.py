"""What a model learned, and where a run stands, as files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vpcore.tensorfile import read_tensors, write_tensors
from vpcore.train.records import EpochRecord
from vpcore.train.runstate import RunState

RUN_FORMAT = "vpcore.run.1"


def write_run(
    path: str | Path | None, state: RunState, records: list[EpochRecord], settings: dict[str, Any] | None = None
) -> None:
    """Write a run's checkpoint: its state, the history so far, and the settings it must go on with.

    Raises:
        OSError: the folder cannot be written to, or the disk is full; an older checkpoint stays as it was.
    """
    if path is None:
        return
    scaler = json.dumps(state.scaler.state_dict())
    plain = {
        "records": json.dumps([asdict(record) for record in records]),
        "scaler": scaler,
        "settings": json.dumps(settings or {}),
    }
    write_tensors(path, state.tensors(), {"format": RUN_FORMAT, **plain})


def read_run(path: str | Path | None, state: RunState, settings: dict[str, Any] | None = None) -> list[EpochRecord]:
    """Restore a run from its checkpoint, if there is one, and return its history.

    Raises:
        OSError: the folder for the checkpoint does not exist, or the path is a folder.
        ValueError: the file is damaged, belongs to another model, or was written with other settings.
    """
    if path is None:
        return []
    if Path(path).is_dir() or not Path(path).parent.is_dir():
        raise OSError(f"cannot write a checkpoint to {path}: give a file name in a folder that exists")
    if not Path(path).is_file():
        return []
    tensors, metadata = read_tensors(path)
    fix = "choose another file, or delete it to start afresh"
    if metadata.get("format") != RUN_FORMAT:
        raise ValueError(f"{path} is no checkpoint of a run: {fix}")
    try:
        _compare(json.loads(metadata.get("settings", "{}")), settings or {})
        records = _read_records(metadata["records"])
        state.load(tensors)
        state.scaler.load_state_dict(json.loads(metadata["scaler"]))
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        why = str(error).splitlines()[0] if isinstance(error, ValueError) else f"it is damaged: {type(error).__name__}"
        raise ValueError(f"cannot go on from {path} ({why}): {fix}") from error
    return records


def _read_records(text: str) -> list[EpochRecord]:
    records = [EpochRecord(**record) for record in json.loads(text)]
    numbers = [value for record in records for value in asdict(record).values()]
    if [record.epoch for record in records] != list(range(len(records))):
        raise ValueError("its epochs are not 0, 1, …")
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("its history holds something else than numbers")
    return records


def _compare(saved: dict[str, Any], mine: dict[str, Any]) -> None:
    for key, value in mine.items():
        if key in saved and saved[key] != value:
            raise ValueError(f"it was written with {key}={saved[key]!r}, this run has {key}={value!r}")
