"""Run the cells of a grid one after the other: resumable, and with what is frozen computed once."""

from __future__ import annotations

import shlex
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from vpcore.data.splits import Splits
from vpcore.device import choose_device
from vpcore.experiments.grid.cell import Cell, question
from vpcore.experiments.grid.cell_data import FeatureStore, Loader
from vpcore.experiments.grid.failures import FailedSearch, memory_named, say_failed
from vpcore.experiments.grid.rates import RateSearch
from vpcore.experiments.grid.rehearsal import check_weights, note_recipes, rehearse
from vpcore.experiments.grid.train_cell import run_cell, train_cell
from vpcore.experiments.report.rows import check_runs
from vpcore.experiments.runs.machine import hardware, versions
from vpcore.experiments.runs.packed import read_results
from vpcore.experiments.runs.runlog import append_run, read_new_keys, read_runs, repair
from vpcore.experiments.runs.trials import trials_beside
from vpcore.prompted import Prompted
from vpcore.train.records import Diverged, History


def run_grid(
    cells: Sequence[Cell],
    out: Path,
    *,
    device: str | None = None,
    root: str | None = None,
    resume: Path | None = None,
    skip_lacking: bool = False,
    work: Callable[..., Any] | None = None,
) -> int:
    """Run the cells that are not in `out` or `resume` yet, and append each as it is done; returns how many failed.

    Args:
        cells: what to run; those with `trials` get their rate by a search, kept in `<out>.trials`.
        out: results, JSON lines.
        device: as in `fit`.
        root: folder of the data sets.
        resume: an earlier results file, packed or not; only read.
        skip_lacking: leave out, and name, data sets and weights that are not there.
        work: runs the cells elsewhere, as `vpcore.experiments.cluster.ray_run.connect` makes it; None runs them here.

    Raises:
        ValueError: a cell cannot be built, a results file is damaged, runs in it were made with other weights than
            their file holds now, or sets or weights of all cells are lacking.
        OSError: data files are missing, or the results cannot be written.
    """
    moved = repair(out)
    if moved:
        typer.echo(f"note: {moved}", err=True)
    runs = earlier_runs(out, resume)
    check_weights(cells, runs)
    done = {run["key"] for run in runs} | {question(run["cell"]) for run in runs}
    load = Loader(root)
    waiting = [cell for cell in cells if question(asdict(cell)) not in done]
    if len(waiting) < len(cells):
        typer.echo(f"note: {len(cells) - len(waiting)} of {len(cells)} runs were done before, not repeated", err=True)
    runnable = rehearse(waiting, load, skip_lacking)
    if waiting and not runnable:
        raise ValueError("nothing of this grid can run here: the notes above say which sets and weights it lacks")
    note_recipes(runnable)
    return (work or LocalWork)(out, device, load, runs).run(runnable)


def earlier_runs(out: Path, resume: Path | None) -> list[dict[str, Any]]:
    """Return the runs of the results file and of the one it goes on from, each once.

    Raises:
        ValueError: a file is damaged.
        OSError: a file cannot be read.
    """
    before = check_runs(read_results(resume), str(resume)) if resume is not None else []
    return check_runs([*before, *check_runs(read_runs(out), str(out))], str(out))


class Work(ABC):
    """What all cells of a grid share while it runs, here or on a cluster; the only writer of its results.

    Args:
        out: results, JSON lines.
        device: as in `fit`.
        load: the data of this machine.
        runs: earlier ones.
    """

    def __init__(self, out: Path, device: str | None, load: Loader, runs: list[dict[str, Any]]) -> None:
        self.out, self.device, self.load = out, device, load
        self.done, self.offset = read_new_keys(out, 0)
        self.search = RateSearch(trials_beside(out), runs, self._try)

    @abstractmethod
    def run(self, cells: Sequence[Cell]) -> int:
        """Run the cells, append each as it is done, name those that fail; returns how many did."""

    @abstractmethod
    def _try(self, cell: Cell) -> float:
        """Return the validation accuracy of a trial, nan if it diverges; raises ValueError if it fails otherwise."""

    def with_rate(self, cell: Cell) -> Cell | None:
        """Return a cell with its rate, searched for where it asks for that; None, and said so, if that failed."""
        try:
            return self.search(cell)
        except FailedSearch as error:
            say_failed(cell, error)
            return None

    def is_done(self, key: str) -> bool:
        """Return whether the results hold a cell by now: another process may have been faster."""
        new, self.offset = read_new_keys(self.out, self.offset)
        self.done |= new
        return key in self.done


class LocalWork(Work):
    """Cells that this process runs one after the other, with what is frozen computed once."""

    def __init__(self, out: Path, device: str | None, load: Loader, runs: list[dict[str, Any]]) -> None:
        super().__init__(out, device, load, runs)
        self.store = FeatureStore()
        self.trained: dict[str, tuple[Prompted, History]] = {}  # the trials since the last run: one is that of seed 0

    def run(self, cells: Sequence[Cell]) -> int:
        """Run the cells in order; returns how many failed."""
        from tqdm import tqdm

        failed = 0
        with tqdm(total=sum(cell.epochs for cell in cells), unit="epoch", file=sys.stderr, dynamic_ncols=True) as bar:
            for number, cell in enumerate(cells, start=1):
                bar.set_description(f"{number}/{len(cells)} {cell}")
                before = bar.n
                ready = self.with_rate(cell)
                failed += ready is None or not self._run_one(ready, lambda _: bar.update())
                self.trained.clear()
                bar.update(cell.epochs - (bar.n - before))  # of a run that was a trial, or that ended early
        return failed

    def _run_one(self, cell: Cell, on_epoch: Callable[[Any], Any]) -> bool:
        """Run one cell and append its result; one that lacks memory or diverges is named."""
        if self.is_done(cell.key()):
            return True
        data = self.load(cell)
        try:
            with memory_named():
                result = run_cell(cell, data, self.device, on_epoch, self.store, self.trained.get(cell.key()))
        except ValueError as error:  # named at once: kept, it would hold on to all that was on the device
            say_failed(cell, error)
            return False
        append_run(self.out, {**result, **provenance(cell, self.device)})
        return True

    def _try(self, cell: Cell) -> float:
        found = try_cell(cell, self.load(cell), self.device, self.store)
        if found is None:
            return float("nan")
        self.trained[cell.key()] = found
        return found[1].best.valid_accuracy


def try_cell(cell: Cell, data: Splits, device: str | None, store: FeatureStore) -> tuple[Prompted, History] | None:
    """Train a cell as a trial; None if it diverges.

    Raises:
        ValueError: something does not fit, or memory is lacking.
    """
    try:
        with memory_named():
            return train_cell(cell, data, device, None, store)
    except Diverged:
        return None


def command() -> str:
    """Return the command that runs this grid, as a user would type it."""
    return f"python -m vpcore.grid {shlex.join(sys.argv[1:])}"


def provenance(cell: Cell, device: str | None) -> dict[str, Any]:
    """Return where, when and by which command a result was made."""
    used = hardware(str(choose_device(device)))
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return {"command": command(), "seed": cell.seed, "versions": versions(), "hardware": used, "time": time}
