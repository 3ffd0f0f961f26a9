"""The options of `python -m vpcore.grid`, and how a command takes its options from a dataclass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from vpcore.experiments.grid.cell import Cell


@dataclass(frozen=True)
class Options:
    """What a grid is told; a field is an option, its default and its help; recipes start as those of a `Cell`."""

    preset: Annotated[
        str | None,
        typer.Option(
            help="A paper's table by name: transfer, msvp, msvp-scales, insvp or ap. Options given beside it narrow or "
            "change it."
        ),
    ] = None
    table: Annotated[int | None, typer.Option(help="Which table of the preset insvp: 1 to 5.")] = None
    figure: Annotated[int | None, typer.Option(help="Which figure of the preset insvp: 5 or 7.")] = None
    data: Annotated[
        str, typer.Option(help="Data sets, with commas between; photodigits:position=fixed, folder:NAME too.")
    ] = "digits"
    backbone: Annotated[str, typer.Option(help="Backbones, with commas between.")] = "simple_cnn"
    prompt: Annotated[
        str,
        typer.Option(
            help="Methods: prompts, as multiscale:fusion=concat,scales=1+4; tunings, as lora:rank=4 or norm_tuning; "
            "layer_probe:layer=3; layer=all stands for every layer."
        ),
    ] = "none,multiscale"
    seeds: Annotated[int, typer.Option(help="How many seeds: 0, 1, …")] = 5
    shots: Annotated[
        str | None,
        typer.Option(help="Training images a class, drawn by the seed: 1,4,16. Few images are few steps an epoch."),
    ] = None
    limit: Annotated[int | None, typer.Option(help="Most training images to keep; all by default.")] = None
    max_valid: Annotated[int | None, typer.Option(help="Most validation images to keep; all by default.")] = None
    max_test: Annotated[int | None, typer.Option(help="Most test images to keep; all by default.")] = None
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = Cell.epochs
    lr: Annotated[
        str,
        typer.Option(
            help="Learning rates, with commas between; or search: each method's own, on seed 0's validation images, "
            "around its published rate."
        ),
    ] = "1e-3"
    trials: Annotated[
        int,
        typer.Option(help="Rates that --lr search tries for every method; up to 3 more while the best is at an edge."),
    ] = 5
    weight_decay: Annotated[float, typer.Option(help="L2 for adam and sgd, decoupled for adamw.")] = Cell.weight_decay
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = Cell.batch_size
    optimizer: Annotated[str, typer.Option(help="adam, adamw or sgd.")] = Cell.optimizer
    schedule: Annotated[str, typer.Option(help="cosine_epoch, cosine or constant.")] = Cell.schedule
    augment: Annotated[str, typer.Option(help="paper: the MSVP paper's, for the sets it names; or none.")] = (
        Cell.augment
    )
    width: Annotated[int | None, typer.Option(help="Channels of simple_cnn's first block.")] = None
    image_size: Annotated[int | None, typer.Option(help="Edge of the images in pixels.")] = None
    train_backbone: Annotated[
        bool | None, typer.Option("--train-backbone/--frozen", help="By default, train what has no weights.")
    ] = None
    precision: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16.")] = None
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default CUDA if there is one.")] = None
    root: Annotated[str | None, typer.Option(help="Folder of the data sets; default $VPCORE_DATA.")] = None
    out: Annotated[Path, typer.Option(help="Results, one JSON line a run; runs found there are not repeated.")] = Path(
        "results.jsonl"
    )
    resume: Annotated[
        Path | None, typer.Option(help="An earlier results file, packed or not, whose runs are not repeated either.")
    ] = None
    report: Annotated[
        Path | None,
        typer.Option(help="Only print the table of this results file, and write it beside as CSV, LaTeX and PNG."),
    ] = None
    report_to: Annotated[Path | None, typer.Option(help="Another folder for what --report writes.")] = None
    cost: Annotated[
        bool, typer.Option("--cost", help="Only measure what a training step of each method costs, on random images.")
    ] = False
    compile: Annotated[bool, typer.Option("--compile", help="Compile the models, for GPUs.")] = False
    cuda_graph: Annotated[bool, typer.Option("--cuda-graph", help="Compile the models to CUDA graphs.")] = False
    cluster: Annotated[
        str | None, typer.Option(help="Run the cells on a Ray cluster this machine is part of: HOST:PORT, or auto.")
    ] = None
    gpus: Annotated[
        float | None, typer.Option(help="With --cluster: share of a GPU a run; by default one where one is used.")
    ] = None
    yes: Annotated[bool, typer.Option("--yes", help="Run more than 10,000 cells.")] = False


def takes(kind: type[Any]) -> Callable[[Callable[[typer.Context, Any], None]], Callable[..., None]]:
    """Let a command take one option for each field of a dataclass; its function is given one such object."""

    def decorate(act: Callable[[typer.Context, Any], None]) -> Callable[..., None]:
        @wraps(act)
        def command(context: typer.Context, **values: Any) -> None:
            act(context, kind(**values))

        hints = get_type_hints(kind, include_extras=True)
        asked = [Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
        asked += [
            Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
            for field in fields(kind)
        ]
        command.__signature__ = Signature(asked)  # type: ignore[attr-defined]
        return command

    return decorate


def typed(context: typer.Context) -> set[str]:
    """Return the names of the options that were typed; the others hold their defaults."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
