"""The figure of a claim over sizes: accuracy against the number of training images, with intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from course.recorded import Recorded
from course.show.picture import COLORS, MARKERS, Picture, canvas, finished, listed, plain
from vpcore.statistics import Interval


def sizes(curves: Mapping[str, Mapping[int, tuple[float, float, float]]], title: str, *, label: str = "") -> Picture:
    """Show accuracies in percent over numbers of training images, on a logarithmic axis.

    Args:
        curves: name to {training images: (accuracy, low end, high end)}, at most four.
        title: of the figure.
        label: which runs they come from.
    """
    figure, axes = canvas(6.4, 3.2)
    panel, words = axes[0, 0], []
    for number, (name, points) in enumerate(curves.items()):
        shift = 1.04 ** (number - (len(curves) - 1) / 2)  # so that intervals stand side by side
        means, lows, highs = np.array([points[size] for size in sorted(points)]).T
        look = {"color": COLORS[number], "fmt": f"{MARKERS[number]}-", "markersize": 5, "capsize": 3, "linewidth": 1.2}
        places = [size * shift for size in sorted(points)]
        panel.errorbar(places, means, yerr=[means - lows, highs - means], label=name, **look)
        words.append(f"{name} from {means[0]:.0f} to {means[-1]:.0f} %")
    every = sorted({size for points in curves.values() for size in points})
    panel.set_xscale("log")
    panel.set_xticks(every, [f"{size:,}" for size in every])
    panel.minorticks_off()
    panel.set(xlabel="training images", ylabel="test accuracy (%), 95 % interval")
    panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    plain(panel)
    ends = f"{every[0]:,} to {every[-1]:,} training images"
    return finished(figure, title, f"{title}: test accuracy over {ends}, for {listed(words)}", label)


def more_images(
    table: Recorded, prompts: Mapping[str, str], backbone: str = "resnet_nano", epochs: int = 16
) -> Picture:
    """Print what prompts gain over a linear probe at each recorded number of training images, and draw what they reach.

    The last lines part images from steps, where that is recorded: many images in one epoch, few in very many.

    Args:
        table: runs of the preset `scale` on one data set.
        prompts: name to the prompt as the record writes it, at most three.
        backbone: the frozen network.
        epochs: those that every size had.
    """
    runs = [run for run in table.runs if run["cell"]["backbone"] == backbone and run["cell"]["epochs"] == epochs]
    data = runs[0]["cell"]["data"]
    seeds = {
        size: len({run["cell"]["seed"] for run in runs if run["cell"]["limit"] == size})
        for size in sorted({run["cell"]["limit"] for run in runs})
    }
    names = {"linear probe": "none", **prompts}
    curves = {
        name: {size: table.reached(data, prompt, backbone, limit=size, epochs=epochs) for size in seeds}
        for name, prompt in names.items()
    }
    for size in seeds:
        for name, prompt in prompts.items():
            _say(f"{size:6,} images, {name}", table.gain(data, "none", prompt, backbone, limit=size, epochs=epochs))
    apart = Counter(
        (cell["limit"], cell["epochs"], cell["prompt"])
        for cell in (run["cell"] for run in table.runs)
        if cell["backbone"] == backbone and cell["epochs"] != epochs
    )
    for limit, passes in sorted({(limit, passes) for limit, passes, _ in apart}):
        for name, prompt in prompts.items():
            if min(apart[limit, passes, "none"], apart[limit, passes, prompt]) > 1:
                found = table.gain(data, "none", prompt, backbone, limit=limit, epochs=passes)
                _say(f"{limit:6,} images, {passes} epoch{'s' * (passes > 1)}, {name}", found)
    usual = max(seeds.values())
    fewer = ", ".join(f"{count} at {size:,}" for size, count in seeds.items() if count < usual)
    told = f"{usual} seeds{f' ({fewer})' if fewer else ''}, {runs[0]['num_test']:,} test images"
    label = f"recorded, {epochs} epochs at every size, {told}"
    return sizes(curves, f"More images, {data.partition(':')[0]}, frozen {backbone}", label=label)


def _say(words: str, found: Interval) -> None:
    ends = f"({found.low:+.1f} to {found.high:+.1f})"
    print(f"{words}: {found.mean:+5.1f} points {ends} against the probe: {found.verdict()}")
