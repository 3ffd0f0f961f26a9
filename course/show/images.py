"""Figures made of images: rows of images, learned maps on one scale, Grad-CAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course.show.picture import Picture, canvas, finished, listed, numbers

UNIT = "normalized units"
COLUMNS = 6  # panels a row
LONGEST_ROW = 8  # of images; more of them stand in rows of COLUMNS


def image_row(images: Any, titles: Sequence[str], title: str, *, label: str = "", made_by: str = "") -> Picture:
    """Show images side by side, more than eight in rows of six.

    Args:
        images: (N, C, H, W) or (N, H, W), values in [0, 1]; others are clipped.
    """
    columns = len(titles) if len(titles) <= LONGEST_ROW else COLUMNS
    rows = -(-len(titles) // columns)
    figure, axes = canvas(1.55 * columns, 1.75 * rows + 0.35, columns, rows)
    for panel in axes.flat:
        panel.set_axis_off()
    for panel, image, name in zip(axes.flat[: len(titles)], images, titles, strict=True):
        panel.imshow(_pixels(image), cmap="gray", vmin=0, vmax=1)
        panel.set_title(name, fontsize=9)
    where = "in a row" if rows == 1 else f"in {rows} rows"
    text = f"{title}: {len(titles)} image{'s' if len(titles) > 1 else ''} {where}, titled {listed(list(titles))}"
    return finished(figure, title, text, label, made_by)


def prompt_maps(
    maps: Mapping[str, Any], title: str, *, live: bool = False, label: str = "", made_by: str = "", unit: str = UNIT
) -> Picture:
    """Show additive maps on one color scale, centered at zero, in the units in which they are added.

    Args:
        maps: name to map (H, W), (1, H, W) or (1, 1, H, W).
        unit: of the values.
    """
    arrays = {name: np.squeeze(numbers(values)) for name, values in maps.items()}
    arrays = {name: array[None, None] if array.ndim == 0 else array for name, array in arrays.items()}
    limit = max(float(np.abs(array).max()) for array in arrays.values()) or 1.0
    columns = min(COLUMNS, len(arrays))
    rows = -(-len(arrays) // columns)
    figure, axes = canvas(max(1.6 * columns + 0.9, 3.6), 1.75 * rows + 0.55, columns, rows)
    shown: Any = None
    for panel in axes.flat:
        panel.set_axis_off()
    for panel, (name, array) in zip(axes.flat, arrays.items(), strict=False):
        shown = panel.imshow(array, cmap="PuOr", vmin=-limit, vmax=limit)
        panel.set_title(f"{name}\n±{np.abs(array).max():.3f}", fontsize=8)
    figure.colorbar(shown, ax=list(axes.flat), label=unit, fraction=0.03)
    sizes = [name if live else f"{name} up to {np.abs(array).max():.3f}" for name, array in arrays.items()]
    many = "1 map" if len(arrays) == 1 else f"{len(arrays)} maps"
    text = f"{title}: {many} on one color scale in {unit}, {listed(sizes)}"
    return finished(figure, title, text, label, made_by)


def grad_cam(
    images: Any, cams: Mapping[str, Any], titles: Sequence[str], title: str, *, label: str = "", made_by: str = ""
) -> Picture:
    """Lay heat maps over images, one row a model; each row has one scale, so that weak evidence looks weak.

    Args:
        images: (N, C, H, W) in [0, 1].
        cams: name of the model to its maps (N, H, W), 0 or more.
    """
    figure, axes = canvas(1.45 * len(titles) + 1.2, 1.55 * len(cams) + 0.7, len(titles), len(cams))
    for place, (row, (name, maps)) in enumerate(zip(axes, cams.items(), strict=True)):
        heat = numbers(maps)
        limit = float(heat.max()) or 1.0
        for panel, image, cam, word in zip(row, images, heat, titles, strict=True):
            gray = np.clip(numbers(image), 0, 1).mean(0)  # color is the heat's alone
            panel.imshow(gray, cmap="gray", vmin=0, vmax=1)
            shown = panel.imshow(cam, cmap="inferno", vmin=0, vmax=limit, alpha=0.35 + 0.5 * np.clip(cam / limit, 0, 1))
            panel.set(xticks=[], yticks=[])
            if place == 0:
                panel.set_title(word, fontsize=8)
        row[0].set_ylabel(name, fontsize=9)
        figure.colorbar(shown, ax=list(row), label="logits", fraction=0.03)
    text = f"{title}: {len(titles)} images with Grad-CAM heat over them, one row each for {listed(list(cams))}"
    return finished(figure, title, text, label, made_by)


def _pixels(image: Any) -> np.ndarray:
    array = np.clip(numbers(image), 0, 1)
    if array.ndim == 3:
        array = array[0] if len(array) == 1 else np.moveaxis(array, 0, -1)
    return array
