"""The rows of a grid's table: each method against the baseline of the same seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vpcore.experiments.grid.cell import question
from vpcore.experiments.runs.packed import right
from vpcore.statistics import (
    Interval,
    image_variance,
    mean_sd,
    smallest_detectable_difference,
    two_way_interval,
    two_way_p_value,
)

BASELINE = "none"
AT_EDGE = "rate at an edge"
REQUIRED = {"key": str, "cell": dict, "accuracy": float, "num_test": int, "data_md5": str}
FIELDS = {"data": str, "backbone": str, "prompt": str, "seed": int}
Run = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One prompt in one setting; accuracies in 0 … 1, nan where there are too few runs."""

    data: str
    backbone: str
    prompt: str
    setting: str  # what distinguishes this setting from others in the table, or ""
    num_seeds: int
    mean: float
    sd: float
    num_test: int
    num_pairs: int
    difference: Interval | None  # to the baseline, over seeds both have and test images
    p_value: float  # of that difference
    detectable: float
    values: tuple[float, ...] = ()  # one accuracy a seed, in the order of the seeds
    learned: int | None = None  # numbers that the method learns beside the head


def check_runs(runs: Sequence[Run], source: str) -> list[Run]:
    """Return the runs without repeats of a key, the first of each.

    Raises:
        ValueError: a run lacks a field, or its accuracy is no number.
    """
    for number, run in enumerate(runs, start=1):
        wrong = [field for field, kind in REQUIRED.items() if not isinstance(run.get(field), kind)]
        wrong = wrong or [field for field, kind in FIELDS.items() if not isinstance(run["cell"].get(field), kind)]
        if wrong or not math.isfinite(run["accuracy"]):
            raise ValueError(f"run {number} of {source} is damaged ({', '.join(wrong) or 'accuracy'}): delete its line")
    return list({run["key"]: run for run in reversed(runs)}.values())[::-1]


def summarize(runs: Sequence[Run]) -> list[Row]:
    """Group runs by everything but method and seed, and compare each method with the baseline of its group."""
    groups: dict[str, dict[str, dict[int, Run]]] = {}
    for run in runs:
        group = question(run["cell"], ("prompt", "seed"))  # rates that were searched for may differ
        group += run["data_md5"] + run.get("weights_sha256", "")
        groups.setdefault(group, {}).setdefault(run["cell"]["prompt"], {})[run["cell"]["seed"]] = run
    places: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        places.setdefault(_place(run), []).append(run)
    varying = {place: _varying(there) for place, there in places.items()}
    rows = []
    for prompts in groups.values():
        ordered = sorted(prompts, key=lambda prompt: prompt != BASELINE)
        for prompt in ordered:
            place = _place(next(iter(prompts[prompt].values())))
            rows.append(_row(prompt, prompts[prompt], prompts.get(BASELINE, {}), varying[place]))
    return rows


def _place(run: Run) -> tuple[str, str]:
    return run["cell"]["data"], run["cell"]["backbone"]


def _varying(runs: Sequence[Run]) -> list[str]:
    """Return the hyper-parameters that differ within one table, and so must be told apart."""
    settings = [_settings(run) for run in runs]
    names = {name for setting in settings for name in setting} - set(FIELDS)
    return sorted(name for name in names if len({json.dumps(setting.get(name)) for setting in settings}) > 1)


def _settings(run: Run) -> dict[str, Any]:
    """Return a run's cell, and the start of its weights' hash where it has one."""
    return run["cell"] | ({"weights": run["weights_sha256"][:8]} if "weights_sha256" in run else {})


def _row(prompt: str, runs: dict[int, Run], baseline: dict[int, Run], varying: list[str]) -> Row:
    one = next(iter(runs.values()))
    mean, sd = mean_sd([run["accuracy"] for run in runs.values()])
    seeds = sorted(runs.keys() & baseline.keys()) if prompt != BASELINE else []
    difference, p_value, detectable = None, math.nan, math.nan
    if len(seeds) >= 2:
        before, after = [baseline[s] for s in seeds], [runs[s] for s in seeds]
        pairs = [right(run) for run in before], [right(run) for run in after]
        difference, p_value = two_way_interval(*pairs), two_way_p_value(*pairs)
        spread = mean_sd([b["accuracy"] - a["accuracy"] for a, b in zip(before, after, strict=True)])[1]
        detectable = smallest_detectable_difference(spread, len(seeds), image_variance(*pairs), one["num_test"])
    setting = [f"{name}={_short(_settings(one).get(name))}" for name in varying]
    setting += [AT_EDGE] if any(run.get("rate_at_edge") for run in runs.values()) else []
    return Row(
        data=one["cell"]["data"],
        backbone=one["cell"]["backbone"],
        prompt=prompt,
        setting=" ".join(setting),
        num_seeds=len(runs),
        mean=mean,
        sd=sd,
        num_test=one["num_test"],
        num_pairs=len(seeds),
        difference=difference,
        p_value=p_value,
        detectable=detectable,
        values=tuple(runs[seed]["accuracy"] for seed in sorted(runs)),
        learned=_learned(one),
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _learned(run: Run) -> int | None:
    """Return how many numbers a run's method learned, the head's left out; None where the run does not say."""
    parts = run.get("parameters")
    names = ("prompt", "tuning", "learned_backbone")
    if not isinstance(parts, dict) or not all(isinstance(parts.get(name), int) for name in names):
        return None
    return sum(parts[name] for name in names)
