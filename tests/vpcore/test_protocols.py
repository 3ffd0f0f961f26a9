"""Few images a class, and the 800/200 images of VTAB-1k."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import tiny_split

from vpcore.data import load_data
from vpcore.data.protocols import few_shot, vtab_1k, vtab_order
from vpcore.data.splits import Splits, channel_stats
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.grid.cell_data import FeatureStore, Loader, load_cell_data
from vpcore.experiments.grid.train_cell import build_model
from vpcore.experiments.names.data import data_label, load_named

NANO = {"epochs": 1, "batch_size": 10, "augment": "none", "max_valid": 20, "max_test": 20}


def tiny_splits(train: int = 31, valid: int = 10) -> Splits:
    parts = {name: tiny_split(n, seed=n) for name, n in {"train": train, "valid": valid, "test": 12}.items()}
    return Splits(**parts, classes=("a", "b", "c"), mean=(0.5,), std=(0.5,), name="tiny", source_md5="m")


def rows(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


# --- k images a class --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shots", [1, 4, 10])
def test_every_class_gets_as_many_images_and_the_rest_stays(shots):
    data = tiny_splits()
    few = few_shot(data, shots, seed=3)
    assert few.train.labels.bincount().tolist() == [shots] * 3
    assert rows(few.train.images) <= rows(data.train.images)
    assert len(rows(few.train.images)) == 3 * shots
    assert few.valid is data.valid
    assert few.test is data.test
    assert (few.mean, few.std) == channel_stats(few.train.images)
    assert few.source_md5 == "m"


def test_the_seed_draws_them_and_fewer_are_among_more():
    data = tiny_splits()
    one, four = (rows(few_shot(data, shots, seed=3).train.images) for shots in (1, 4))
    assert one < four
    assert four == rows(few_shot(data, 4, seed=3).train.images)
    assert len({frozenset(rows(few_shot(data, 4, seed=seed).train.images)) for seed in range(5)}) == 5


def test_a_class_that_train_lacks_has_no_say():
    data = tiny_splits()
    kept = data.train.take(torch.nonzero(data.train.labels != 1).flatten())
    assert few_shot(replace(data, train=kept), 2, seed=0).train.labels.bincount().tolist() == [2, 0, 2]


@pytest.mark.parametrize("shots", [0, 11, -1])
def test_shots_that_a_class_does_not_have_are_refused(shots):
    with pytest.raises(ValueError, match=r"the rarest class, 'b' has 10, got .*: choose fewer"):
        few_shot(tiny_splits(), shots, seed=0)


def test_cells_of_one_seed_share_their_images_and_other_seeds_have_others():
    cells = [
        Cell("digits", "resnet_nano", prompt, seed=s, shots=2, **NANO) for s in (0, 1) for prompt in ("none", "pad")
    ]
    load = Loader()
    seen = [rows(load(cell).train.images) for cell in cells]
    assert seen[0] == seen[1] != seen[2] == seen[3]
    assert seen[0] == rows(load_cell_data(cells[0]).train.images)
    assert len(seen[0]) == 20
    assert rows(load(replace(cells[0], shots=None)).train.images) > seen[0]


def test_frozen_features_of_few_images_are_those_of_the_seed():
    """Features of one seed's images handed out for another's would train every seed on the same images."""
    store, load, found = FeatureStore(), Loader(), []
    for seed in (0, 1):
        cell = Cell("digits", "resnet_nano", "none", seed=seed, shots=1, **NANO)
        model = build_model(cell, load(cell))
        found.append([store.split(cell, model, load(cell), part) for part in ("train", "valid")])
    assert torch.equal(found[0][0].images, load(Cell("digits", "resnet_nano", "none", shots=1, **NANO)).train.images)
    assert not torch.equal(found[0][0].images, found[1][0].images)
    assert found[0][1] is found[1][1]  # valid is the same for all seeds, and run once


# --- VTAB-1k -----------------------------------------------------------------------------------------------------


def test_the_1000_are_fixed():
    """Results of other machines hold for these indices alone: this hash must never change."""
    order = vtab_order(50_000)
    assert hashlib.md5(order.astype("<i8").tobytes()).hexdigest() == "b949c956bf137e9932d345b1baec7f16"
    assert len(np.unique(order)) == 1000
    assert order.max() < 50_000
    assert set(vtab_order(1000)) == set(range(1000))


def test_800_train_200_choose_and_all_test():
    data = tiny_splits(train=1100, valid=100)
    few = vtab_1k(data)
    assert [len(part) for part in (few.train, few.valid, few.test)] == [800, 200, 12]
    pool = torch.cat([data.train.images, data.valid.images])
    order = torch.from_numpy(vtab_order(1200))
    assert torch.equal(few.train.images, pool[order[:800]])
    assert torch.equal(few.valid.images, pool[order[800:]])
    assert (few.mean, few.std) == channel_stats(few.train.images)


def test_too_small_a_set_is_refused():
    with pytest.raises(ValueError, match=r"VTAB-1k needs 1,000 images beside test, got 41: leave split=vtab1k out"):
        vtab_1k(tiny_splits())


def test_the_name_of_the_digits_asks_for_a_cut_in_the_order_of_the_file():
    for name in ("digits", "photodigits"):
        assert data_label(f"{name}:split=contiguous") == f"{name}:split=contiguous"
        found = load_named(f"{name}:split=contiguous", None, None, None)
        assert found.source_md5 == load_data(name, split="contiguous").source_md5


def test_the_name_of_a_set_asks_for_it(monkeypatch):
    assert data_label("cifar100:split=vtab1k") == "cifar100:split=vtab1k"
    for name in ("photodigits:split=vtab1k", "digits:split=vtab1k", "cifar100:split=vtab2k"):
        with pytest.raises(ValueError, match=r"unknown option 'split=vtab.k' of data set"):
            data_label(name)
    with pytest.raises(ValueError, match="unknown option 'split=contiguous' of data set usps"):
        data_label("usps:split=contiguous")
    monkeypatch.setattr(
        "vpcore.experiments.names.data.load_data", lambda name, **_: replace(tiny_splits(1100, 100), name=name)
    )
    found = load_named("usps:split=vtab1k", None, None, None)
    assert (found.name, len(found.train)) == ("usps", 800)
    cut = load_cell_data(Cell("usps:split=vtab1k", "simple_cnn", "none", limit=30))
    assert cut.train.labels.numel() == 30
