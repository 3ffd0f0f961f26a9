"""The figure over numbers of training images: its axis names every size, and its sentence the ends."""

import base64

import numpy as np

from course import show
from course.recorded import Recorded
from course.show.sizes import more_images

CURVES = {
    "probe": {250: (20.0, 18.0, 22.0), 1000: (30.0, 28.5, 31.5), 16_000: (41.0, 39.0, 43.0)},
    "AP": {1000: (38.0, 36.0, 40.0), 16_000: (65.0, 63.0, 67.0)},  # nothing at 250
}


def test_every_size_is_marked_and_the_sentence_says_the_ends():
    picture = show.sizes(CURVES, "More images", label="recorded, 5 seeds")
    picture.png()
    panel = picture.figure.axes[0]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["250", "1,000", "16,000"]
    assert "250 to 16,000 training images" in picture.alt
    assert "probe from 20 to 41 %" in picture.alt
    assert "AP from 38 to 65 %" in picture.alt


def test_intervals_are_drawn_as_given_and_not_as_half_widths():
    panel = show.sizes({"probe": {250: (20.0, 13.0, 22.0), 1000: (30.0, 28.5, 31.5)}}, "One").figure.axes[0]
    segments = [segment for each in panel.collections for segment in each.get_segments()]
    assert [(round(low, 6), round(high, 6)) for (_, low), (_, high) in segments] == [(13, 22), (28.5, 31.5)]


def run(prompt: str, size: int, seed: int, hits: int, epochs: int = 16) -> dict:
    data, right = "toy:num_train=90", np.packbits(np.arange(40) < hits).tobytes()
    cell = {"data": data, "backbone": "net", "prompt": prompt, "limit": size, "epochs": epochs, "seed": seed}
    return {"cell": cell, "num_test": 40, "data_md5": "m", "right": base64.b64encode(right).decode()}


def test_more_images_prints_the_record_and_counts_its_seeds(capsys):
    table = [run(prompt, size, seed, base + size // 30 + seed) for prompt, base in (("none", 10), ("full", 13))
             for size, seeds in ((30, 3), (90, 2)) for seed in range(seeds)]  # fmt: skip
    picture = more_images(Recorded("toy", table, [], {}, {}), {"picture": "full"}, "net")
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" points")[0].strip() for line in said] == [
        "30 images, picture:  +7.5", "90 images, picture:  +7.5",
    ]  # fmt: skip
    assert "Recorded, 16 epochs at every size, 3 seeds (2 at 90), 40 test images" in picture.alt
    assert "linear probe from 30 to 34 %" in picture.alt


def test_more_images_prints_what_parts_images_from_steps(capsys):
    table = [run(prompt, size, seed, base + seed, epochs) for prompt, base in (("none", 10), ("full", 16))
             for size, epochs in ((30, 16), (480, 16), (480, 1), (30, 256)) for seed in range(2)]  # fmt: skip
    table += [run("pad", size, seed, 9, 16) for size in (30, 480) for seed in range(2)]  # not recorded with one epoch
    more_images(Recorded("toy", table, [], {}, {}), {"picture": "full", "frame": "pad"}, "net")
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" points")[0].strip() for line in said if "picture" in line] == [
        "30 images, picture: +15.0", "480 images, picture: +15.0", "30 images, 256 epochs, picture: +15.0",
        "480 images, 1 epoch, picture: +15.0",
    ]  # fmt: skip
    assert sum("frame" in line for line in said) == 2
