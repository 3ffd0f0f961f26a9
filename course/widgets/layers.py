"""Explorer of activation prompts: one layer at a time, with accuracy, cost, and what is added there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from course.recorded import Recorded
from course.show.picture import COLORS, GREY, Picture, canvas, numbers, plain
from course.widgets.base import Explorer, buttons, normalized, slider
from vpcore.backbone import Backbone

DATA = "photodigits"


@dataclass(frozen=True)
class LayerFacts:
    """What was recorded for an activation prompt at one layer."""

    accuracies: np.ndarray  # percent, one per seed
    step_mflops: float  # millions of operations of a training step, per image, from cached activations
    learned: int
    relative: float  # norm of delta over mean norm of the activations, mean over seeds
    grid: np.ndarray  # norm of delta over channels at every place, seed 0


class LayersExplorer(Explorer):
    """Show what an activation prompt at a chosen layer gives, costs and adds.

    Accuracies, counts and delta are recorded; activations are computed from the frozen network.

    Args:
        table: results of study 05.
        backbones: name to network, of those in the table.
        images: uint8 images (N, 3, H, W) to choose from.
    """

    def __init__(self, table: Recorded, backbones: Mapping[str, Backbone], images: UInt8[Tensor, "n c h w"]) -> None:
        self._nets, self._images = dict(backbones), images
        self._facts = {name: layer_facts(table, net) for name, net in self._nets.items()}
        self._probes = {name: probe_means(table, net) for name, net in self._nets.items()}
        self._plain = {name: float(table.accuracies(DATA, "none", name).mean()) for name in self._nets}
        self._canvas: tuple[Any, Any] | None = None
        controls = {
            "network": buttons("network", tuple(self._nets)),
            "layer": slider("layer", 2, 0, max(net.spec.depth for net in self._nets.values())),
            "image": slider("image", 0, 0, len(images) - 1),
        }
        super().__init__(controls)

    @property
    def layer(self) -> int:
        """The chosen layer; a shallower network stops at its last."""
        return min(self.controls["layer"].value, self._nets[self._name].spec.depth)

    @property
    def _name(self) -> str:
        return self.controls["network"].value

    def facts(self) -> LayerFacts:
        """Return what was recorded for the present state."""
        return self._facts[self._name][self.layer]

    @torch.no_grad()
    def activations(self) -> np.ndarray:
        """Return the norm over channels of the activations at every place, for the chosen image."""
        net = self._nets[self._name]
        image = normalized(self._images[self.controls["image"].value][None], net.spec)[0]
        return place_norms(net, net.activations(image, self.layer)[0])

    def picture(self) -> Picture:
        """Draw accuracy, cost and count over layers, and the two maps of the chosen one."""
        if self._canvas is None:
            figure, axes = canvas(10.4, 2.9, 5, layout="none")
            figure.subplots_adjust(left=0.055, right=0.985, bottom=0.2, top=0.84, wspace=0.5)
            self._canvas = figure, axes[0]
        figure, axes = self._canvas
        for panel in axes:
            panel.clear()
        facts = self._facts[self._name]
        self._accuracy(axes[0])
        costs, counts = [each.step_mflops for each in facts], [each.learned for each in facts]
        _bars(axes[1], costs, self.layer, "training step\n(MFLOPs an image)")
        _bars(axes[2], counts, self.layer, "numbers learned\n(without the head)")
        chosen = self._images[self.controls["image"].value]
        _image(axes[3], self.activations(), f"activations of image {self.controls['image'].value}")
        _image(axes[4], self.facts().grid, "learned δ (seed 0)")
        inset = axes[3].inset_axes((-0.46, 0.0, 0.4, 0.4))  # in the gap beside the map
        inset.imshow(chosen.permute(1, 2, 0).numpy())
        inset.set(xticks=[], yticks=[])
        inset.set_title("image", fontsize=7, pad=2)
        text = "Accuracy, cost and count over layers, the activations of one image and the learned delta"
        return Picture(figure, f"{text}. {self.sentence()}")

    def _accuracy(self, panel: Any) -> None:
        facts, probes = self._facts[self._name], self._probes[self._name]
        layers = range(len(facts))
        means = [each.accuracies.mean() for each in facts]
        spread = [each.accuracies.std(ddof=1) for each in facts]
        panel.axhline(self._plain[self._name], color=GREY, linestyle="--", linewidth=1, label="no prompt")
        panel.plot(layers, probes, "s-", color=COLORS[1], markersize=3, linewidth=1, label="layer-l probe")
        panel.errorbar(layers, means, yerr=spread, fmt="o-", color=COLORS[0], markersize=3, capsize=2, label="AP")
        panel.axvline(self.layer, color=COLORS[3], linewidth=1, linestyle=":")
        panel.legend(fontsize=7, frameon=False, loc="lower right")
        panel.set_title("test accuracy (%),\nmean ± sd over seeds", fontsize=8)
        panel.set_xlabel("layer", fontsize=8)
        panel.set_xticks(layers)
        panel.tick_params(labelsize=7)
        plain(panel)

    def sentence(self) -> str:
        """Say the current state in one sentence."""
        now = self.facts()
        runs = f"{now.accuracies.mean():.1f} ± {now.accuracies.std(ddof=1):.1f} % ({len(now.accuracies)} seeds)"
        cost = f"{now.step_mflops:.2f} MFLOPs a step; {now.learned:,} numbers"
        image = self.controls["image"].value
        return f"{self._name}, layer {self.layer}: {runs}; {cost}; |δ|/|z| {now.relative:.2f}; image {image}."


def layer_facts(table: Recorded, backbone: Backbone) -> list[LayerFacts]:
    """Return what was recorded for every layer of a network.

    Raises:
        ValueError: a layer was not recorded.
    """
    found = []
    for layer in range(backbone.spec.depth + 1):
        name = {"data": DATA, "backbone": backbone.spec.name, "prompt": f"ap@{layer}"}
        runs = [run for run in table.runs if name.items() <= run["cell"].items()]
        accuracies = table.accuracies(DATA, f"ap@{layer}", backbone.spec.name)
        first = next(run["extra"] for run in runs if "grid" in run["extra"])
        relative = float(np.mean([run["extra"]["relative"] for run in runs]))
        grid = np.array(first["grid"]) / 1000
        found.append(LayerFacts(accuracies, first["step_flops"] / 1e6, first["learned"], relative, grid))
    return found


def probe_means(table: Recorded, backbone: Backbone) -> list[float]:
    """Return the mean accuracy of a linear probe on each layer's features, in percent."""
    layers = range(backbone.spec.depth + 1)
    return [float(table.accuracies(DATA, f"probe@{layer}", backbone.spec.name).mean()) for layer in layers]


def place_norms(backbone: Backbone, z: Tensor) -> np.ndarray:
    """Return the norm over channels at every place of one image's activations; a ViT's class token is left out."""
    if backbone.spec.kind == "cnn":
        return numbers(z.norm(dim=0))
    side = round(backbone.spec.num_tokens**0.5)
    return numbers(z.norm(dim=-1)[-backbone.spec.num_tokens :].view(side, side))


def _bars(panel: Any, values: Sequence[float], chosen: int, title: str) -> None:
    colors = [COLORS[3] if place == chosen else COLORS[0] for place in range(len(values))]
    panel.bar(range(len(values)), values, color=colors)
    panel.set_title(title, fontsize=8)
    panel.set_xlabel("layer", fontsize=8)
    panel.set_xticks(range(len(values)))
    panel.tick_params(labelsize=7)
    plain(panel)


def _image(panel: Any, values: np.ndarray, title: str) -> None:
    panel.imshow(values, cmap="viridis", vmin=0)
    panel.set(xticks=[], yticks=[])
    panel.set_title(f"{title}\nnorm per place, up to {values.max():.2f}", fontsize=8)
