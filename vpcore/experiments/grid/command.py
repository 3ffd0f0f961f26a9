"""Methods × backbones × data sets × seeds: one JSON line a run, and a table of paired differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from vpcore.device import choose_device, choose_precision
from vpcore.experiments.cost.grid_table import cost_table
from vpcore.experiments.grid.cell import question
from vpcore.experiments.grid.plan import plan
from vpcore.experiments.grid.rehearsal import in_options
from vpcore.experiments.grid.run import earlier_runs, run_grid
from vpcore.experiments.report.files import write_report
from vpcore.experiments.report.rows import check_runs, summarize
from vpcore.experiments.report.table import format_table
from vpcore.experiments.runs.packed import read_results
from vpcore.train.steps import choose_speedups, speedups

MOST_CELLS = 10_000
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    context: typer.Context,
    preset: Annotated[
        str | None,
        typer.Option(
            help="A paper's table by name: transfer, msvp, msvp-scales, insvp or ap. Options given beside it narrow or "
            "change it."
        ),
    ] = None,
    table: Annotated[int | None, typer.Option(help="Which table of the preset insvp: 1 to 5.")] = None,
    figure: Annotated[int | None, typer.Option(help="Which figure of the preset insvp: 5 or 7.")] = None,
    data: Annotated[
        str, typer.Option(help="Data sets, with commas between; photodigits:position=fixed, folder:NAME too.")
    ] = "digits",
    backbone: Annotated[str, typer.Option(help="Backbones, with commas between.")] = "simple_cnn",
    prompt: Annotated[
        str,
        typer.Option(
            help="Methods: prompts, as multiscale:fusion=concat,scales=1+4; tunings, as lora:rank=4 or norm_tuning; "
            "layer_probe:layer=3; layer=all stands for every layer."
        ),
    ] = "none,multiscale",
    seeds: Annotated[int, typer.Option(help="How many seeds: 0, 1, …")] = 5,
    shots: Annotated[
        str | None,
        typer.Option(help="Training images a class, drawn by the seed: 1,4,16. Few images are few steps an epoch."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Most training images to keep; all by default.")] = None,
    max_valid: Annotated[int | None, typer.Option(help="Most validation images to keep; all by default.")] = None,
    max_test: Annotated[int | None, typer.Option(help="Most test images to keep; all by default.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 10,
    lr: Annotated[
        str,
        typer.Option(
            help="Learning rates, with commas between; or search: each method's own, on seed 0's validation images, "
            "around its published rate."
        ),
    ] = "1e-3",
    trials: Annotated[int, typer.Option(help="Rates that --lr search tries for every method.")] = 5,
    weight_decay: Annotated[float, typer.Option(help="L2 for adam and sgd, decoupled for adamw.")] = 1e-4,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 128,
    optimizer: Annotated[str, typer.Option(help="adam, adamw or sgd.")] = "adam",
    schedule: Annotated[str, typer.Option(help="cosine_epoch, cosine or constant.")] = "cosine_epoch",
    augment: Annotated[str, typer.Option(help="paper: the MSVP paper's, for the sets it names; or none.")] = "paper",
    width: Annotated[int | None, typer.Option(help="Channels of simple_cnn's first block.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Edge of the images in pixels.")] = None,
    train_backbone: Annotated[
        bool | None, typer.Option("--train-backbone/--frozen", help="By default, train what has no weights.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default CUDA if there is one.")] = None,
    root: Annotated[str | None, typer.Option(help="Folder of the data sets; default $VPCORE_DATA.")] = None,
    out: Annotated[Path, typer.Option(help="Results, one JSON line a run; runs found there are not repeated.")] = Path(
        "results.jsonl"
    ),
    resume: Annotated[
        Path | None, typer.Option(help="An earlier results file, packed or not, whose runs are not repeated either.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Only print the table of this results file, and write it beside as CSV, LaTeX and PNG."),
    ] = None,
    report_to: Annotated[Path | None, typer.Option(help="Another folder for what --report writes.")] = None,
    cost: Annotated[
        bool, typer.Option("--cost", help="Only measure what a training step of each method costs, on random images.")
    ] = False,
    compile: Annotated[bool, typer.Option("--compile", help="Compile the models, for GPUs.")] = False,
    cuda_graph: Annotated[bool, typer.Option("--cuda-graph", help="Replay steps as CUDA graphs.")] = False,
    cluster: Annotated[
        str | None, typer.Option(help="Run the cells on a Ray cluster this machine is part of: HOST:PORT, or auto.")
    ] = None,
    gpus: Annotated[
        float | None, typer.Option(help="With --cluster: share of a GPU a run; by default one where one is used.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run more than 10,000 cells.")] = False,
) -> None:
    """Train every cell of a grid and print baseline, method, and paired difference with a 95 % interval."""
    try:
        failed = _run(context.params, _given(context))
    except (ValueError, OSError) as error:
        typer.echo(f"error: {in_options(' '.join(str(error).split()))}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on from {out}", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(1 if failed else 0)


def _run(options: Mapping[str, Any], given: Mapping[str, Any]) -> int:
    """Do what the options ask for; returns how many runs failed."""
    if options["report"] is not None:
        _report(options["report"], options["report_to"])
        return 0
    cells, notes = plan(options, given)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    if options["cluster"] is None:
        _check_device(options["device"])
        where = choose_device(options["device"])
        choose_speedups(options["compile"], options["cuda_graph"], where, choose_precision(options["precision"], where))
    if options["cost"]:
        typer.echo(cost_table(cells, options["device"]))
        return 0
    if len(cells) > MOST_CELLS and not options["yes"]:
        raise ValueError(f"the grid has {len(cells):,} cells, more than {MOST_CELLS:,}: add --yes if you mean it")
    out, resume, root = options["out"], options["resume"], options["root"]
    skip, work = options["preset"] is not None, _cluster(options)
    with speedups(options["compile"], options["cuda_graph"]):
        failed = run_grid(cells, out, device=options["device"], root=root, resume=resume, skip_lacking=skip, work=work)
    mine = {question(asdict(cell)) for cell in cells}
    typer.echo(format_table(summarize([run for run in earlier_runs(out, resume) if question(run["cell"]) in mine])))
    return failed


def _check_device(name: str | None) -> None:
    """Refuse a device that this machine lacks, before hours of training."""
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split(".")[0]
        raise ValueError(f"--device {name} cannot be used here ({reason}): leave it out, or take cpu") from error


def _cluster(options: Mapping[str, Any]) -> Callable[..., Any] | None:
    """Join the cluster that was named, if any."""
    if options["cluster"] is None:
        return None
    from vpcore.experiments.cluster.ray_run import connect

    return connect(options["cluster"], options["gpus"])


def _report(results: Path, folder: Path | None) -> None:
    """Print the table of a results file, and write it in three forms."""
    rows = summarize(check_runs(read_results(results), str(results)))
    typer.echo(format_table(rows))
    for path in write_report(rows, results, folder) if rows else ():
        typer.echo(f"wrote {path}", err=True)


def _given(context: typer.Context) -> dict[str, object]:
    """Return the options that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name: context.params[name] for name, source in sources.items() if source and source.name == "COMMANDLINE"}
