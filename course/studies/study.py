"""What the experiments of all lessons share: rate search on validation, resumable runs, one JSON line each."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vpcore.data.splits import Splits
from vpcore.experiments.runs.lr_search import choose_rate
from vpcore.experiments.runs.machine import hardware, versions
from vpcore.experiments.runs.packed import pack_right
from vpcore.experiments.runs.runlog import append_run, read_runs, repair
from vpcore.experiments.runs.trials import Trials
from vpcore.train.records import Evaluation


@dataclass(frozen=True)
class Case:
    """One run of a study.

    Attributes:
        data: name of the data set.
        backbone: name of the frozen network.
        prompt: name of the arm, one condition of the study (a method with its settings), as lessons ask for it:
            `recorded(name).accuracies(data, prompt, backbone)`.
        seed: of prompt, head and batches; runs of one seed form pairs.
        settings: everything else that decides the result, as plain values.
    """

    data: str
    backbone: str
    prompt: str
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)

    def cell(self) -> dict[str, Any]:
        """Return all fields in one flat dictionary."""
        flat = asdict(self)
        return {**flat.pop("settings"), **flat}

    def key(self) -> str:
        """Return a short hash (16 hex digits) of all fields."""
        return hashlib.sha256(json.dumps(self.cell(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    """What one run gave: the test, read once, and plain numbers a lesson plots."""

    test: Evaluation
    extra: dict[str, Any] = field(default_factory=dict)


class Study:
    """The runs of one results file; what is in the file already is not run again.

    Args:
        out: JSON lines; a search for a rate is kept beside it, in `<out>.trials`.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        out.parent.mkdir(parents=True, exist_ok=True)
        repair(out)
        self._done = {run["key"] for run in read_runs(out)}
        self._trials = Trials(Path(f"{out}.trials"))

    def rate(self, case: Case, center: float, valid: Callable[[float], float], trials: int = 5) -> float:
        """Return the best rate for a case, as `vpcore.experiments.runs.lr_search.choose_rate` finds it on validation.

        Args:
            case: the arm, without its rate.
            center: published rate of the method.
            valid: trains at a rate and returns the best validation accuracy; it must not read the test set.
            trials: the same number for every arm of a study.
        """

        def score(rate: float) -> float:
            key = f"{case.key()} {rate:.6g}"
            return self._trials.accuracy(key, lambda: valid(rate), cell=case.cell(), rate=rate)

        return choose_rate(score, center, trials)[0]

    def run(self, case: Case, data: Splits, work: Callable[[], Outcome]) -> None:
        """Run a case, unless its result is in the file, and append the result.

        Args:
            case: names the result.
            data: the splits the work trains on; their sizes and checksum are written down.
            work: trains, reads the test set once, and returns what it found.
        """
        if case.key() in self._done:
            return
        began = time.perf_counter()
        outcome = work()
        append_run(self.out, {
            "key": case.key(), "cell": case.cell(), "accuracy": outcome.test.accuracy, "extra": outcome.extra,
            "num_train": len(data.train), "num_test": len(data.test), "data_md5": data.source_md5,
            "right": pack_right(outcome.test), "seconds": round(time.perf_counter() - began, 3),
            "command": command(), "hardware": hardware("cpu"), "versions": versions(),
        })  # fmt: skip
        self._done.add(case.key())
        print(f"{case.data} {case.backbone} {case.prompt} seed {case.seed}: {outcome.test.accuracy:.4f}", flush=True)


def command() -> str:
    """Return the command that runs this study, as a user would type it."""
    spec = sys.modules["__main__"].__spec__
    return f"python -m {spec.name if spec else 'course.studies'} {' '.join(sys.argv[1:])}".rstrip()


def seeds_of(count: int) -> Iterable[int]:
    """Return the seeds of a study: 0 … count − 1.

    Raises:
        ValueError: fewer than 5, which no comparison of this course does.
    """
    if count < 5:
        raise ValueError(f"a study needs 5 seeds or more, got {count}")
    return range(count)
