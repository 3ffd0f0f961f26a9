"""Trials of a search on validation, kept in a file so that none is run twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vpcore.experiments.runs.runlog import append_run, read_runs, repair


def trials_beside(results: str | Path) -> Path:
    """Return the file of the trials behind a results file."""
    return Path(f"{results}.trials")


class Trials:
    """Validation accuracies by key, in JSON lines.

    Args:
        file: is made if it is not there; what it holds when this object is made is not run again.

    Raises:
        OSError: the file cannot be written.
        ValueError: it is damaged.
    """

    def __init__(self, file: Path) -> None:
        repair(file)
        self.file = file
        self._kept = {run["key"]: run["valid_accuracy"] for run in read_runs(file)}

    def accuracy(self, key: str, work: Callable[[], float], **what: Any) -> float:
        """Return a trial's validation accuracy, nan if it diverged.

        Args:
            key: names the trial.
            work: runs it, and returns the accuracy; it must not read the test set.
            what: is written beside it.
        """
        if key not in self._kept:
            began = time.perf_counter()
            found = work()
            self._kept[key] = None if found != found else found  # JSON has no nan
            seconds = round(time.perf_counter() - began, 3)
            append_run(self.file, {"key": key, **what, "valid_accuracy": self._kept[key], "seconds": seconds})
        value = self._kept[key]
        return float("nan") if value is None else value
