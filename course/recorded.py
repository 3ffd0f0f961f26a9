"""Recorded results: tables that `vpcore.grid` wrote, packed with the course so that lessons can plot them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vpcore.experiments.runs.packed import right
from vpcore.statistics import Interval, two_way_interval

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Recorded:
    """The runs of one results file.

    Attributes:
        name: of the file, without its ending.
        runs: one dictionary a run, as `vpcore.grid` writes them.
        commands: what made them.
        hardware: where; of the first machine if there were several.
        versions: with which packages.
    """

    name: str
    runs: list[dict[str, Any]]
    commands: list[str]
    hardware: dict[str, Any]
    versions: dict[str, str]
    machines: tuple[dict[str, Any], ...] = ()  # all of them; a run names its own by number

    def accuracies(self, data: str, prompt: str = "none", backbone: str = "simple_cnn", **settings: Any) -> np.ndarray:
        """Return test accuracies in percent, one per seed, in the order of the seeds; settings narrow the choice.

        Raises:
            ValueError: nothing was recorded for these, or more than one run a seed.
        """
        return np.array([100 * run["accuracy"] for run in self._chosen(data, prompt, backbone, settings)])

    def correct(self, data: str, prompt: str = "none", backbone: str = "simple_cnn", **settings: Any) -> np.ndarray:
        """Return which test images were classified right: (seeds, images), 0 or 1, in the order of the seeds."""
        return np.stack([right(run) for run in self._chosen(data, prompt, backbone, settings)])

    def pair(
        self, data: str, base: str, treated: str, backbone: str = "simple_cnn", *,
        of_base: dict[str, Any] | None = None, **settings: Any,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which test images two arms classified right, each (seeds, images), for the seeds that both have.

        Args:
            data: the set, as the record writes it; so `base` and `treated`, the prompts of the two arms.
            base: without the treatment.
            treated: with it.
            backbone: of both.
            of_base: settings of the base alone, where several were recorded, such as its rate.
            **settings: narrow the choice of both.

        Raises:
            ValueError: nothing was recorded for one of them, or the two were not tested on one set of images.
        """
        sides = [
            {run["cell"]["seed"]: run for run in self._chosen(data, prompt, backbone, settings | own)}
            for prompt, own in ((base, of_base or {}), (treated, {}))
        ]
        seeds = sorted(set.intersection(*map(set, sides)))
        if len({side[seed].get("data_md5") for side in sides for seed in seeds}) != 1:
            raise ValueError(f"{self.name}: {treated} and {base} were not tested on one set of images")
        before, after = (np.stack([right(side[seed]) for seed in seeds]) for side in sides)
        return before, after

    def gain(
        self, data: str, base: str, treated: str, backbone: str = "simple_cnn", **settings: Any
    ) -> Interval:
        """Return what `treated` gains over `base` in points, and its 95 % interval over seeds and test images.

        Raises:
            ValueError: as `pair`, or fewer than two seeds of both.
        """
        return two_way_interval(*self.pair(data, base, treated, backbone, **settings)).in_points()

    def reached(
        self, data: str, prompt: str = "none", backbone: str = "simple_cnn", **settings: Any
    ) -> Interval:
        """Return the mean accuracy in percent, and its 95 % interval over seeds and test images.

        Raises:
            ValueError: nothing was recorded for these, or one seed only.
        """
        hits = self.correct(data, prompt, backbone, **settings)
        return two_way_interval(np.zeros_like(hits), hits).in_points()

    def about(self, data: str) -> str:
        """Say in one sentence what stands behind the numbers of a data set."""
        runs = [run for run in self.runs if run["cell"]["data"] == data]
        machines = [self.machines[run.get("hardware", 0)] if self.machines else self.hardware for run in runs]
        used = " and ".join(dict.fromkeys(machine["gpu"] or machine["processor"] for machine in machines))
        return (
            f"recorded: {len(runs)} runs on {data}, {runs[0]['num_train']:,} training and {runs[0]['num_test']:,} "
            f"test images, {used}, torch {self.versions['torch']}"
        )

    def _chosen(self, data: str, prompt: str, backbone: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = {"data": data, "prompt": prompt, "backbone": backbone, **settings}
        runs = [run for run in self.runs if wanted.items() <= run["cell"].items()]
        if not runs:
            known = sorted({f"{r['cell']['data']} {r['cell']['backbone']} {r['cell']['prompt']}" for r in self.runs})
            raise ValueError(f"{self.name} holds no {data} {backbone} {prompt}: choose one of {'; '.join(known)}")
        runs = sorted(runs, key=lambda run: run["cell"]["seed"])
        for one, other in pairwise(runs):
            if one["cell"]["seed"] == other["cell"]["seed"]:
                differ = [key for key in one["cell"] | other["cell"] if one["cell"].get(key) != other["cell"].get(key)]
                several = f"{self.name} has several runs of {data} {backbone} {prompt} for one seed"
                raise ValueError(f"{several}: they differ in {', '.join(differ) or 'nothing'}, say which")
        return runs


def names(folder: Path = RESULTS) -> list[str]:
    """Return the names of the results files in a folder, in alphabetical order; ci.json is none."""
    return sorted(path.stem for path in folder.glob("*.json") if path.stem != "ci")


def recorded(name: str, folder: Path = RESULTS) -> Recorded:
    """Read a results file of the course.

    Raises:
        OSError: there is no such file.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        known = ", ".join(names(folder)) or "none"
        raise OSError(f"no recorded results {name!r}: choose one of {known}")
    table = json.loads(path.read_text(encoding="utf-8"))
    machines = table["hardware"] if isinstance(table["hardware"], list) else [table["hardware"]]
    return Recorded(name=name, **{**table, "hardware": machines[0]}, machines=tuple(machines))
