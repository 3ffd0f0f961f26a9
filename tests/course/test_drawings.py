"""Schematics: drawn in the sizes that a phone can show, described in words, and the same bytes each time."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from course.show import drawings
from course.show.picture import DPI

RNG = np.random.default_rng(0)
MAPS = [RNG.normal(size=(size, size)) for size in (1, 4, 8)]
DRAWN = {
    "frame": lambda: drawings.frame(RNG.uniform(size=(28, 28))),
    "frame of colors": lambda: drawings.frame(np.linspace(0, 1, 32 * 32 * 3).reshape(32, 32, 3)),
    "multiscale": lambda: drawings.multiscale(MAPS, [np.resize(m, (28, 28)) for m in MAPS], np.ones((28, 28))),
    "activation": lambda: drawings.activation(),
    "activation in a deeper net": lambda: drawings.activation(6, 4),
    "instance image": lambda: drawings.instance_image(RNG.uniform(size=(32, 32)), *(RNG.normal(size=(3, 32, 32)))),
    "instance tokens": lambda: drawings.instance_tokens(),
    "label mapping": lambda: drawings.label_mapping(np.linspace(0, 1, 32 * 32 * 3).reshape(32, 32, 3)),
    "stuck adapter": lambda: drawings.stuck_adapter(),
    "tokens, deep": lambda: drawings.tokens(),
    "tokens, shallow": lambda: drawings.tokens(deep=False),
    "weight deltas": lambda: drawings.weight_deltas(),
    "vit": lambda: drawings.vit(np.linspace(0, 1, 32 * 32 * 3).reshape(32, 32, 3)),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_read_on_a_phone_and_said_in_words(name):
    picture = DRAWN[name]()
    width, _ = Image.open(io.BytesIO(picture.png())).size
    assert width <= drawings.WIDTH * DPI
    panel = picture.figure.axes[0]
    words = [text for text in panel.texts if text.get_text()]
    assert min(text.get_fontsize() for text in words) >= 9
    assert re.fullmatch(r"[A-Z].{80,}\.", picture.alt)


@pytest.mark.parametrize("name", DRAWN)
def test_no_word_is_cut_off_and_none_leaves_its_box(name):
    from matplotlib.patches import FancyBboxPatch

    picture = DRAWN[name]()
    picture.png()
    figure, panel = picture.figure, picture.figure.axes[0]
    boxes = [patch.get_window_extent() for patch in panel.patches if isinstance(patch, FancyBboxPatch)]
    for text in (text for text in panel.texts if text.get_text()):
        place = text.get_window_extent()
        assert min(place.x0, place.y0, figure.bbox.x1 - place.x1, figure.bbox.y1 - place.y1) >= 0, text
        middle = ((place.x0 + place.x1) / 2, (place.y0 + place.y1) / 2)
        for around in (each for each in boxes if each.contains(*middle)):
            assert min(place.x0 - around.x0, around.x1 - place.x1) >= 0, text


def test_the_same_values_give_the_same_bytes():
    image = np.linspace(0, 1, 784).reshape(28, 28)
    assert drawings.frame(image).png() == drawings.frame(image).png()


def test_what_learns_differs_by_its_edge_and_not_by_color_alone():
    widths = {kind: look["linewidth"] for kind, look in drawings.LOOKS.items()}
    assert widths["learned"] >= 2 * widths["frozen"]
