"""Lesson 09's bake-off on own pictures: one protocol for all methods, and a page that says what stands."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vpcore
from course.studies import own_pictures
from course.studies.own_pictures import Entry, bake_off, gains, report, write_report

METHODS = {
    "linear probe": ("none", 1e-2),
    "activation prompt": ("activation:layer=3", 1e-2),
    "norm tuning": ("norm_tuning", 1e-3),
    "full fine-tuning": ("full_tuning", 1e-3),
}


@pytest.fixture(scope="module")
def data():
    return vpcore.load_data("photodigits", num_train=33, num_valid=21, num_test=26)


@pytest.fixture(scope="module")
def found(data):
    backbone = vpcore.load_backbone("resnet_nano", pretrained=False)
    return backbone, bake_off(data, backbone, METHODS, seeds=(0, 3), trials=3, epochs=1, batch_size=7)


def test_every_method_gets_the_same_trials_and_seeds(found, data):
    _, entries = found
    assert list(entries) == list(METHODS)
    for entry in entries.values():
        assert len(entry.trials) == 3
        assert entry.rate in entry.trials
        assert entry.right.shape == (2, len(data.test))
    assert entries["norm tuning"].learned == 2256
    assert entries["linear probe"].learned == 0


def test_test_images_choose_nothing(data, monkeypatch):
    seen = []
    real = own_pictures.evaluate
    monkeypatch.setattr(own_pictures, "evaluate", lambda model, split: seen.append(len(split)) or real(model, split))
    backbone = vpcore.load_backbone("resnet_nano", pretrained=False)
    bake_off(data, backbone, {"linear probe": METHODS["linear probe"]}, seeds=(0, 1), trials=3, epochs=1)
    assert seen == [len(data.test)] * 2  # once a seed, after the rates are chosen


def test_the_page_says_what_stands_and_what_is_left_to_write(found, data, tmp_path):
    backbone, entries = found
    page = report(entries, "linear probe", data, backbone)
    for words in (
        "33 training, 21 validation and 26 test images",
        "3 rates tried",
        "2 paired seeds",
        "What could be seen",
    ):
        assert words in page
    for name, each in gains(entries, "linear probe").items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {name} "))
        assert f"{each.mean:+.1f} ({each.low:+.1f} to {each.high:+.1f})" in row
    said = write_report(page, tmp_path / "Bericht äöü.md")
    lines = f"{len(page.splitlines())} lines, of which 3 are yours to write"
    assert said == f"{tmp_path.name}/Bericht äöü.md: {lines}"
    assert (tmp_path / "Bericht äöü.md").read_text(encoding="utf-8") == page


def test_a_page_with_words_of_ones_own_is_kept(tmp_path):
    file = tmp_path / "report.md"
    write_report("one\n(yours)", file)
    assert write_report("one\n(yours)", file).startswith(f"{tmp_path.name}/report.md: ")
    file.write_text("one\nmine, Zoë", encoding="utf-8")
    assert write_report("one\n(yours)", file).startswith(f"{tmp_path.name}/report 2.md: ")
    assert file.read_text(encoding="utf-8") == "one\nmine, Zoë"
    assert write_report("another\n(yours)", file).startswith(f"{tmp_path.name}/report 3.md: ")


def test_a_file_beside_one_is_said_with_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.md").write_bytes("größer".encode("latin-1"))
    assert write_report("one\n(yours)", Path("report.md")).startswith(f"{tmp_path.name}/report 2.md: ")


def test_runs_that_hardly_differ_are_not_said_to_be_equal(data):
    base = np.ones((10, 100), dtype=int)
    other = base.copy()
    other[0, 0] = 0
    entries = {name: Entry("none", {0.1: 0.3, 0.2: 0.4}, 0.2, 0, right) for name, right in (("a", base), ("b", other))}
    page = report(entries, "a", data, vpcore.load_backbone("resnet_nano", pretrained=False))
    assert "did not differ" not in page
    assert "a true difference of 0.4 points or more would be found" in page


def test_runs_that_do_not_differ_promise_nothing(data):
    right = np.ones((3, 9), dtype=int)
    right[:, 0] = 0
    entries = {name: Entry("none", {0.1: 0.3, 0.2: 0.4, 0.4: 0.1}, 0.2, 0, right) for name in ("probe", "other")}
    page = report(entries, "probe", data, vpcore.load_backbone("resnet_nano", pretrained=False))
    assert "0.0 points or more" not in page
    assert "cannot be estimated: the runs did not differ. A single test image is 11.1 points." in page


def test_one_class_alone_is_refused_with_its_name(data):
    parts = {name: getattr(data, name) for name in ("train", "valid", "test")}
    parts = {name: replace(split, labels=split.labels * 0) for name, split in parts.items()}
    one = replace(data, **parts, classes=("zebra ü",))
    with pytest.raises(ValueError, match="photodigits holds one class alone, 'zebra ü'"):
        bake_off(one, vpcore.load_backbone("resnet_nano", pretrained=False), METHODS)


def test_a_rate_at_the_edge_is_marked():
    right = np.eye(2, 5, dtype=int)
    assert Entry("none", {0.1: 0.3, 0.2: 0.2, 0.4: 0.1}, 0.1, 0, right).at_edge
    assert not Entry("none", {0.1: 0.1, 0.2: 0.2, 0.4: 0.1}, 0.2, 0, right).at_edge


def test_a_method_that_diverges_stays_in_the_table(data, monkeypatch):
    def diverges(*_, **options):
        if options["seed"] == 3:
            raise own_pictures.Diverged("the loss is nan")
        return real(*_, **options)

    real = own_pictures.fit
    monkeypatch.setattr(own_pictures, "fit", diverges)
    backbone = vpcore.load_backbone("resnet_nano", pretrained=False)
    entries = bake_off(data, backbone, {"probe": ("none", 1e-2)}, seeds=(0, 3), trials=3, epochs=1)
    assert entries["probe"].right[1].sum() == 0
