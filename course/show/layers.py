"""Lesson 05's recorded sweep over layers: its numbers by arm and layer, as tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from course.recorded import Recorded
from course.show.picture import Picture
from course.show.sweeps import sweep
from vpcore.statistics import Interval

KINDS = {"random": "random δ, equal norm", "channel": "one number a channel", "bias": "biases of the block"}
HEADS = {"no prompt": "none", "no prompt, AP's head rate": "head"}


class LayerTable:
    """Recorded runs of activation prompts and their controls at the layers of frozen networks.

    An arm is named by its kind and its layer, such as "ap@3" (a full δ), "probe@3" (a head on layer-3 features),
    "random@3", "channel@3", "bias@3", or "vp" (a picture at the pixels) and "none".

    Args:
        table: the recorded runs.
        layers: name of a network to the number of its last layer.
    """

    def __init__(self, table: Recorded, layers: Mapping[str, int]) -> None:
        self.table, self.layers = table, dict(layers)

    def seeds(self, arm: str, network: str, data: str = "photodigits") -> np.ndarray:
        """Return test accuracies of an arm in percent, one a seed."""
        return self.table.accuracies(data, arm, network)

    def by_layer(self, kind: str, network: str, data: str = "photodigits") -> dict[int, np.ndarray]:
        """Return {layer: test accuracies in percent} of a kind of arm, for the seeds that every layer has."""
        return _equally_many(
            {layer: self.seeds(f"{kind}@{layer}", network, data) for layer in range(self.layers[network] + 1)}
        )

    def valid(self, network: str, data: str = "photodigits", kind: str = "ap") -> np.ndarray:
        """Return validation accuracies in percent: (layers, seeds)."""
        rows = {}
        for layer in range(self.layers[network] + 1):
            wanted = {"data": data, "backbone": network, "prompt": f"{kind}@{layer}"}
            runs = [run for run in self.table.runs if wanted.items() <= run["cell"].items()]
            rows[layer] = np.array(
                [100 * run["extra"]["valid"] for run in sorted(runs, key=lambda r: r["cell"]["seed"])]
            )
        return np.stack(list(_equally_many(rows).values()))

    def rate(self, arm: str, network: str) -> float:
        """Return the learning rate of what an arm learns, as validation images of photodigits chose it."""
        wanted = {"data": "photodigits", "backbone": network, "prompt": arm}
        return float(next(run["cell"]["rate"] for run in self.table.runs if wanted.items() <= run["cell"].items()))

    def ahead(self, arm: str, control: str, network: str, data: str = "photodigits") -> Interval:
        """Return how far an arm is ahead of another in points, with an interval for seeds and test images."""
        return self.table.gain(data, control, arm, network)

    def compare(self, network: str, control: str, layers: Iterable[int] | None = None) -> None:
        """Print AP minus a control of the same layer, a line a layer; `control` is a kind, or an arm without layer."""
        for layer in range(self.layers[network] + 1) if layers is None else layers:
            other = control if control in ("vp", "none", "head") else f"{control}@{layer}"
            say(f"layer {layer}", self.ahead(f"ap@{layer}", other, network))

    def sweep(self, network: str, arms: Mapping[str, str] = HEADS) -> Picture:
        """Draw AP and the layer-l probe over layers, and arms without a layer as level lines."""
        curves = {"AP, full δ": self.by_layer("ap", network), "layer-l probe": self.by_layer("probe", network)}
        levels = {words: float(self.seeds(arm, network).mean()) for words, arm in arms.items()}
        counts = [len(runs[0]) for runs in curves.values()] + [len(self.seeds(arm, network)) for arm in arms.values()]
        least = min(counts)
        label = f"recorded, photodigits, {least} seeds or more, 1,000 test images"
        return sweep(curves, f"AP at every layer of {network}", levels=levels, label=label)

    def controls(self, network: str, kinds: Mapping[str, Iterable[int]]) -> Picture:
        """Draw AP and its controls, each at its layers."""
        curves = {"AP, full δ": {layer: runs[:5] for layer, runs in self.by_layer("ap", network).items()}}
        for kind, layers in kinds.items():
            curves[KINDS[kind]] = {layer: self.seeds(f"{kind}@{layer}", network) for layer in layers}
        levels = {"no prompt": float(self.seeds("none", network)[:5].mean())}
        label = "recorded, photodigits, 5 seeds, 1,000 test images"
        return sweep(curves, f"AP and controls, {network}", levels=levels, label=label)


def say(name: str, found: Interval) -> None:
    """Print a difference in points with its interval and what follows from it."""
    verdict = found.verdict("AP is ahead", "AP is behind")
    print(f"  {name:19} {found.mean:+6.2f}  ({found.low:+6.2f} to {found.high:+6.2f})  {verdict}")


def _equally_many(rows: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    fewest = min(map(len, rows.values()))
    return {layer: values[:fewest] for layer, values in rows.items()}
