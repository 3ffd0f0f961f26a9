"""Choose a cell's learning rate around its method's published one, with equal trials, and keep the trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vpcore.experiments.grid.cell import Cell, question
from vpcore.experiments.grid.failures import FailedSearch
from vpcore.experiments.runs.lr_search import choose_rate
from vpcore.experiments.runs.runlog import read_runs
from vpcore.experiments.runs.trials import Trials
from vpcore.rates import default_rate

MORE = 3  # trials beyond a cell's own while its best rate is at an edge


class RateSearch:
    """Give cells that ask for it the rate that validation images of seed 0 choose.

    Every method gets the same number of trials, and up to 3 more while its best rate is at an edge. One rate holds for
    all that learns, the head included, as in the published codes of methods that train a head (VPT, InsVP). A head that
    keeps the probe's rate, up to 0.3 on these small networks, drove the best rate of activation:layer=6 (photodigits,
    resnet_nano) to the edge of its trials. Accuracy did not decide between the two: with seed 0, activation:layer=6
    reached 33.4 % on validation with the probe's head rate, and 32.6 % with one rate for both. The choice was made
    after test results of the other way had been seen on that one set; no recorded run is older than it.

    Args:
        trials_file: JSON lines, one a trial; trials found there are not repeated.
        runs: earlier runs; what was chosen for one seed holds for the others.
        score: trains a cell and returns its validation accuracy, nan if it diverged; it must not read the test set.
            If it raises ValueError, nothing is kept in the file, and no seed of this question is tried again here.

    Raises:
        OSError: the file cannot be written.
        ValueError: it is damaged.
        FailedSearch: `score` raised ValueError, now or for an earlier seed.
    """

    def __init__(self, trials_file: Path, runs: Iterable[Mapping[str, Any]], score: Callable[[Cell], float]) -> None:
        self.file, self.score = trials_file, score
        self._chosen = {
            _searched(run["cell"]): float(run["cell"]["lr"]) for run in runs if run["cell"].get("trials") is not None
        }
        self._failed: dict[str, str] = {}  # and why

    def __call__(self, cell: Cell) -> Cell:
        """Return the cell with its rate, found now if it is not known yet."""
        if cell.trials is None:
            return cell
        asked = _searched(asdict(cell))
        if asked in self._failed:
            raise FailedSearch(self._failed[asked])
        if asked not in self._chosen:
            there = replace(cell, seed=0, limit=cell.search_limit or cell.limit, search_limit=None)
            self._chosen[asked] = self._search(there)
        return replace(cell, lr=self._chosen[asked])

    def _search(self, cell: Cell) -> float:
        kept = Trials(self.file)

        def score(lr: float) -> float:
            trial = replace(cell, lr=_short(lr))
            return kept.accuracy(trial.key(), lambda: self._trial(trial), cell=asdict(trial))

        assert cell.trials is not None
        return _short(choose_rate(score, default_rate(cell.prompt), cell.trials, MORE)[0])

    def _trial(self, cell: Cell) -> float:
        """Score a trial, and remember why it failed: the seeds to come would fail alike."""
        try:
            return self.score(cell)
        except ValueError as error:
            self._failed[_searched(asdict(cell))] = str(error)
            raise FailedSearch(str(error)) from error


def mark_edges(runs: Iterable[Mapping[str, Any]], trials_file: Path) -> list[dict[str, Any]]:
    """Return runs with "rate_at_edge": whether their rate was the smallest or the largest of those that were tried.

    Args:
        runs: of a grid; those without a search, or without trials in the file, are returned as they are.
        trials_file: JSON lines, one a trial; it may be missing.

    Raises:
        ValueError: it is damaged.
    """
    tried: dict[str, set[float]] = {}
    for trial in read_runs(trials_file) if trials_file.exists() else ():
        if "lr" in trial["cell"]:  # studies keep theirs under another name
            tried.setdefault(_searched(trial["cell"]), set()).add(trial["cell"]["lr"])
    marked = []
    for run in map(dict, runs):
        rates = tried.get(_searched(run["cell"])) if run["cell"].get("trials") is not None else None
        marked.append(run if rates is None else {**run, "rate_at_edge": run["cell"]["lr"] in (min(rates), max(rates))})
    return marked


def _searched(cell: Mapping[str, Any]) -> str:
    """Return the question that the search for a cell's rate asks, whatever the seed."""
    return question({**cell, "limit": cell.get("search_limit") or cell.get("limit")}, ("seed",))


def _short(rate: float) -> float:
    return float(f"{rate:.4g}")
