"""`recipe="published"`: each of its choices beside what torch and torchvision make of the paper's own description."""

from dataclasses import asdict, replace

import pytest
import torch
from test_grid import call
from test_grid_methods import cells_of
from tiny import weights
from torch.utils.data import random_split

import vpcore
from vpcore.data.augment import Augment
from vpcore.data.splits import Split
from vpcore.experiments.grid import published, train_cell
from vpcore.experiments.grid.cell import Cell, choose_augment, question
from vpcore.experiments.grid.cell_data import Loader, load_cell_data
from vpcore.experiments.grid.train_cell import build_model, check_cell, run_cell

COUNT = 237  # no multiple of ten
CELL = Cell("fashion_mnist", "simple_cnn", "none", seed=3, epochs=3, batch_size=50, lr=1e-2, width=2)
THEIRS = replace(CELL, recipe="published")


@pytest.fixture(autouse=True)
def fashion(monkeypatch, tmp_path):
    """A small set in the place of any real one: image i is i % 256 all over, so that its place can be read off."""
    places = torch.arange(COUNT)
    images = (places % 256).byte()[:, None, None, None].expand(-1, 1, 28, 28).contiguous()
    parts = {"train": Split(images, places % 7), "test": Split(images[:40], places[:40] % 7)}
    monkeypatch.setattr(vpcore.data, "read_vision", lambda *given: (dict(parts), tuple("abcdefg"), "md5"))
    monkeypatch.setenv("VPCORE_DATA", str(tmp_path))
    return parts


def test_valid_is_torchs_random_tenth_and_ours_is_cut_by_class():
    cut = random_split(range(COUNT), [213, 24], generator=torch.Generator().manual_seed(42))  # 213 = int(0.9 · 237)
    data, ours = load_cell_data(THEIRS), load_cell_data(CELL)
    for part, split in zip((data.train, data.valid), cut, strict=True):
        assert part.images[:, 0, 0, 0].tolist() == sorted(split.indices)
    assert set(ours.valid.labels.bincount().tolist()) == {3, 4}
    assert set(data.valid.labels.bincount().tolist()) - {3, 4}
    assert torch.equal(data.test.images, ours.test.images)


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("mnist", (0.5,), (0.5,)),
        ("fashion_mnist", (0.5,), (0.5,)),
        ("cifar10", (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    ],
)
def test_images_are_normalized_by_the_constants_of_the_code(monkeypatch, fashion, name, mean, std):
    chans = len(mean)
    parts = {part: Split(split.images.repeat(1, chans, 1, 1), split.labels) for part, split in fashion.items()}
    monkeypatch.setattr(vpcore.data, "read_vision", lambda *given: (parts, tuple("abcdefg"), "md5"))
    for few in ({}, {"limit": 21}, {"shots": 2}):
        cell = replace(THEIRS, data=name, **few)
        load = Loader()
        assert {(load(cell).mean, load(cell).std) for _ in range(2)} == {(mean, std)}
        assert load(replace(cell, recipe=None)).mean != mean
        spec = build_model(cell, load(cell)).backbone.spec
        assert (spec.mean, spec.std) == (mean, std)


@pytest.mark.parametrize(("backbone", "bound", "head"), [
    ("simple_cnn", 0.0, 0.01), ("resnet18_small", 1.0, 0.01), ("vit_tiny_small", 1.0, 0.02),
])  # fmt: skip
def test_gate_and_head_start_as_pytorch_and_the_code_have_it(backbone, bound, head):
    data = load_cell_data(THEIRS)
    biases, models = [], []
    for seed in range(5):
        cell = replace(THEIRS, backbone=backbone, prompt="multiscale:fusion=gated", seed=seed, width=None)
        models.append(build_model(cell, data))
        biases.append(models[-1].prompt.gate_bias.item())
        if seed == 0:
            ours = build_model(replace(cell, recipe=None), data)
            same = build_model(cell, data)
    weight = torch.stack([model.head.linear.weight for model in models])
    assert weight.std().item() == pytest.approx(head, rel=0.1)
    assert all(not model.head.linear.bias.any() for model in models)
    assert max(map(abs, biases)) <= bound
    assert len(set(biases)) == (5 if bound else 1)
    assert max(map(abs, biases)) >= bound / 2
    assert torch.equal(same.prompt.gate_bias, models[0].prompt.gate_bias)  # all else is as without the recipe
    changed = {name for name, tensor in weights(ours).items() if not torch.equal(tensor, weights(models[0])[name])}
    assert changed == {*["prompt.gate_bias"][: int(bound)], *["head.linear.weight"][: int(head > 0.01)]}


