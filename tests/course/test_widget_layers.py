"""The layers explorer: callbacks run, its numbers are the recorded ones, and its sentence fits."""

import ipywidgets
import numpy as np
import pytest
import torch

from course.recorded import Recorded
from course.widgets.base import LONGEST
from course.widgets.layers import LayersExplorer, place_norms
from vpcore import load_backbone

NETS = {name: load_backbone(name, pretrained=False) for name in ("resnet_nano", "vit_nano")}


def toy_table() -> Recorded:
    runs = []
    for number, (name, net) in enumerate(NETS.items()):
        for layer in range(net.spec.depth + 1):
            for kind in ("ap", "probe", "none") if layer == 0 else ("ap", "probe"):
                arm = kind if kind == "none" else f"{kind}@{layer}"
                for seed in range(5 if kind == "ap" or layer == 0 else 3):
                    cell = {"data": "photodigits", "backbone": name, "prompt": arm, "seed": seed}
                    side = net.spec.shapes[layer][-1] if net.spec.kind == "cnn" else 4
                    extra = {"step_flops": 9_876_543 // (layer + 1), "learned": 1000 - layer, "relative": 0.5 + number}
                    grid = {"grid": [[1000 * (layer + 1)] * side] * side} if seed == 0 else {}
                    accuracy = 0.3 + 0.01 * layer + 0.002 * seed + 0.05 * number
                    runs.append({"cell": cell, "accuracy": accuracy, "extra": {**extra, **grid}})
    return Recorded("toy", runs, [], {}, {})


@pytest.fixture(scope="module")
def explorer() -> LayersExplorer:
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return LayersExplorer(toy_table(), NETS, images)


def test_driving_it_moves_every_control(explorer: LayersExplorer) -> None:
    assert explorer.drive() == "3 controls driven: each changes the picture and brings it back."
    keyboard = (ipywidgets.ToggleButtons, ipywidgets.IntSlider)
    assert all(isinstance(control, keyboard) and control.description for control in explorer.controls.values())


def test_it_shows_what_was_recorded(explorer: LayersExplorer) -> None:
    facts = explorer.facts()
    assert facts.accuracies.tolist() == pytest.approx([32.0, 32.2, 32.4, 32.6, 32.8])
    assert (facts.learned, facts.relative) == (998, 0.5)
    assert facts.grid.shape == (8, 8)
    assert (facts.grid == 3.0).all()
    assert repr(explorer) == (
        "resnet_nano, layer 2: 32.4 ± 0.3 % (5 seeds); 3.29 MFLOPs a step; 998 numbers; |δ|/|z| 0.50; image 0."
    )


def test_the_sentence_fits_at_every_layer_and_the_last_layer_is_the_networks_own(explorer: LayersExplorer) -> None:
    for name in NETS:
        explorer.controls["network"].value = name
        explorer.controls["layer"].value = 7
        assert len(repr(explorer)) <= LONGEST
        assert explorer.layer == NETS[name].spec.depth
    explorer.controls["network"].value, explorer.controls["layer"].value = "resnet_nano", 2


def test_activations_are_those_of_the_frozen_network(explorer: LayersExplorer) -> None:
    for name, net in NETS.items():
        z = torch.randn(net.spec.shapes[1], generator=torch.Generator().manual_seed(1))
        norms = place_norms(net, z)
        places = z.flatten(1).T if net.spec.kind == "cnn" else z[1:]
        assert np.allclose(norms.flatten(), [float(place.norm()) for place in places], atol=1e-5), name
