"""Which test images a run classified right, one bit an image, as text in its line of results."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from vpcore.train.records import Evaluation


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
