"""Methods × backbones × data sets × seeds: one JSON line a run, and a table of paired differences."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from vpcore.cells import Cell, check_cell, expand, load_cell_data, run_cell
from vpcore.data import Splits
from vpcore.device import choose_device
from vpcore.grid_report import check_runs, format_table, summarize
from vpcore.prompt_text import split_prompts
from vpcore.runlog import append_run, hardware, read_new_keys, read_runs, repair, versions

MOST_CELLS = 10_000
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    data: Annotated[str, typer.Option(help="Data sets, with commas between.")] = "digits",
    backbone: Annotated[str, typer.Option(help="Backbones, with commas between.")] = "simple_cnn",
    prompt: Annotated[
        str, typer.Option(help="Prompts; options as multiscale:fusion=concat,scales=1+4.")
    ] = "none,multiscale",
    seeds: Annotated[int, typer.Option(help="How many seeds: 0, 1, …")] = 5,
    limit: Annotated[int | None, typer.Option(help="Most training images to keep; all by default.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 10,
    lr: Annotated[str, typer.Option(help="Learning rates, with commas between.")] = "1e-3",
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
    report: Annotated[Path | None, typer.Option(help="Only print the table of this results file.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run more than 10,000 cells.")] = False,
) -> None:
    """Train every cell of a grid and print baseline, prompt, and paired difference with a 95 % interval."""
    try:
        if report is not None:
            typer.echo(format_table(summarize(check_runs(read_runs(report), str(report)))))
            return
        cells = expand(
            _words(data), _words(backbone), split_prompts(prompt), seeds, _numbers(lr), epochs=epochs, limit=limit,
            weight_decay=weight_decay, batch_size=batch_size, optimizer=optimizer, schedule=schedule, augment=augment,
            width=width, image_size=image_size, train_backbone=train_backbone, precision=precision,
        )  # fmt: skip
        if len(cells) > MOST_CELLS and not yes:
            raise ValueError(f"the grid has {len(cells):,} cells, more than {MOST_CELLS:,}: add --yes if you mean it")
        failed = run_grid(cells, out, device=device, root=root)
        mine = {cell.key() for cell in cells}
        runs = [run for run in check_runs(read_runs(out), str(out)) if run["key"] in mine]
        typer.echo(format_table(summarize(runs)))
    except (ValueError, OSError) as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on from {out}", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(1 if failed else 0)


def run_grid(cells: Sequence[Cell], out: Path, *, device: str | None = None, root: str | None = None) -> int:
    """Run the cells that are not in `out` yet, and append each as it is done; returns how many failed.

    Raises:
        ValueError: a cell cannot be built, or the results file is damaged.
        OSError: data files are missing, or the results cannot be written.
    """
    from tqdm import tqdm

    moved = repair(out)
    if moved:
        typer.echo(f"note: {moved}", err=True)
    check_runs(read_runs(out), str(out))
    done, offset = read_new_keys(out, 0)
    waiting = [cell for cell in cells if cell.key() not in done]
    load = _Loader(root)
    _rehearse(waiting, load)
    failed = 0
    with tqdm(total=sum(cell.epochs for cell in waiting), unit="epoch", file=sys.stderr, dynamic_ncols=True) as bar:
        for number, cell in enumerate(waiting, start=1):
            bar.set_description(f"{number}/{len(waiting)} {cell}")
            new, offset = read_new_keys(out, offset)
            done |= new
            if cell.key() in done:  # another process was faster
                bar.update(cell.epochs)
                continue
            failed += not _run_one(cell, load(cell), out, device, lambda _: bar.update())
    return failed


def _run_one(cell: Cell, data: Splits, out: Path, device: str | None, on_epoch: Callable[[Any], Any]) -> bool:
    """Run one cell and append its result; a run that diverges is reported and left out."""
    try:
        result = run_cell(cell, data, device, on_epoch)
    except ValueError as error:
        typer.echo(f"failed: {cell}: {error}", err=True)
        return False
    append_run(out, {**result, **provenance(cell, device)})
    return True


def provenance(cell: Cell, device: str | None) -> dict[str, Any]:
    """Return where, when and by which command a result was made."""
    command = f"python -m vpcore.grid {shlex.join(sys.argv[1:])}"
    used = hardware(str(choose_device(device)))
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return {"command": command, "seed": cell.seed, "versions": versions(), "hardware": used, "time": time}


class _Loader:
    """Load each data set once, and keep the last one."""

    def __init__(self, root: str | None) -> None:
        self.root, self.kept = root, {}

    def __call__(self, cell: Cell) -> Splits:
        wanted = (cell.data, cell.backbone, cell.image_size, cell.limit)
        if wanted not in self.kept:
            self.kept = {wanted: load_cell_data(cell, self.root)}
        return self.kept[wanted]


def _rehearse(cells: Sequence[Cell], load: _Loader) -> None:
    """Build every distinct model once, so that a wrong option is found before hours of training."""
    seen = set()
    for cell in cells:
        kind = (cell.data, cell.backbone, cell.prompt)
        if kind not in seen:
            seen.add(kind)
            check_cell(cell, load(cell))


def _words(text: str) -> list[str]:
    return [word for word in (word.strip() for word in text.split(",")) if word]


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in _words(text)]
    except ValueError:
        raise ValueError(f"--lr must be numbers with commas between, got {text!r}: try 1e-3,1e-2") from None


if __name__ == "__main__":
    app()
