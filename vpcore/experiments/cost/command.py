"""`python -m vpcore.cost table | measure`: published counts beside ours, and what every prompt costs on a backbone."""

from __future__ import annotations

from typing import Annotated

import typer

from vpcore.experiments.cost.count_table import count_rows, format_rows
from vpcore.experiments.cost.grid_table import cost_table
from vpcore.experiments.grid.cell import Cell
from vpcore.prompts import PROMPTS

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def table() -> None:
    """Print the published counts beside ours; the exit code is 1 if one differs."""
    rows = count_rows()
    wrong = sum(not row.agrees for row in rows)
    typer.echo(f"{format_rows(rows)}\n{len(rows)} rows, {wrong} of them with a count that differs")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def measure(
    backbone: Annotated[str, typer.Option(help="Its name; it gets fresh weights.")] = "vit_nano",
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 64,
    repeats: Annotated[int, typer.Option(help="Timed steps; the median counts.")] = 5,
    classes: Annotated[int, typer.Option(help="Classes of the linear head.")] = 10,
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default CUDA if there is one.")] = None,
) -> None:
    """Measure every prompt method on one backbone, one line each."""
    options = {"batch_size": batch_size, "precision": precision, "train_backbone": False}
    cells = [Cell("", backbone, name, **options) for name in PROMPTS]
    try:
        typer.echo(cost_table(cells, device, repeats, classes, skip_misfits=True))
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
