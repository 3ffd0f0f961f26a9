"""Figures of lesson 00: where a prompt may act, and accuracies of recorded and live runs side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from course.show.picture import COLORS, GREY, MARKERS, Picture, canvas, finished, listed, numbers, plain, sentence
from vpcore.backbone import Spec

FROZEN, LEARNED, PLAIN = "#dddddd", "#ffe3d1", "#ffffff"


def places(specs: Sequence[Spec], layer: int, title: str) -> Picture:
    """Draw each network as a row of boxes, with an arrow for every place where a prompt may add δ.

    Args:
        specs: sizes of the networks; only in a ViT there are tokens.
        layer: the block in front of which an activation prompt is drawn.
    """
    figure, axes = canvas(8.2, 1.6 * len(specs) + 0.55, rows=len(specs))
    words = []
    for panel, spec in zip(axes[:, 0], specs, strict=True):
        panel.set(xlim=(-0.55, 8.45), ylim=(-1.0, 0.6))
        panel.set_axis_off()
        panel.set_title(spec.name, fontsize=9, loc="left")
        for place, (text, color) in enumerate(_boxes(spec, layer)):
            panel.text(place, 0.25, text, ha="center", va="center", fontsize=7.5,
                       bbox={"boxstyle": "round,pad=0.35", "facecolor": color, "edgecolor": GREY})  # fmt: skip
            if place:
                panel.text(place - 0.5, 0.25, "→", ha="center", va="center", fontsize=10, color=GREY)
        found = _places(spec, layer)
        for place, (name, shape) in found.items():
            panel.annotate(f"+ δ: {name}\n{shape}", (place, -0.02), (place, -0.75), ha="center", va="center",
                           fontsize=8, color=COLORS[1],
                           arrowprops={"arrowstyle": "->", "color": COLORS[1], "linewidth": 1.6})  # fmt: skip
        words.append(f"{spec.name} has {listed([f'{name} ({shape})' for name, shape in found.values()])}")
    figure.suptitle(f"{title}\ngray: frozen; orange: learned", fontsize=10)
    return Picture(figure, sentence(f"{title}. Boxes from image to logits, the head learned; {'; '.join(words)}"))


def accuracies(
    rows: Mapping[str, Any], title: str, *, live: Collection[str] = (), level: float | None = None,
    level_name: str = "chance", label: str = "", made_by: str = "", error: Mapping[str, float] | None = None,
    unit: str = "test accuracy (%)", over: str = "runs",
) -> Picture:  # fmt: skip
    """Show every value as a dot, one line a group, with mean and standard deviation over the group.

    Args:
        rows: name of the group to its values, such as one a run.
        live: groups that were trained on this machine; the sentence leaves their values out.
        level: a vertical line to compare with.
        level_name: what stands there.
        error: name of a group to a half-width drawn beside its mean in another color, such as 1.96 standard errors.
        unit: of the values.
        over: what a dot is, in the plural.
    """
    figure, axes = canvas(7.2, 0.44 * len(rows) + 1.45 + 0.18 * bool(error))
    panel, words = axes[0, 0], []
    if level is not None:
        panel.axvline(level, color=GREY, linewidth=1, linestyle="--", label=level_name)
    for row, (name, values) in enumerate(rows.items()):
        points, mine = numbers(values), name in live
        style = {"color": COLORS[1 if mine else 0], "marker": MARKERS[2 if mine else 0], "linestyle": ""}
        panel.plot(points, np.full(len(points), row - 0.17), alpha=0.6, markersize=5, markeredgewidth=0, **style)
        panel.errorbar([points.mean()], [row + 0.05], xerr=[points.std(ddof=1)], fmt="k|", capsize=4, markersize=8,
                       label=f"mean ± standard deviation over {over} (the dots)" if row == 0 else None)  # fmt: skip
        if error:
            panel.errorbar([points.mean()], [row + 0.27], xerr=[error[name]], fmt="none", capsize=4, ecolor=COLORS[2],
                           label="± 1.96 standard errors of the test images" if row == 0 else None)  # fmt: skip
        words.append(name if mine else f"{name} {points.mean():.1f} ± {points.std(ddof=1):.1f}")
    panel.set(yticks=range(len(rows)), yticklabels=list(rows), ylim=(len(rows) - 0.4, -0.6), xlabel=unit)
    panel.grid(axis="x", color="#dddddd")
    panel.set_axisbelow(True)
    figure.legend(fontsize=8, frameon=False, loc="outside lower left")
    plain(panel)
    text = f"{title}. {unit}, mean ± standard deviation over {over}: {', '.join(words)}"
    return finished(figure, title, text, label, made_by)


def _boxes(spec: Spec, layer: int) -> list[tuple[str, str]]:
    image, first, inside = ((spec.in_chans, spec.image_size, spec.image_size), spec.shapes[0], spec.shapes[layer])
    last = spec.depth - 1
    return [
        (f"image x\n{_sizes(image)}", PLAIN), ("embed", FROZEN), (f"z\n{_sizes(first)}", PLAIN),
        (f"blocks\n0 … {layer - 1}", FROZEN), (f"z\n{_sizes(inside)}", PLAIN), (f"blocks\n{layer} … {last}", FROZEN),
        ("pool", FROZEN), (f"head\n{spec.dim} → 10", LEARNED), ("logits\n10", PLAIN),
    ]  # fmt: skip


def _places(spec: Spec, layer: int) -> dict[int, tuple[str, str]]:
    found = {0: ("pixels", _sizes((spec.in_chans, spec.image_size, spec.image_size)))}
    if spec.kind == "vit":
        found[2] = ("tokens", f"k more rows of {spec.dim}")
    found[4] = ("activations", _sizes(spec.shapes[layer]))
    return found


def _sizes(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
