"""Results files of both forms: JSON lines as a grid writes them, and the packed tables of the course."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vpcore.experiments.runs.runlog import read_runs
from vpcore.train.records import Evaluation

Run = dict[str, Any]


def read_results(path: str | Path) -> list[Run]:
    """Return the runs of a results file, each with its hardware and versions.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is damaged.
    """
    table = _packed(Path(path))
    if table is None:
        return read_runs(path)
    try:
        machines = table["hardware"] if isinstance(table["hardware"], list) else [table["hardware"]]
        shared = {"versions": table["versions"], "command": "; ".join(table["commands"])}
        return [{**run, **shared, "hardware": machines[run.get("hardware", 0)]} for run in table["runs"]]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__} {error}): take it from where it came") from error


def _packed(path: Path) -> dict[str, Any] | None:
    try:
        table = json.loads(path.read_bytes())
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror or error}; check the name") from error
    except (ValueError, RecursionError):
        return None
    return table if isinstance(table, dict) and isinstance(table.get("runs"), list) else None


def pack_right(test: Evaluation) -> str:
    """Return one bit a test image, 1 if it was classified right, in base64."""
    return base64.b64encode(np.packbits((test.predictions == test.labels).numpy()).tobytes()).decode()


def right(run: Mapping[str, Any]) -> np.ndarray:
    """Return for each test image 1 if the run classified it right, else 0.

    Raises:
        ValueError: the run's record of it is damaged.
    """
    try:
        bits = np.unpackbits(np.frombuffer(base64.b64decode(run["right"], validate=True), np.uint8))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the run {run['key']} is damaged (right): delete its line") from error
    if not 0 <= len(bits) - run["num_test"] < 8:
        raise ValueError(f"the run {run['key']} is damaged (right): delete its line")
    return bits[: run["num_test"]]
