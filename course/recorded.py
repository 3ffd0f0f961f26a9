"""Recorded results: tables that `vpcore.grid` wrote, packed with the course so that lessons can plot them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vpcore.grid_report import check_runs, right
from vpcore.runlog import read_runs

RESULTS = Path(__file__).resolve().parent / "results"
KEPT = ("key", "cell", "accuracy", "extra", "num_train", "num_test", "right", "data_md5", "seconds")


@dataclass(frozen=True)
class Recorded:
    """The runs of one results file.

    Attributes:
        name: of the file, without its ending.
        runs: one dictionary a run, as `vpcore.grid` writes them.
        commands: what made them.
        hardware: where.
        versions: with which packages.
    """

    name: str
    runs: list[dict[str, Any]]
    commands: list[str]
    hardware: dict[str, Any]
    versions: dict[str, str]

    def accuracies(self, data: str, prompt: str = "none", backbone: str = "simple_cnn") -> np.ndarray:
        """Return test accuracies in percent, one per seed, in the order of the seeds.

        Raises:
            ValueError: nothing was recorded for these.
        """
        return np.array([100 * run["accuracy"] for run in self._chosen(data, prompt, backbone)])

    def correct(self, data: str, prompt: str = "none", backbone: str = "simple_cnn") -> np.ndarray:
        """Return which test images were classified right: (seeds, images), 0 or 1, in the order of the seeds."""
        return np.stack([right(run) for run in self._chosen(data, prompt, backbone)])

    def about(self, data: str) -> str:
        """Say in one sentence what stands behind the numbers of a data set."""
        runs = [run for run in self.runs if run["cell"]["data"] == data]
        used = self.hardware["gpu"] or self.hardware["processor"]
        return (
            f"recorded: {len(runs)} runs on {data}, {runs[0]['num_train']:,} training and {runs[0]['num_test']:,} "
            f"test images, {used}, torch {self.versions['torch']}"
        )

    def _chosen(self, data: str, prompt: str, backbone: str) -> list[dict[str, Any]]:
        wanted = {"data": data, "prompt": prompt, "backbone": backbone}
        runs = [run for run in self.runs if wanted.items() <= run["cell"].items()]
        if not runs:
            known = sorted({f"{r['cell']['data']} {r['cell']['backbone']} {r['cell']['prompt']}" for r in self.runs})
            raise ValueError(f"{self.name} holds no {data} {backbone} {prompt}: choose one of {'; '.join(known)}")
        return sorted(runs, key=lambda run: run["cell"]["seed"])


def recorded(name: str, folder: Path = RESULTS) -> Recorded:
    """Read a results file of the course.

    Raises:
        OSError: there is no such file.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.json"))) or "none"
        raise OSError(f"no recorded results {name!r}: choose one of {known}")
    return Recorded(name=name, **json.loads(path.read_text(encoding="utf-8")))


def pack(sources: Sequence[Path], name: str, folder: Path = RESULTS) -> Path:
    """Turn result lines of `vpcore.grid` into one results file of the course; returns its path.

    Raises:
        ValueError: a line is damaged, or the runs come from different hardware or versions.
    """
    from course.notebook_file import write_text

    runs = [run for source in sources for run in check_runs(read_runs(source), str(source))]
    for field in ("hardware", "versions"):
        kinds = {json.dumps(run[field], sort_keys=True) for run in runs}
        if len(kinds) != 1:
            raise ValueError(f"all runs of one file need the same {field}, got {len(kinds)}: pack them apart")
    table = {
        "commands": sorted({run["command"].split(" --out")[0] for run in runs}),
        "hardware": runs[0]["hardware"],
        "versions": runs[0]["versions"],
    }
    lines = [json.dumps({key: run[key] for key in KEPT if key in run}) for run in runs]
    head = json.dumps(table, indent=1)[:-2]
    path = folder / f"{name}.json"
    write_text(path, f'{head},\n "runs": [\n' + ",\n".join(lines) + "\n]}\n")
    return path
