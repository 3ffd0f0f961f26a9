"""Methods × backbones × data sets × seeds: one JSON line a run, and a table of paired differences."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vpcore.cell import question
from vpcore.grid_plan import plan
from vpcore.grid_report import check_runs, format_table, summarize
from vpcore.grid_run import earlier_runs, run_grid
from vpcore.packed import read_results

MOST_CELLS = 10_000
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    context: typer.Context,
    preset: Annotated[
        str | None, typer.Option(help="A whole table by name: transfer. Options given beside it narrow or change it.")
    ] = None,
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
    augment: Annotated[str, typer.Option(help="paper: the MSVP paper's for each set; or none.")] = "paper",
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
    report: Annotated[Path | None, typer.Option(help="Only print the table of this results file.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run more than 10,000 cells.")] = False,
) -> None:
    """Train every cell of a grid and print baseline, method, and paired difference with a 95 % interval."""
    try:
        if report is not None:
            typer.echo(format_table(summarize(check_runs(read_results(report), str(report)))))
            return
        cells, notes = plan(context.params, _given(context))
        for note in notes:
            typer.echo(f"note: {note}", err=True)
        if len(cells) > MOST_CELLS and not yes:
            raise ValueError(f"the grid has {len(cells):,} cells, more than {MOST_CELLS:,}: add --yes if you mean it")
        failed = run_grid(cells, out, device=device, root=root, resume=resume, skip_lacking=preset is not None)
        mine = {question(asdict(cell)) for cell in cells}
        runs = [run for run in earlier_runs(out, resume) if question(run["cell"]) in mine]
        typer.echo(format_table(summarize(runs)))
    except (ValueError, OSError) as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on from {out}", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(1 if failed else 0)


def _given(context: typer.Context) -> dict[str, object]:
    """Return the options that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name: context.params[name] for name, source in sources.items() if source and source.name == "COMMANDLINE"}


if __name__ == "__main__":
    app()
