"""Accuracy against the number of training images: the page's figures and tables, drawn from the files of `SETS`."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from course.recorded import Recorded, names, recorded
from course.results.claims import Claim, difference, points
from vpcore.statistics import Interval

NAME = "scale"
DATA = "photodigits:num_test=2000,num_train=16000,num_valid=1000"
SETS = {NAME: DATA, "scale_cifar10": "cifar10"}  # file: its data set
EPOCHS = 16  # at every size; more or fewer where images are parted from steps
NAMES = {
    "full_tuning": "full fine-tuning", "norm_tuning": "norm tuning", "activation": "AP", "instance": "InsVP",
    "instance_image": "InsVP, image prompt", "vpt_deep": "VPT-deep", "full": "full-image prompt",
    "none": "linear probe",
}  # fmt: skip
COLORS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#009e73", "#cc79a7", "#e69f00", "#7f7f7f")  # Okabe and Ito 2008
MARKERS = ("s", "D", "o", "^", "^", "v", "P", "X")
CHANCE = 0.13  # below it, a network of ten classes has learned nothing
Setting = tuple[int, int]  # training images, epochs
Seeds = tuple[float, ...]  # an accuracy in percent of each


def backbones(table: Recorded) -> list[str]:
    """Return the networks of a table, in its order."""
    return list(dict.fromkeys(run["cell"]["backbone"] for run in table.runs))


def curves(table: Recorded, backbone: str) -> dict[str, dict[Setting, Interval]]:
    """Return for each headline method what it reached in each setting, in the order of `NAMES`.

    The 95 % interval is `two_way_interval` against no image right at all; settings of one seed are left out. Of the
    layers of AP the one stays that has the most settings; `_layers` has the others.
    """
    found: dict[str, dict[Setting, set[int]]] = {}
    for run in _runs(table, backbone):
        cell = run["cell"]
        if name(cell["prompt"]) is not None:
            setting = (cell["limit"], cell["epochs"])
            found.setdefault(cell["prompt"], {}).setdefault(setting, set()).add(cell["seed"])
    others = sorted(filter(_is_ap, found), key=lambda prompt: -len(found[prompt]))[1:]
    order = sorted(found.keys() - set(others), key=lambda prompt: list(NAMES).index(prompt.partition(":")[0]))
    made = {
        prompt: {
            (limit, epochs): table.reached(SETS[table.name], prompt, backbone, limit=limit, epochs=epochs)
            for (limit, epochs), seeds in found[prompt].items()
            if len(seeds) > 1
        }
        for prompt in order
    }
    return {prompt: settings for prompt, settings in made.items() if settings}


def name(prompt: str) -> str | None:
    """Return how the page calls a headline method; None for another method."""
    method, _, option = prompt.partition(":")
    layer = option.removeprefix("layer=")
    if option and not (method == "activation" and layer.isdecimal()):
        return None
    return f"{NAMES[method]}, layer {layer}" if option else NAMES.get(method)


def _is_ap(prompt: str) -> bool:
    return (name(prompt) or "").startswith("AP,")


def draw(made: dict[str, dict[Setting, Interval]], title: str, apart: dict[str, dict[Setting, Seeds]]) -> bytes:
    """Return a PNG: a line a method over sizes with 95 % intervals; open markers where the steps are another size's.

    Other numbers of epochs are not drawn. Where a seed learned nothing, `apart` has the accuracies of all: they are
    drawn instead of an interval.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    steps = {limit * epochs for settings in made.values() for limit, epochs in settings if epochs == EPOCHS}
    made = {
        prompt: {(limit, epochs): found for (limit, epochs), found in settings.items() if limit * epochs in steps}
        for prompt, settings in made.items()
    }
    for number, (prompt, settings) in enumerate(made.items()):
        place = list(NAMES).index(prompt.partition(":")[0])
        style = {"color": COLORS[place], "marker": MARKERS[place], "ms": 6, "capsize": 3, "lw": 1.6}
        shift = 1.035 ** (number - len(made) / 2)  # so that intervals stand side by side
        for usual in (True, False):
            there = {s: point for s, point in sorted(settings.items()) if (s[1] == EPOCHS) is usual}
            if there:
                style |= {"label": name(prompt)} if usual else {"ls": "none", "mfc": "white", "label": None}
                sizes = [size * shift * (1 if usual else 1.25 if size < 4000 else 0.8) for size, _ in there]
                means, lows, highs = np.array(list(there.values())).T
                fallen = [apart.get(prompt, {}).get(setting, ()) for setting in there]
                ends = np.where([len(each) > 0 for each in fallen], 0, [means - lows, highs - means])
                axis.errorbar(sizes, means, yerr=ends, **style)
                for size, each in zip(sizes, fallen, strict=True):
                    axis.plot([size] * len(each), each, ".", color=style["color"])
    every = sorted({size for settings in made.values() for size, _ in settings})
    axis.set_xscale("log")
    axis.set_xticks(every, [f"{size:,}" for size in every])
    axis.minorticks_off()
    axis.set(xlabel="training images", ylabel="test accuracy, %", ylim=_ends(made, apart))
    axis.grid(axis="y", color="#dddddd")
    told = f"{title}: {EPOCHS} epochs; bars are 95 % intervals over seeds and test images, moved sideways"
    other = sorted({setting for settings in made.values() for setting in settings if setting[1] != EPOCHS})
    if other:
        told += "\nopen markers: " + ", ".join(f"{n:,} images with the steps of {n * e // EPOCHS:,}" for n, e in other)
    if apart:
        told += "\ndots without a bar: single seeds, where one of them learned nothing"
    axis.set_title(told, fontsize=9)
    axis.legend(loc="upper left", fontsize=8, frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    return picture.getvalue()


def _ends(made: dict[str, dict[Setting, Interval]], apart: dict[str, dict[Setting, Seeds]]) -> tuple[float, float]:
    """Return the ends of an axis of accuracies, whole tens around all intervals and seeds."""
    at = [(prompt, setting, found) for prompt, settings in made.items() for setting, found in settings.items()]
    every = [end for prompt, setting, found in at for end in apart.get(prompt, {}).get(setting, found)]
    return max(0.0, 10 * math.floor((min(every) - 1) / 10)), min(100.0, 10 * math.ceil((max(every) + 1) / 10))


def fallen(table: Recorded, made: dict[str, dict[Setting, Interval]], backbone: str) -> dict[str, dict[Setting, Seeds]]:
    """Return the accuracies in percent of all seeds where at least one of them is at chance, by method and setting."""
    found: dict[str, dict[Setting, Seeds]] = {}
    for prompt, settings in made.items():
        for limit, epochs in settings:
            seeds = table.accuracies(SETS[table.name], prompt, backbone, limit=limit, epochs=epochs)
            if seeds.min() < 100 * CHANCE:
                found.setdefault(prompt, {})[limit, epochs] = tuple(seeds.tolist())
    return found


def lines(folder: Path) -> list[str]:
    """Return the page's part on sizes: a figure, its table, and what images and steps each gave, set by set."""
    text = ["## Accuracy against the number of training images", ""]
    for table, backbone, made in _found(folder):
        title = f"{_set(table)}, {backbone}"
        text += [f"### {title}", "", f"![{_alt(made, title)}]({picture(table, backbone)})", ""]
        text += [*_table(table, made, backbone), "", *_parted(made), "", *_layers(table, backbone)]
    return text


def picture(table: Recorded, backbone: str) -> str:
    """Return the name of a figure."""
    return f"{table.name}_{backbone}.png"


def write(folder: Path) -> list[Path]:
    """Draw the figures beside the page; returns their paths."""
    from vpcore.tensorfile import replace_file

    paths = []
    for table, backbone, made in _found(folder):
        paths.append(folder / picture(table, backbone))
        replace_file(paths[-1], draw(made, f"{_set(table)}, {backbone}", fallen(table, made, backbone)))
    return paths


def _found(folder: Path) -> Iterator[tuple[Recorded, str, dict[str, dict[Setting, Interval]]]]:
    for table in (recorded(name, folder) for name in SETS if name in names(folder)):
        for backbone in backbones(table):
            if made := curves(table, backbone):
                yield table, backbone, made


def _set(table: Recorded) -> str:
    return SETS[table.name].partition(":")[0]


def _alt(made: dict[str, dict[Setting, Interval]], title: str) -> str:
    told = []
    for prompt, settings in made.items():
        usual = sorted(setting for setting in settings if setting[1] == EPOCHS)
        ends = " to ".join(
            f"{settings[at][0]:.0f} % at {at[0]:,} images" for at in dict.fromkeys(usual[:1] + usual[-1:])
        )
        told += [f"{name(prompt)} {ends}"] if ends else []
    return f"Test accuracy against training images, {title}: {'; '.join(told)}."


def _table(table: Recorded, made: dict[str, dict[Setting, Interval]], backbone: str) -> list[str]:
    data = SETS[table.name]
    settings = sorted({setting for found in made.values() for setting in found}, key=lambda s: (s[1] != EPOCHS, s))
    head = ["accuracy %; difference to the probe, points", "learned besides the head"]
    head += [_condition(table, backbone, made, setting) for setting in settings]
    text = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lost = fallen(table, made, backbone)
    for prompt, found in made.items():
        cells = [f"{_learned(table, prompt, backbone):,}"]
        for limit, epochs in settings:
            claim = Claim("", "", data, backbone, prompt, settings={"limit": limit, "epochs": epochs})
            runs = _runs(table, backbone, prompt=prompt, **claim.settings)
            told = [f"{found[limit, epochs][0]:.1f}{_marks(runs)}" if (limit, epochs) in found else ""]
            if prompt != "none" and told[0] and (limit, epochs) in made.get("none", {}):
                told.append(points(difference(table, claim)[0]).replace(" points", ""))
            notes = ["rate at an edge"] if any(run.get("rate_at_edge") for run in runs) else []
            if seeds := lost.get(prompt, {}).get((limit, epochs)):
                others = [seed for seed in seeds if seed >= 100 * CHANCE]
                notes.append(f"{len(seeds) - len(others)} at chance, the others {np.mean(others):.1f} on average")
            cells.append("; ".join(told) + (f" ({', '.join(notes)})" if notes else ""))
        text.append(f"| {name(prompt)} | {' | '.join(cells)} |")
    searched = sorted({run["cell"].get("search_limit") for run in _runs(table, backbone)} - {None})
    said = (
        [f"†: the rate was searched with {' or '.join(f'{limit:,}' for limit in searched)} images"] if searched else []
    )
    given = sorted({run["cell"]["lr"] for run in _runs(table, backbone) if not _searched(run)})
    if given:
        said.append(f"‡: no rate was searched for these runs, they have {' or '.join(f'{rate:g}' for rate in given)}")
    return [*text, "", ". ".join([*said, "Blank: not run", f"At chance: below {100 * CHANCE:.0f} %."])]


def _condition(table: Recorded, backbone: str, made: dict[str, dict[Setting, Interval]], setting: Setting) -> str:
    """Say how many images, epochs and seeds a column of the table has."""
    limit, epochs = setting
    arms = [prompt for prompt, settings in made.items() if setting in settings]
    at = {"limit": limit, "epochs": epochs}
    seeds = sorted({len(table.accuracies(SETS[table.name], prompt, backbone, **at)) for prompt in arms})
    counts = [f"{limit:,} images", f"{seeds[0]} to {seeds[-1]} seeds" if len(seeds) > 1 else f"{seeds[0]} seeds"]
    if epochs != EPOCHS:
        counts.insert(1, _times(epochs))
    return ", ".join(counts)


def _times(epochs: int) -> str:
    return f"{epochs} epoch{'s' * (epochs > 1)}"


def _learned(table: Recorded, prompt: str, backbone: str) -> int:
    counts = _runs(table, backbone, prompt=prompt)[0]["parameters"]
    return counts["prompt"] + counts["tuning"] + counts["learned_backbone"]


def _runs(table: Recorded, backbone: str, **cell: Any) -> list[dict[str, Any]]:
    """Return the runs of a network on the table's data set; `cell` narrows them, as prompt=, limit= or epochs=."""
    wanted = {"data": SETS[table.name], "backbone": backbone, **cell}
    return [run for run in table.runs if wanted.items() <= run["cell"].items()]


def _marks(runs: list[dict[str, Any]]) -> str:
    """Return † where rates were searched with another number of images, and ‡ where none were searched."""
    cells = [run["cell"] for run in runs]
    other = any(cell.get("search_limit") not in (None, cell["limit"]) for cell in cells)
    return "†" * other + "‡" * (not all(map(_searched, runs)))


def _searched(run: dict[str, Any]) -> bool:
    return run["cell"]["trials"] is not None


def _layers(table: Recorded, backbone: str) -> list[str]:
    """Return a table of what AP gains at each layer, over the probe and over a probe of the same layer.

    Of the settings that every layer was recorded in; empty where only one layer was.
    """
    found: dict[str, set[Setting]] = {}
    for run in _runs(table, backbone):
        cell = run["cell"]
        found.setdefault(cell["prompt"], set()).add((cell["limit"], cell["epochs"]))
    prompts = sorted(filter(_is_ap, found), key=lambda prompt: int(prompt.rpartition("=")[2]))
    if len(prompts) < 2:
        return []
    shared = set.intersection(*(found[prompt] for prompt in prompts))
    columns = [
        (f"{words}, {limit:,} images, {_times(epochs)}", base, {"limit": limit, "epochs": epochs})
        for words, base in (("the probe", "none"), ("the probe of that layer", "layer_probe:{}"))
        for limit, epochs in sorted(shared, key=lambda setting: (setting[1] != EPOCHS, setting))
        if all((limit, epochs) in found.get(base.format(prompt.partition(":")[2]), ()) for prompt in prompts)
    ]
    if not columns:
        return []
    text = ["| AP, points over | " + " | ".join(words for words, _, _ in columns) + " |"]
    text.append("|---" * (len(columns) + 1) + "|")
    for prompt in prompts:
        layer = prompt.partition(":")[2]
        claims = [
            Claim("", "", SETS[table.name], backbone, prompt, base.format(layer), settings)
            for _, base, settings in columns
        ]
        told = [
            points(difference(table, claim)[0]).replace(
                " points", _marks(_runs(table, backbone, prompt=prompt, **claim.settings))
            )
            for claim in claims
        ]
        text.append(f"| {layer.replace('=', ' ')} | {' | '.join(told)} |")
    return [*text, ""]


def _parted(made: dict[str, dict[Setting, Interval]]) -> list[str]:
    """Say for each method what 16 times the steps gave without more images, and 16 times the images without steps."""
    few, many, steps, images = (1000, EPOCHS), (16_000, EPOCHS), (1000, 16 * EPOCHS), (16_000, 1)
    told = []
    for prompt, found in made.items():
        if {few, many, steps, images} <= found.keys():
            at = {setting: f"{found[setting][0]:.1f} %" for setting in (few, many, steps, images)}
            both = f"from {at[few]} at 1,000 images to {at[many]} at 16,000"
            alone = f"16 times the steps alone give {at[steps]}, 16 times the images alone {at[images]}"
            told.append(f"- {name(prompt)}: {both}; {alone}.")
    return ["What images and what steps gave:", "", *told] if told else []
