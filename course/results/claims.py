"""What the recorded tables say, in sentences whose verdicts and numbers are computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from course.recorded import Recorded, recorded
from vpcore.statistics import Interval, holm, two_way_interval, two_way_p_value

WORDS = ("better", "worse")  # above zero, below zero


@dataclass(frozen=True)
class Claim:
    """One comparison of two arms, in words that hold whatever comes out."""

    file: str
    what: str
    data: str
    backbone: str
    arm: str
    base: str = "none"
    settings: dict[str, Any] = field(default_factory=dict)
    of_base: dict[str, Any] | None = None  # settings of the base alone

    def sentence(self, folder: Path) -> str:
        """Return the claim with its verdict, interval, seeds and test images."""
        found, pairs, tests = difference(recorded(self.file, folder), self)
        return f"- {self.what}: {_stands(found)}, {pairs} pairs, {tests:,} test images ({self.file})."


def difference(table: Recorded, claim: Claim) -> tuple[Interval, int, int]:
    """Return the two-way interval of a claim in percentage points, and how many seeds and test images it is from."""
    sides = _pair(table, claim)
    return two_way_interval(*sides).in_points(), *sides[0].shape


def _pair(table: Recorded, claim: Claim) -> tuple[np.ndarray, np.ndarray]:
    return table.pair(claim.data, claim.base, claim.arm, claim.backbone, of_base=claim.of_base, **claim.settings)


def points(found: Interval) -> str:
    """Write an interval in percentage points."""
    return f"{found.mean:+.2f} points [{found.low:+.2f}, {found.high:+.2f}]"


def _stands(found: Interval) -> str:
    return f"{found.verdict(*WORDS)}, {points(found)}"


def best_layer(folder: Path, data: str, backbone: str) -> str:
    """Say at which layer an activation prompt had the highest mean, and how the first and the last layer stand."""
    table = recorded("ap_layers", folder)
    layers = sorted(
        {int(run["cell"]["prompt"][3:]) for run in table.runs if run["cell"]["prompt"].startswith("ap@")
         and (run["cell"]["data"], run["cell"]["backbone"]) == (data, backbone)}
    )  # fmt: skip
    found = {at: difference(table, Claim("", "", data, backbone, f"ap@{at}")) for at in layers}
    best = max(layers, key=lambda at: found[at][0].mean)
    told = [f"at layer {at} {_stands(found[at][0])}" for at in (best, layers[0], layers[-1])]
    pairs = " and ".join(str(count) for count in sorted({pairs for _, pairs, _ in found.values()}))
    return (
        f"- AP against the probe, {data}, {backbone}: the highest mean of layers {layers[0]} to {layers[-1]} stands at "
        f"layer {best}. {told[0].capitalize()}; {told[1]}; {told[2]}. {pairs} pairs, {found[best][2]:,} test images "
        f"({table.name}; the layer was chosen on these images, so its own interval is too optimistic)."
    )


def count_better(folder: Path, file: str, base: str, data: str, backbone: str, what: str, **settings: Any) -> str:
    """Say how many arms of a table were better than its base, how many worse, and how many cannot be told."""
    table = recorded(file, folder)
    here = {"data": data, "backbone": backbone, **settings}
    arms = list(dict.fromkeys(r["cell"]["prompt"] for r in table.runs if here.items() <= r["cell"].items()))
    claims = {arm: Claim("", "", data, backbone, arm, base, settings) for arm in arms if arm != base}
    found = {arm: difference(table, claim) for arm, claim in claims.items()}
    named = {word: [arm for arm, (each, _, _) in found.items() if each.verdict(*WORDS) == word]
             for word in ("better", "worse", "cannot tell")}  # fmt: skip
    lists = "; ".join(f"{word}: {_counted(names)}" for word, names in named.items())
    if not found:
        raise ValueError(f"{table.name} holds no {data} {backbone} {base} beside other arms: change the question")
    pairs = " or ".join(str(count) for count in sorted({pairs for _, pairs, _ in found.values()}))
    tests = next(tests for _, _, tests in found.values())
    return f"- {what}: {lists}. {pairs} pairs, {tests:,} test images ({table.name})."


def count_sets(folder: Path, file: str, base: str, backbone: str, what: str) -> str:
    """Say for every arm of a table on how many data sets it was better than the base, worse, and not told apart."""
    table = recorded(file, folder)
    cells = [run["cell"] for run in table.runs if run["cell"]["backbone"] == backbone]
    sets = list(dict.fromkeys(cell["data"] for cell in cells))
    counts: list[str] = []
    p_values: dict[bool, list[float]] = {True: [], False: []}  # of methods, of probes on inner layers
    for arm in dict.fromkeys(cell["prompt"] for cell in cells if cell["prompt"] != base):
        claims = [Claim("", "", data, backbone, arm, base) for data in sets]
        p_values[not arm.startswith("layer_probe")] += [two_way_p_value(*_pair(table, claim)) for claim in claims]
        found = [difference(table, claim)[0].verdict(*WORDS) for claim in claims]
        at_edge = {run["cell"]["data"] for run in table.runs if run.get("rate_at_edge") and run["cell"]["prompt"] == arm
                   and run["cell"]["backbone"] == backbone}  # fmt: skip
        counts.append(f"  - `{arm}` {found.count('better')}/{found.count('worse')}/{found.count('cannot tell')}")
        counts[-1] += f", rate at an edge on {len(at_edge)}" if at_edge else ""
    stand = [
        f"of {len(found)} differences of {kind} {sum(p_value < 0.05 for p_value in found)} stand singly, "
        f"{sum(holm(found))} after Holm's correction"
        for kind, found in zip(("methods", "probes on inner layers"), p_values.values(), strict=True)
        if found
    ]
    report = f"`python -m vpcore.grid --report course/results/{table.name}.json --report-to FOLDER`"
    told = f"sets of {len(sets)} where it is better/worse/cannot be told"
    head = f"- {what}: {told}; {'; '.join(stand)}; {report} prints the intervals:"
    return "\n".join([head, *counts])


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} ({'; '.join(names)})" if names else "0"
