"""Explorer of a recorded table: every method at a number of images, as accuracies, differences or a trade-off."""

from __future__ import annotations

from typing import Any

from course import show
from course.recorded import Recorded
from course.show import Picture
from course.show.clouds import tradeoff
from course.widgets.base import Explorer, buttons
from vpcore.statistics import Interval

VIEWS = ("accuracy", "difference to the probe", "learned numbers")
BASELINE = "linear probe"


class ResultsExplorer(Explorer):
    """Show a table of methods for one backbone and one number of images a class, in three views.

    Args:
        table: runs whose cells hold `shots`, and whose extra values hold `prompt_or_tuning`.
        data: name of the data set in the table.
        backbones: which backbones to offer, by name.
    """

    def __init__(self, table: Recorded, data: str, backbones: tuple[str, ...]) -> None:
        self._table, self._data = table, data
        self._runs = [run for run in table.runs if run["cell"]["data"] == data]
        shots = sorted({run["cell"]["shots"] for run in self._runs})
        backbone, view = buttons("backbone", backbones), buttons("view", VIEWS)
        super().__init__({"backbone": backbone, "shots": buttons("images a class", shots), "view": view})

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return the runs of each method in the present state, by seed, the linear probe first."""
        wanted = {"backbone": self.controls["backbone"].value, "shots": self.controls["shots"].value}
        found: dict[str, list[dict[str, Any]]] = {BASELINE: []}
        for run in sorted(self._runs, key=lambda run: run["cell"]["seed"]):
            if wanted.items() <= run["cell"].items():
                found.setdefault(run["cell"]["prompt"], []).append(run)
        return found

    def differences(self) -> dict[str, Interval]:
        """Return the interval of each method minus the probe, in points, for other seeds and other images."""
        state, methods = self.state(), [name for name in self.rows() if name != BASELINE]
        return {
            name: self._table.gain(self._data, BASELINE, name, state["backbone"], shots=state["shots"])
            for name in methods
        }

    def picture(self) -> Picture:
        """Draw the chosen view."""
        state, rows = self.state(), self.rows()
        title = f"{state['backbone']}, {state['shots']} image{'s' if state['shots'] > 1 else ''} a class"
        base = rows[BASELINE]
        label = f"recorded, {len(base)} seeds, {base[0]['num_test']:,} test images"
        accuracies = {name: [100 * run["accuracy"] for run in runs] for name, runs in rows.items()}
        if state["view"] == VIEWS[0]:
            return show.settings(accuracies, title, label=label)
        if state["view"] == VIEWS[1]:
            return show.intervals(self.differences(), f"{title}, against the probe", label=label)
        points = {name: (runs[0]["extra"]["prompt_or_tuning"], accuracies[name]) for name, runs in rows.items()}
        return tradeoff(points, title, across="learned numbers besides the head", label=label)

    def sentence(self) -> str:
        """Say how many methods stand clear of the probe."""
        state, found = self.state(), self.differences()
        verdicts = [each.verdict() for each in found.values()]
        return (
            f"{state['backbone']}, {state['shots']} a class, {state['view']}: by paired 95 % intervals "
            f"{verdicts.count('above')} of {len(found)} above the probe, {verdicts.count('below')} below."
        )
