"""Figures over layers: the sentence says what was recorded, and nothing of what was trained here."""

import numpy as np

from course.show.sweeps import layer_map, sweep


def test_a_sweep_names_each_curve_and_its_best_layer() -> None:
    curves = {"AP": {0: [10.0, 12.0], 2: [30.0, 34.0]}, "your AP": {2: [50.0, 51.0]}}
    shown = sweep(curves, "Toy", levels={"no prompt": 20.0}, live=("your AP",), label="recorded", made_by="your code")
    assert shown.alt == (
        "Toy: test accuracy (%) over layers, mean ± sd, for AP (highest at layer 2, 32.0 ± 2.8), your AP and no prompt "
        "at 20.0. Recorded. made by: your code."
    )
    assert shown.png().startswith(b"\x89PNG")
    assert [tick for tick in shown.figure.axes[0].get_xticks()] == [0, 2]


def test_a_layer_map_says_what_rows_and_columns_are() -> None:
    shown = layer_map({"one": np.eye(3)}, "Alike?", names={"one": ("CNN layer", "ViT layer")}, label="64 images")
    assert shown.alt == "Alike? one row and one column a layer, for one (CNN layer by ViT layer). 64 images."
    assert shown.png().startswith(b"\x89PNG")
