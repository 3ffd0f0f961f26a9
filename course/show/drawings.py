"""Schematics of the methods: boxes, small grids and arrows on a sheet whose unit is an inch.

A drawing is at most 4.4 inches wide and no word is smaller than 9 points, so it is read on a phone too. White boxes
are data, gray ones are frozen, orange ones with a thick edge learn; a dashed arrow is a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from course.show.picture import COLORS, GREY, Picture, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 4.4  # inches; 484 pixels, about 350 on a phone
SIZE = 9.5  # points
Kind = Literal["data", "frozen", "learned"]
LOOKS: dict[Kind, dict[str, Any]] = {
    "data": {"facecolor": "#ffffff", "edgecolor": GREY, "linewidth": 1.0},
    "frozen": {"facecolor": "#dddddd", "edgecolor": GREY, "linewidth": 1.0},
    "learned": {"facecolor": "#ffe3d1", "edgecolor": COLORS[1], "linewidth": 2.2},
}
Point = tuple[float, float]


def sheet(height: float, width: float = WIDTH) -> tuple[Any, Axes]:
    """Return a figure and its one axes, in which a unit is an inch and the origin is the lower left corner."""
    figure, axes = canvas(width, height, layout="none")
    panel = axes[0, 0]
    panel.set_position((0, 0, 1, 1))
    panel.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    panel.set_axis_off()
    return figure, panel


def box(panel: Axes, center: Point, size: Point, text: str, kind: Kind = "data") -> None:
    """Draw a box with words in it.

    Args:
        panel: of `sheet`.
        center: of the box, in inches.
        size: width and height, in inches.
        text: a line or several.
        kind: "data", "frozen" or "learned".
    """
    from matplotlib.patches import FancyBboxPatch

    corner = (center[0] - size[0] / 2, center[1] - size[1] / 2)
    panel.add_patch(FancyBboxPatch(corner, *size, boxstyle="round,pad=0,rounding_size=0.07", **LOOKS[kind]))
    note(panel, center, text)


def grid(
    panel: Axes, center: Point, side: float, values: Any, kind: Kind = "data", *, lines: bool = True, colors: str = ""
) -> None:
    """Draw a picture or a map of (rows, columns) or (rows, columns, 3) entries.

    Args:
        panel: of `sheet`.
        center: of the picture, in inches.
        side: of the square it fills, in inches.
        values: in [0, 1]; a map is centered at 0.5. NaN leaves an entry white.
        kind: gives the edge.
        lines: whether the entries are parted by lines.
        colors: matplotlib's name of the color scale; a learned map has "PuOr", anything else "gray".
    """
    from matplotlib.patches import Rectangle

    array = np.asarray(values, dtype=float)
    left, low = center[0] - side / 2, center[1] - side / 2
    name = colors or ("PuOr" if kind == "learned" else "gray")
    scale: dict[str, Any] = {"cmap": name, "vmin": 0, "vmax": 1} if array.ndim == 2 else {}
    extent = (left, left + side, low, low + side)
    panel.imshow(array, extent=extent, interpolation="nearest", zorder=2, aspect="auto", **scale)
    for part in np.linspace(0, side, len(array) + 1)[1:-1] if lines else ():
        for ends in (([left + part] * 2, [low, low + side]), ([left, left + side], [low + part] * 2)):
            panel.plot(*ends, color="white", linewidth=0.8, zorder=3)
    look = LOOKS[kind]
    panel.add_patch(
        Rectangle(
            (left, low), side, side, fill=False, edgecolor=look["edgecolor"], linewidth=look["linewidth"], zorder=4
        )
    )


def arrow(panel: Axes, start: Point, end: Point, *, gradient: bool = False, bend: float = 0.0) -> None:
    """Draw an arrow between two points in inches: solid for values, dashed and orange for a gradient."""
    color = COLORS[1] if gradient else "#1a1a1a"
    style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
    style |= {"linestyle": (0, (4, 2)) if gradient else "-", "connectionstyle": f"arc3,rad={bend}"}
    panel.annotate("", end, start, arrowprops=style, zorder=5)


def note(panel: Axes, place: Point, text: str, *, color: str = "#1a1a1a", size: float = SIZE, **how: Any) -> None:
    """Write words centered at a place in inches; `how` goes to matplotlib, such as ha="left"."""
    panel.text(*place, text, **{"ha": "center", "va": "center", "fontsize": size, "color": color, "zorder": 6, **how})


def frame(image: Any) -> Picture:
    """Draw x → x + δ: a frame added to an image, the frozen network, the head, and the way of the gradient.

    Args:
        image: (H, W) gray or (H, W, 3), values in [0, 1].
    """
    figure, panel = sheet(3.55)
    picture = np.asarray(image, dtype=float)
    shown = picture[..., None].repeat(3, 2) if picture.ndim == 2 else picture
    border = np.full(shown.shape[:2], np.nan)
    noise = np.random.default_rng(3).uniform(0.15, 0.85, border.shape)
    edge = max(1, round(len(border) / 8))
    inside = (slice(edge, -edge),) * 2
    around = np.ones(border.shape, bool)
    around[inside] = False
    border[around] = noise[around]
    both = shown.copy()
    both[around] = np.clip(shown[around] + 0.7 * (noise[around] - 0.5)[:, None], 0, 1)
    row: list[tuple[float, Any, Kind, str]] = [
        (0.62, shown, "data", "image x"), (2.2, border, "learned", "prompt δ"), (3.78, both, "data", "x + δ"),
    ]  # fmt: skip
    for place, values, kind, words in row:
        grid(panel, (place, 2.72), 1.0, values, kind, lines=False)
        note(panel, (place, 3.37), words)
    note(panel, (1.41, 2.72), "+", size=16)
    note(panel, (2.99, 2.72), "=", size=16)
    level = 1.1
    arrow(panel, (3.78, 2.2), (3.78, level + 0.33))
    box(panel, (3.3, level), (1.9, 0.62), "network f\nfrozen", "frozen")
    box(panel, (1.55, level), (0.9, 0.62), "head h\nlearned", "learned")
    arrow(panel, (2.35, level + 0.12), (2.0, level + 0.12))
    box(panel, (0.47, level), (0.74, 0.62), "loss")
    arrow(panel, (1.1, level + 0.12), (0.84, level + 0.12))
    arrow(panel, (0.84, level - 0.17), (1.1, level - 0.17), gradient=True)
    arrow(panel, (2.0, level - 0.17), (2.35, level - 0.17), gradient=True)
    arrow(panel, (2.62, level + 0.33), (2.25, 2.18), gradient=True)
    words = "gradient: back through head and frozen network to δ"
    note(panel, (2.2, 0.5), words, color=COLORS[1], size=9)
    alt = (
        "A visual prompt. An image x plus a learned frame δ gives x + δ; it passes the frozen network f and the "
        "learned head h into the loss. The gradient of the loss goes back through the head and the frozen network to δ."
    )
    return Picture(figure, alt)


def multiscale(maps: Sequence[Any], stretched: Sequence[Any], average: Any) -> Picture:
    """Draw MSVP: three small maps, each stretched to the size of the image, and their average.

    Args:
        maps: P_g, P_m and P_l, each (s, s), centered at zero.
        stretched: the same three, as U(P) (H, W).
        average: of the stretched ones (H, W).
    """
    figure, panel = sheet(3.6)
    limit = 2 * max(float(np.abs(values).max()) for values in maps) or 1.0
    names = (("$P_g$", "global"), ("$P_m$", "mid"), ("$P_l$", "local"))
    for row, (small, large, (name, word)) in enumerate(zip(maps, stretched, names, strict=True)):
        height = 2.88 - 1.13 * row
        grid(panel, (1.12, height), 0.8, 0.5 + np.asarray(small) / limit, "learned")
        size = len(np.asarray(small))
        note(panel, (0.36, height), f"{name}\n{word}\n{size}×{size}")
        arrow(panel, (1.6, height), (2.0, height))
        grid(panel, (2.45, height), 0.8, 0.5 + np.asarray(large) / limit, colors="PuOr", lines=False)
        arrow(panel, (2.9, height), (3.33, 1.75 + 0.18 * (1 - row)))
    note(panel, (1.12, 3.45), "learned")
    note(panel, (2.45, 3.45), "stretched, $U(P)$")
    grid(panel, (3.83, 1.75), 0.9, 0.5 + np.asarray(average) / limit, colors="PuOr", lines=False)
    note(panel, (3.83, 2.4), "average $M$")
    note(panel, (3.83, 1.15), "added to\nevery image:\n$x' = x + M$", va="top")
    sizes = ", ".join(f"{len(np.asarray(small))}×{len(np.asarray(small))}" for small in maps)
    alt = (
        f"MSVP. Three learned maps of {sizes} entries, global, mid and local, are each stretched to the size of the "
        "image; their average M is added to every image."
    )
    return Picture(figure, alt)


def vit(image: Any) -> Picture:
    """Draw what a Vision Transformer does: patches, embedding, class token, positions, blocks, head.

    Args:
        image: (H, W) or (H, W, 3), values in [0, 1]; it is drawn as four patches.
    """
    figure, panel = sheet(4.9)
    picture = np.asarray(image, dtype=float)
    picture = picture[..., None].repeat(3, 2) if picture.ndim == 2 else picture
    half = len(picture) // 2
    parts = [picture[r : r + half, c : c + half] for r in (0, half) for c in (0, half)]
    columns = [0.5 + 0.85 * place for place in range(5)]
    grid(panel, (0.5, 4.3), 0.8, picture, lines=False)
    note(panel, (0.5, 4.8), "image", size=9)
    for place, part in zip(columns[1:], parts, strict=True):
        grid(panel, (place, 4.3), 0.55, part, lines=False)
    note(panel, (2.6, 4.76), "cut into patches", size=9)
    arrow(panel, (0.94, 4.3), (1.06, 4.3))
    box(panel, (2.63, 3.5), (3.2, 0.36), "embed each: W · patch + b", "frozen")
    for place, word in zip(columns, ("class", "1", "2", "3", "4"), strict=True):
        if word != "class":
            arrow(panel, (place, 4.0), (place, 3.69))
            arrow(panel, (place, 3.31), (place, 2.99))
        box(panel, (place, 2.8), (0.6, 0.36), "class\ntoken" if word == "class" else f"token {word}",
            "frozen" if word == "class" else "data")  # fmt: skip
        note(panel, (place, 2.5), "+", size=12)
        box(panel, (place, 2.23), (0.6, 0.3), f"pos {columns.index(place)}", "frozen")
        arrow(panel, (place, 2.07), (place, 1.8))
    box(panel, (2.2, 1.4), (4.1, 0.76), "L blocks, each in two steps:\nattention (tokens look at each other),\n"
        "then an MLP (each token alone)", "frozen")  # fmt: skip
    arrow(panel, (0.5, 1.0), (0.5, 0.62))
    note(panel, (0.66, 0.83), "only the class token is read", ha="left", size=9)
    box(panel, (0.78, 0.4), (1.3, 0.4), "head: K logits", "learned")
    alt = (
        "A Vision Transformer. An image is cut into patches; each is embedded by one linear map W and a bias b as a "
        "token. A class token is put in front, a position embedding is added to each token, and blocks of attention "
        "and an MLP follow. The head reads the class token."
    )
    return Picture(figure, alt)


def activation(depth: int = 5, layer: int = 2) -> Picture:
    """Draw an activation prompt: what runs once below it, δ, and what runs again in each step above it.

    Args:
        depth: number of blocks that are drawn, 3 to 6.
        layer: of the prompt, 1 to depth - 1.
    """
    figure, panel = sheet(2.0 + 0.52 * depth)
    heights = [0.95 + 0.52 * block + (0.75 if block >= layer else 0) for block in range(depth)]
    middle, wide = 1.55, (1.5, 0.36)
    box(panel, (middle, 0.3), wide, "image x")
    for block, height in enumerate(heights):
        start = 0.48 if block == 0 else heights[block - 1] + 0.18
        arrow(panel, (middle, start), (middle, height - 0.18))
        box(panel, (middle, height), wide, f"block {block}", "frozen")
    place = (heights[layer - 1] + heights[layer]) / 2
    note(panel, (middle - 0.12, place), f"$z^{layer}$", ha="right")
    box(panel, (3.45, place), (1.1, 0.4), "prompt δ", "learned")
    arrow(panel, (2.9, place), (middle + 0.16, place))
    panel.plot(middle, place, "o", color="white", markeredgecolor="#1a1a1a", markersize=13, zorder=6)
    note(panel, (middle, place), "+", size=11, zorder=7)
    top = heights[-1] + 0.52
    arrow(panel, (middle, heights[-1] + 0.18), (middle, top - 0.18))
    box(panel, (middle, top), (1.9, 0.36), "pool, then head h", "learned")
    ends = (
        (0.12, heights[layer - 1] + 0.2, "runs once:\ncached"),
        (place + 0.28, top + 0.18, "runs again\nin each step"),
    )
    for low, high, words in ends:
        panel.plot([2.62, 2.7, 2.7, 2.62], [low, low, high, high], color=GREY, linewidth=1.2)
        note(panel, (2.82, (low + high) / 2), words, ha="left")
    low = place - 0.34
    panel.plot([0.58, 0.45, 0.45, 3.45], [top, top, low, low], color=COLORS[1], linewidth=1.4, linestyle=(0, (4, 2)))
    arrow(panel, (3.45, low), (3.45, place - 0.21), gradient=True)
    note(panel, (0.3, (top + place) / 2), "gradient", color=COLORS[1], size=9, rotation=90)
    alt = (
        f"An activation prompt before block {layer}: δ is added to the activations z of that layer. The blocks below "
        "it run once and are cached; the blocks above it, the pooling and the head run again in each step, and the "
        "gradient of the loss goes back through them to δ."
    )
    return Picture(figure, alt)


def instance_image(image: Any, patch: Any, whole: Any, both: Any) -> Picture:
    """Draw InsVP at the image level: two small networks draw a picture each, and their mix is added to the image.

    Args:
        image: (H, W) gray, values in [0, 1].
        patch: the picture of the patch prompter (H, W), centered at zero.
        whole: that of the global prompter, alike.
        both: their mix, alike.
    """
    figure, panel = sheet(4.5)
    limit = 2 * max(float(np.abs(values).max()) for values in (patch, whole, both)) or 1.0
    grid(panel, (0.65, 2.3), 0.95, image, lines=False)
    note(panel, (0.65, 2.92), "image x")
    rows = ((3.55, patch, "patch prompter\none MLP for\nall patches", r"$p^\ell$"),
            (1.05, whole, "global prompter\ntwo dilated\nconvolutions", "$p^g$"))  # fmt: skip
    for height, values, words, name in rows:
        sign = 1 if height > 2.3 else -1
        arrow(panel, (0.65, 2.3 + sign * (0.7 if sign > 0 else 0.52)), (1.02, height - sign * 0.2))
        box(panel, (1.72, height), (1.36, 0.72), words, "learned")
        arrow(panel, (2.42, height), (2.72, height))
        grid(panel, (3.12, height), 0.74, 0.5 + np.asarray(values) / limit, colors="PuOr", lines=False)
        note(panel, (3.12, height + 0.55), name)
        arrow(panel, (3.35, height - sign * 0.44), (3.72, 2.3 + sign * 0.55))
    note(panel, (3.62, 2.99), "· (1 − β)", size=9, ha="left")
    note(panel, (3.62, 1.61), "· β", size=9, ha="left")
    grid(panel, (3.85, 2.3), 0.9, 0.5 + np.asarray(both) / limit, colors="PuOr", lines=False)
    note(panel, (2.13, 2.3), "added to x: the prompt\n$p^\\mathrm{I}$ of this image")
    arrow(panel, (3.36, 2.3), (3.02, 2.3))
    alt = (
        "InsVP at the image level. The patch prompter, one MLP for all patches, and the global prompter, two dilated "
        "convolutions, each draw a picture from the image x; the mix of both, weighted by 1 − β and β, is added to x."
    )
    return Picture(figure, alt)


def tokens(deep: bool = True) -> Picture:
    """Draw VPT: prompt tokens put between class token and patches, and, if deep, replaced before each block."""
    figure, panel = sheet(3.85)
    columns, kinds = (0.55, 1.2, 1.85, 2.5, 3.15, 3.8), ("data", "learned", "learned", "data", "data", "data")
    names = ("class", "p", "p", "1", "2", "3")
    for row, height in enumerate((0.85, 2.15, 3.45)):
        for place, kind, name in zip(columns, kinds, names, strict=True):
            made = row and name == "p" and not deep  # shallow tokens are what a block made of them
            word = f"$p_{row + 1}$" if name == "p" and deep else name
            box(panel, (place, height), (0.56, 0.34), word, "data" if made else kind)  # type: ignore[arg-type]
        if row < 2:
            box(panel, (2.18, height + 0.65), (3.8, 0.34), f"block {row + 1}", "frozen")
            for place, name in zip(columns, names, strict=True):
                arrow(panel, (place, height + 0.18), (place, height + 0.47))
                if name != "p" or not deep:
                    arrow(panel, (place, height + 0.83), (place, height + 1.12))
                else:
                    note(panel, (place, height + 0.96), "×", color=COLORS[1], size=13)
    words = "thrown away after each block;\nthe next block gets new ones" if deep else "carried along by the blocks"
    note(panel, (2.18, 0.36), f"$L_p$ = 2 prompt tokens, {'deep' if deep else 'shallow'}:\n{words}", va="center")
    alt = (
        f"Visual prompt tuning, {'deep' if deep else 'shallow'}. Between class token and patches stand two learned "
        f"prompt tokens; they are {words.replace(chr(10), ' ')}. Frozen blocks let every token look at every other one."
    )
    return Picture(figure, alt)


def label_mapping(image: Any) -> Picture:
    """Draw label mapping: a prompted image, the network with its old classes, and the three that stand for digits.

    Args:
        image: (H, W, 3), values in [0, 1].
    """
    figure, panel = sheet(3.6)
    shown = np.asarray(image, dtype=float)
    noise = np.random.default_rng(5).uniform(0.15, 0.85, shown.shape[:2])
    grid(panel, (0.6, 2.75), 0.8, shown, lines=False)
    note(panel, (0.6, 3.3), "image x")
    note(panel, (0.6, 2.19), "+", size=14)
    grid(panel, (0.6, 1.62), 0.8, noise, "learned", lines=False)
    note(panel, (0.6, 1.02), "prompt δ")
    arrow(panel, (1.08, 2.19), (1.32, 2.19))
    box(panel, (1.83, 2.19), (0.98, 1.0), "network\nwith its\nold head,\nfrozen", "frozen")
    sources = (("apple", ""), ("bottle", "0"), ("couch", ""), ("orchid", "2"), ("…", ""), ("worm", "1"))
    targets = {"0": 3.0, "1": 2.19, "2": 1.38}
    note(panel, (2.95, 3.4), "S source classes")
    note(panel, (4.08, 3.4), "digits")
    for row, (word, digit) in enumerate(sources):
        height = 3.05 - 0.36 * row
        note(panel, (2.95, height), word) if word == "…" else box(panel, (2.95, height), (0.72, 0.3), word, "frozen")
        arrow(panel, (2.34, 2.19), (2.56, height))
        if digit:
            arrow(panel, (3.34, height), (3.84, targets[digit]))
    for digit, height in targets.items():
        box(panel, (4.06, height), (0.4, 0.3), digit)
    note(panel, (2.93, 0.87), "digit k reads the logit of $m(k)$", size=9)
    panel.plot([4.06, 4.06, 0.6], [1.2, 0.55, 0.55], color=COLORS[1], linewidth=1.4, linestyle=(0, (4, 2)))
    arrow(panel, (0.6, 0.55), (0.6, 0.88), gradient=True)
    note(panel, (2.2, 0.33), "gradient: back to δ, the only part that learns", color=COLORS[1], size=9)
    alt = (
        "Label mapping. An image x plus a learned prompt δ passes the frozen network and its old head; each digit "
        "reads the logit of one source class, such as 0 that of bottle. The gradient goes back to δ, the only part "
        "that learns."
    )
    return Picture(figure, alt)


def weight_deltas() -> Picture:
    """Draw BitFit, SSF and LoRA as three ways to change one frozen layer, a row each."""
    figure, panel = sheet(5.0)
    rows = (("BitFit", "$y = Wx + b + Δb$", 2.6), ("SSF", "$y = s · (Wx + b) + t$", 2.15),
            ("LoRA of rank r", "$y = Wx + b + (α/r)\\, BAx$", 3.62))  # fmt: skip
    for (name, formula, knot), top in zip(rows, (4.8, 3.3, 1.8), strict=True):
        note(panel, (0.12, top), name, ha="left", size=11)
        note(panel, (4.28, top), formula, ha="right")
        note(panel, (0.2, top - 0.55), "x")
        note(panel, (4.2, top - 0.55), "y")
        arrow(panel, (0.32, top - 0.55), (0.6, top - 0.55))
        box(panel, (1.05, top - 0.55), (0.86, 0.5), "W, b\nfrozen", "frozen")
        arrow(panel, (1.48, top - 0.55), (knot - 0.13, top - 0.55))
    knots = ((4.25, 2.6, 4.08, "+", "Δb"), (2.75, 2.15, 3.07, "×", "scale s"), (2.75, 3.2, 4.08, "+", "shift t"),
             (1.25, 3.62, 4.08, "+", ""))  # fmt: skip
    for middle, place, end, sign, word in knots:
        note(panel, (place, middle), sign, size=12, bbox={"boxstyle": "circle,pad=0.12", "fc": "white", "ec": GREY})
        arrow(panel, (place + 0.14, middle), (end, middle))
        if word:
            box(panel, (place, middle - 0.55), (0.78, 0.32), word, "learned")
            arrow(panel, (place, middle - 0.39), (place, middle - 0.14))
    arrow(panel, (0.26, 1.13), (0.84, 0.56))
    box(panel, (1.35, 0.45), (0.96, 0.5), "A\nr × inputs", "learned")
    arrow(panel, (1.85, 0.45), (2.17, 0.45))
    box(panel, (2.73, 0.45), (1.06, 0.5), "B, from 0\noutputs × r", "learned")
    arrow(panel, (3.28, 0.53), (3.57, 1.1))
    note(panel, (3.5, 0.68), "· α/r", ha="left", size=9)
    alt = (
        "Three ways to change a frozen layer with weight W and bias b. BitFit adds a learned Δb to the output. SSF "
        "multiplies the output by a learned scale s and adds a learned shift t. LoRA adds a side path: A maps the "
        "input to r numbers, B, which starts at zero, maps them to the outputs."
    )
    return Picture(figure, alt)


def instance_tokens() -> Picture:
    """Draw InsVP at the feature level: common tokens of a block, specific tokens of the image, and their mix."""
    figure, panel = sheet(3.75)
    box(panel, (0.72, 3.5), (1.0, 0.34), "image x")
    arrow(panel, (0.72, 3.32), (0.72, 2.84))
    box(panel, (0.72, 2.5), (1.2, 0.62), "$G_s$: three\nconvolutions", "learned")
    arrow(panel, (1.34, 2.5), (1.64, 2.5))
    note(panel, (2.15, 3.05), "specific tokens,\nmade of the image", size=9)
    note(panel, (3.6, 3.05), "common tokens\nof block j", size=9)
    for place in (1.91, 2.39):
        box(panel, (place, 2.5), (0.42, 0.34), "$p^s$")
        box(panel, (place, 1.15), (0.42, 0.34), "$p_j$")
    for place in (3.36, 3.84):
        box(panel, (place, 2.5), (0.42, 0.34), "$p^c_j$", "learned")
    arrow(panel, (2.15, 2.29), (2.15, 1.98))
    panel.plot([3.6, 3.6], [2.31, 1.82], color="#1a1a1a", linewidth=1.4)
    arrow(panel, (3.6, 1.82), (2.29, 1.82))
    note(panel, (2.15, 1.82), "+", size=12, bbox={"boxstyle": "circle,pad=0.12", "fc": "white", "ec": GREY})
    arrow(panel, (2.15, 1.66), (2.15, 1.36))
    note(panel, (2.05, 2.13), "· (1 − $β_F$)", ha="right", size=9)
    note(panel, (3.68, 2.0), "· $β_F$", ha="left", size=9)
    for place, word in ((1.3, "class"), (3.0, "1"), (3.48, "2"), (3.96, "3")):
        box(panel, (place, 1.15), (0.52 if word == "class" else 0.42, 0.34), word)
    for place in (1.3, 1.91, 2.39, 3.0, 3.48, 3.96):
        arrow(panel, (place, 0.97), (place, 0.74))
    box(panel, (2.6, 0.55), (3.2, 0.34), "block j", "frozen")
    note(panel, (2.6, 0.19), "after it, what became of $p_j$ is thrown away", size=9)
    alt = (
        "InsVP at the feature level. A small network of three convolutions makes specific tokens of the image, once "
        "for all blocks. They are mixed with the learned common tokens of block j, weighted by 1 − β and β, and stand "
        "between class token and patches in the frozen block j."
    )
    return Picture(figure, alt)


def stuck_adapter() -> Picture:
    """Draw an adapter whose two layers both start at zero: which values reach which layer, and which gradients."""
    figure, panel = sheet(2.35)
    box(panel, (0.32, 1.8), (0.44, 0.4), "z", "data")
    box(panel, (1.22, 1.0), (1.1, 0.6), "down\nD = 0, a = 0", "learned")
    box(panel, (2.9, 1.0), (0.86, 0.6), "up\nU = 0, b", "learned")
    box(panel, (4.05, 1.8), (0.44, 0.4), "y", "data")
    arrow(panel, (0.55, 1.8), (3.82, 1.8))
    note(panel, (2.1, 2.0), "y = z + U g(Dz + a) + b")
    arrow(panel, (0.42, 1.58), (0.66, 1.16))
    arrow(panel, (1.78, 1.08), (2.46, 1.08))
    note(panel, (2.12, 1.26), "h = 0")
    arrow(panel, (3.34, 1.12), (3.86, 1.58))
    arrow(panel, (4.05, 1.58), (3.34, 0.85), gradient=True, bend=-0.25)
    arrow(panel, (2.46, 0.88), (1.78, 0.88), gradient=True)
    note(panel, (4.1, 1.0), "G")
    note(panel, (2.95, 0.35), "for U: G · h = 0\nfor b: G, so it moves", size=9)
    note(panel, (1.22, 0.35), "for D and a:\nU · G … = 0", size=9)
    alt = (
        "An adapter adds U g(Dz + a) + b to z, and D, a and U start at zero. The hidden values h are zero, so the "
        "gradient of U is zero; U is zero, so the gradients of D and a are zero. Only the bias b moves."
    )
    return Picture(figure, alt)
