"""Methods × backbones × data sets × seeds: one JSON line a run, and a table of paired differences."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import typer

from vpcore.device import choose_device, choose_precision
from vpcore.experiments.cost.grid_table import cost_table
from vpcore.experiments.grid.cell import question
from vpcore.experiments.grid.options import Options, takes, typed
from vpcore.experiments.grid.plan import plan
from vpcore.experiments.grid.rates import mark_edges
from vpcore.experiments.grid.run import earlier_runs, run_grid
from vpcore.experiments.report.files import write_report
from vpcore.experiments.report.rows import check_runs, summarize
from vpcore.experiments.report.table import format_table
from vpcore.experiments.runs.packed import read_results
from vpcore.experiments.runs.trials import trials_beside
from vpcore.train.speedups import choose_speedups, speedups

MOST_CELLS = 10_000
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
@takes(Options)
def main(context: typer.Context, options: Options) -> None:
    """Train every cell of a grid and print baseline, method, and paired difference with a 95 % interval."""
    try:
        failed = _run(options, typed(context))
    except (ValueError, OSError) as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on from {options.out}", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(1 if failed else 0)


def _run(options: Options, given: Collection[str]) -> int:
    """Do what the options ask for; returns how many runs failed."""
    if options.report is not None:
        _report(options.report, options.report_to)
        return 0
    cells, notes = plan(options, given)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    if options.cluster is None:
        _check_device(options.device)
        where = choose_device(options.device)
        choose_precision(options.precision, where)
        choose_speedups(options.compile, options.cuda_graph, where)
    if options.cost:
        typer.echo(cost_table(cells, options.device))
        return 0
    if len(cells) > MOST_CELLS and not options.yes:
        raise ValueError(f"the grid has {len(cells):,} cells, more than {MOST_CELLS:,}: add --yes if you mean it")
    skip, work = options.preset is not None, _cluster(options)
    with speedups(options.compile, options.cuda_graph):
        failed = run_grid(
            cells,
            options.out,
            device=options.device,
            root=options.root,
            resume=options.resume,
            skip_lacking=skip,
            work=work,
        )
    mine = {question(asdict(cell)) for cell in cells}
    runs = [run for run in earlier_runs(options.out, options.resume) if question(run["cell"]) in mine]
    runs = mark_edges(runs, trials_beside(options.out))
    typer.echo(format_table(summarize(runs)))
    return failed


def _check_device(name: str | None) -> None:
    """Refuse a device that this machine lacks, before hours of training."""
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split(".")[0]
        raise ValueError(f"--device {name} cannot be used here ({reason}): leave it out, or take cpu") from error


def _cluster(options: Options) -> Callable[..., Any] | None:
    """Join the cluster that was named, if any."""
    if options.cluster is None:
        return None
    from vpcore.experiments.cluster.ray_run import connect

    return connect(options.cluster, options.gpus)


def _report(results: Path, folder: Path | None) -> None:
    """Print the table of a results file, and write it in three forms."""
    rows = summarize(mark_edges(check_runs(read_results(results), str(results)), trials_beside(results)))
    typer.echo(format_table(rows))
    for path in write_report(rows, results, folder) if rows else ():
        typer.echo(f"wrote {path}", err=True)