def test_the_last_epoch_is_tested_on_augmented_validation(monkeypatch):
    seen, evaluate = [], vpcore.evaluate

    def look(model, split, **options):
        if isinstance(split, published.Augmented):
            first = [torch.cat([x for x, _ in split.batches(500, torch.device("cpu"))]) for _ in range(2)]
            seen.append((model.head.linear.weight.clone(), first))
        return evaluate(model, split, **options)

    monkeypatch.setattr("vpcore.train.evaluate", look)
    data = load_cell_data(THEIRS)
    model, history = train_cell.train_cell(THEIRS, data, "cpu", None, train_cell.FeatureStore())
    assert len(seen) == 3
    assert torch.equal(model.head.linear.weight, seen[-1][0])
    plain = data.valid.images.float() / 255
    for _, (first, second) in seen:
        assert first.shape == plain.shape
        assert not torch.equal(first, plain)  # cropped and turned
        assert not torch.equal(first, second)  # and anew at each reading
    result = run_cell(THEIRS, data, "cpu", trained=(model, history))
    assert (result["best_epoch"], result["valid_accuracy"]) == (2, history.epochs[-1].valid_accuracy)
    assert result["accuracy"] == evaluate(model, data.test).accuracy


def test_the_last_epoch_is_kept_where_another_one_is_the_best():
    data, records = load_cell_data(CELL), []
    cell = replace(THEIRS, epochs=6, lr=0.5)  # jumps about
    model, history = train_cell.train_cell(cell, data, "cpu", records.append, train_cell.FeatureStore())
    assert [record.epoch for record in records] == [*range(6)]
    assert history.best.epoch != 5
    best = train_cell.train_cell(replace(cell, recipe=None), data, "cpu", None, train_cell.FeatureStore())[0]
    assert not torch.equal(best.head.linear.weight, model.head.linear.weight)


def test_augmented_images_stay_so_where_they_move():
    split = Split(torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8), torch.zeros(5, dtype=torch.long))
    shown = published.Augmented(split.images, split.labels, Augment(crop=4), torch.Generator().manual_seed(0))
    assert isinstance(shown.near(torch.device("cpu")), published.Augmented)
    none = replace(shown, change=None)
    alone = Augment(crop=4)(split.images.float() / 255, torch.Generator().manual_seed(0))
    [(images, _)] = shown.batches(9, torch.device("cpu"))
    assert torch.equal(images, alone)
    [(images, _)] = none.batches(9, torch.device("cpu"), augment=lambda *given: 1 / 0)
    assert torch.equal(images, split.images.float() / 255)


def test_what_the_recipe_does_not_have_is_refused():
    with pytest.raises(ValueError, match="recipe must be published, got 'best': write that, or leave it out"):
        load_cell_data(replace(CELL, recipe="best"))
    with pytest.raises(ValueError, match="the published recipe is for mnist, fashion_mnist, cifar10, got digits"):
        load_cell_data(replace(THEIRS, data="digits"))
    with pytest.raises(ValueError, match="split of mnist must be stratified or random, got 'half'"):
        vpcore.load_data("mnist", split="half")
    result = call("--preset", "insvp", "--recipe", "published")
    assert "preset insvp has table 1" in result.stderr
    assert "got recipe published" in result.stderr


def test_the_preset_follows_it_when_asked_and_older_keys_stay():
    ours, notes = cells_of("--preset", "msvp")
    theirs, told = cells_of("--preset", "msvp", "--recipe", "published")
    assert [replace(cell, recipe=None) for cell in theirs["cells"]] == ours["cells"]
    assert {cell.recipe for cell in theirs["cells"]} == {"published"}
    assert "valid is cut by class" in notes
    assert "valid is cut by class" not in told
    assert "five seeds, there one" in told
    assert {choose_augment(cell) for cell in theirs["cells"]} == {
        Augment(crop=4, rotate=10), Augment(crop=4, flip=True)
    }  # fmt: skip
    old = {name: value for name, value in asdict(CELL).items() if name != "recipe"}  # as files from before have it
    assert question(old) == question(asdict(CELL)) != question(asdict(THEIRS))
    check_cell(THEIRS, load_cell_data(THEIRS))


@pytest.mark.parametrize(
    ("cell", "precision"), [(THEIRS, "float32"), (CELL, None), (replace(THEIRS, precision="bfloat16"), "bfloat16")]
)
def test_a_cell_is_tested_in_the_precision_it_was_trained_in(monkeypatch, cell, precision):
    seen = []

    def watch(name):
        real = getattr(train_cell, name)
        call = lambda *given, precision, **options: (seen.append((name, precision)), real(*given, **options))[1]  # noqa: E731
        monkeypatch.setattr(train_cell, name, call)

    for name in ("fit", "fit_to_the_last", "evaluate"):
        watch(name)
    key = cell.key()
    assert run_cell(cell, load_cell_data(cell), "cpu")["key"] == key
    assert seen == [("fit_to_the_last" if cell.recipe else "fit", precision), ("evaluate", precision)]
