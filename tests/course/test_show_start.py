"""The figures of lesson 00: the places of a prompt, and accuracies whose live values stay out of the sentence."""

import io

import numpy as np
from PIL import Image

import vpcore
from course.show.start import accuracies, places

ROWS = {"recorded": [30.0, 31.0, 32.0], "yours": [29.0, 28.5, 30.5]}


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png())).convert("L"))


def test_only_a_vit_has_tokens():
    specs = [vpcore.load_backbone(name, pretrained=False).spec for name in ("resnet_nano", "vit_nano")]
    picture = places(specs, 3, "Places")
    assert picture.alt.count("tokens") == 1
    assert "resnet_nano has pixels (3×32×32) and activations (32×8×8)" in picture.alt
    assert pixels(picture).std() > 5


def test_live_values_stay_out_of_the_sentence():
    picture = accuracies(ROWS, "Probes", live=("yours",), level=10, error={"recorded": 2.8, "yours": 2.8})
    assert "recorded 31.0 ± 1.0" in picture.alt
    assert "yours." in picture.alt
    assert "29" not in picture.alt
    assert pixels(picture).std() > 5


def test_the_same_numbers_give_the_same_bytes():
    assert accuracies(ROWS, "Probes").png() == accuracies(ROWS, "Probes").png()
