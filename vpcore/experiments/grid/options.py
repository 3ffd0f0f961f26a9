"""The options of `python -m vpcore.grid`, and how a command takes its options from a dataclass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import wraps
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from vpcore.experiments.grid.cell import Cell


def option(default: Any, words: str, *names: str) -> Any:
    """Declare an option by its default, its help, and its names where the field's is not enough."""
    return field(default=default, metadata={"option": typer.Option(*names, help=words)})


@dataclass(frozen=True)
class Options:
    """What a grid is told; a field is an option, its default and its help; recipes start as those of a `Cell`."""

    preset: str | None = option(
        None,
        "A table: transfer, scale, msvp, msvp-scales, insvp or ap. Options given beside it narrow or change it.",
    )
    table: int | None = option(None, "Which table of the preset insvp: 1 to 5.")
    figure: int | None = option(None, "Which figure of the preset insvp: 5 or 7.")
    data: str = option("digits", "Data sets, with commas between; photodigits:position=fixed, folder:NAME too.")
    backbone: str = option("simple_cnn", "Backbones, with commas between.")
    prompt: str = option(
        "none,multiscale",
        "Methods: prompts, as multiscale:fusion=concat,scales=1+4; tunings, as lora:rank=4 or norm_tuning; "
        "layer_probe:layer=3; layer=all stands for every layer.",
    )
    seeds: int = option(5, "How many seeds: 0, 1, …")
    shots: str | None = option(
        None, "Training images a class, drawn by the seed: 1,4,16. Few images are few steps an epoch."
    )
    limit: str | None = option(None, "Training images to keep, with commas between: 250,1000; all by default.")
    recipe: str | None = option(
        None,
        "published: as the MSVP paper's code also in split, normalization, validation and the epoch that is tested.",
    )
    max_valid: int | None = option(None, "Most validation images to keep; all by default.")
    max_test: int | None = option(None, "Most test images to keep; all by default.")
    epochs: int = option(Cell.epochs, "Passes over the training images.")
    lr: str = option(
        "1e-3",
        "Learning rates, with commas between; or search: each method's own, on seed 0's validation images, around its "
        "published rate.",
    )
    trials: int = option(5, "Rates that --lr search tries for every method; up to 3 more while the best is at an edge.")
    search_limit: int | None = option(None, "Training images that --lr search tries rates with; by default the run's.")
    weight_decay: float = option(Cell.weight_decay, "L2 for adam and sgd, decoupled for adamw.")
    batch_size: int = option(Cell.batch_size, "Images a step.")
    optimizer: str = option(Cell.optimizer, "adam, adamw or sgd.")
    schedule: str = option(Cell.schedule, "cosine_epoch, cosine or constant.")
    augment: str = option(Cell.augment, "paper: the MSVP paper's, for the sets it names; or none.")
    warmup: float | None = option(None, "Share of the steps in which the rate rises, 0 to 1.")
    width: int | None = option(None, "Channels of simple_cnn's first block.")
    image_size: int | None = option(None, "Edge of the images in pixels.")
    resize: int | None = option(None, "Edge to which images are resized before their middle is cut out at that size.")
    train_backbone: bool | None = option(None, "By default, train what has no weights.", "--train-backbone/--frozen")
    precision: str | None = option(None, "float32, bfloat16 or float16.")
    device: str | None = option(None, "cpu or cuda; by default CUDA if there is one.")
    root: str | None = option(None, "Folder of the data sets; default $VPCORE_DATA.")
    out: Path = option(Path("results.jsonl"), "Results, one JSON line a run; runs found there are not repeated.")
    resume: Path | None = option(None, "An earlier results file, packed or not, whose runs are not repeated either.")
    report: Path | None = option(
        None, "Only print the table of this results file, and write it beside as CSV, LaTeX and PNG."
    )
    report_to: Path | None = option(None, "Another folder for what --report writes.")
    cost: bool = option(False, "Only measure what a training step of each method costs, on random images.", "--cost")
    compile: bool = option(False, "Compile the models, for GPUs.", "--compile")
    cuda_graph: bool = option(False, "Compile the models to CUDA graphs.", "--cuda-graph")
    cluster: str | None = option(None, "Run the cells on a Ray cluster this machine is part of: HOST:PORT, or auto.")
    gpus: float | None = option(None, "With --cluster: share of a GPU a run; by default one where one is used.")
    yes: bool = option(False, "Run more than 10,000 cells.", "--yes")


def takes(kind: type[Any]) -> Callable[[Callable[[typer.Context, Any], None]], Callable[..., None]]:
    """Let a command take one option for each field of a dataclass; its function is given one such object."""

    def decorate(act: Callable[[typer.Context, Any], None]) -> Callable[..., None]:
        @wraps(act)
        def command(context: typer.Context, **values: Any) -> None:
            act(context, kind(**values))

        hints = get_type_hints(kind)
        asked = [Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
        for each in fields(kind):
            annotation = Annotated[hints[each.name], each.metadata["option"]]
            asked.append(Parameter(each.name, Parameter.KEYWORD_ONLY, default=each.default, annotation=annotation))
        command.__signature__ = Signature(asked)  # type: ignore[attr-defined]
        return command

    return decorate


def typed(context: typer.Context) -> set[str]:
    """Return the names of the options that were typed; the others hold their defaults."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
