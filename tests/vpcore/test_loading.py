"""A Dataset or a DataLoader in the place of a Split: as torchvision and Hugging Face make them, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image
from test_label_mapping import make_model
from tiny import same, tiny_model, tiny_split, weights
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, TensorDataset
from torchvision.datasets import FakeData, ImageFolder
from torchvision.transforms import v2
from torchvision.transforms.functional import pil_to_tensor

import vpcore
from vpcore.data.augment import Augment
from vpcore.data.loading import Loaded, as_batches, named
from vpcore.data.splits import Split

TRAIN, VALID = tiny_split(40), tiny_split(20, seed=1)
OPTIONS = {"epochs": 2, "batch_size": 16, "lr": 1e-2, "device": "cpu"}
TO_FLOAT = v2.Compose([v2.ToImage(), v2.Resize((8, 8)), v2.Grayscale(), v2.ToDtype(torch.float32, scale=True)])


def unchanged(image):
    return image


class Rows(Dataset):
    """The images of a split as a Dataset, changed on the way."""

    def __init__(self, split, change=unchanged):  # no lambda: since Python 3.14, workers get a copy by pickle
        self.split, self.change, self.asked = split, change, []

    def __len__(self):
        return len(self.split)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.change(self.split.images[index]), int(self.split.labels[index])


class Dictionaries(Rows):
    """Items as Hugging Face's datasets have them; that class is no Dataset of torch."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return {"id": f"row {index}", "img": image, "fine_label": label}


class Columns:
    """What a Hugging Face dataset answers: columns by name, rows by number, a transform of batches."""

    def __init__(self, transform=None, **columns):
        self.columns, self.transform = columns, transform or (lambda batch: batch)

    def with_transform(self, transform):
        return Columns(transform, **self.columns)

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key):
        return self.columns[key] if isinstance(key, str) else self.__getitems__([key])[0]

    def __getitems__(self, places):
        batch = self.transform({name: [column[place] for place in places] for name, column in self.columns.items()})
        return [{name: column[at] for name, column in batch.items()} for at in range(len(places))]


def learned(train, valid=VALID, **options):
    model = tiny_model()
    history = vpcore.fit(model, train, valid, **{**OPTIONS, **options})
    return weights(model), [(record.train_loss, record.valid_accuracy) for record in history.epochs]


@pytest.mark.parametrize("change", [lambda image: image, lambda image: image.float() / 255], ids=["uint8", "floats"])
@pytest.mark.parametrize("kind", [Rows, Dictionaries])
def test_a_dataset_trains_and_scores_as_its_split(kind, change):
    model = tiny_model(train_backbone=False)
    scored = vpcore.evaluate(model, kind(VALID, change))
    plain = vpcore.evaluate(model, VALID)
    assert torch.equal(scored.predictions, plain.predictions)
    assert torch.equal(scored.labels, plain.labels)
    assert scored.loss == plain.loss
    other, options = tiny_model(train_backbone=False), {"epochs": 3, "batch_size": 64, "optimizer": "sgd", "lr": 0.1}
    history = vpcore.fit(model, kind(TRAIN, change), kind(VALID, change), **options)  # one batch, in another order
    expected = vpcore.fit(other, TRAIN, VALID, **options)
    assert [r.train_loss for r in history.epochs] == pytest.approx([r.train_loss for r in expected.epochs], rel=1e-5)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_a_hugging_face_dataset_is_read_by_its_columns():
    def pictures(split):
        images = [Image.fromarray(image[0].numpy()) for image in split.images]
        return Columns(image=images, label=split.labels.tolist(), path=["a.png"] * len(split))

    def transform(batch):
        return {**batch, "image": [pil_to_tensor(image) for image in batch["image"]]}

    train, valid = (pictures(split).with_transform(transform) for split in (TRAIN, VALID))
    seen, _ = learned(train, valid)
    assert same(seen, learned(Rows(TRAIN))[0])
    model = tiny_model()
    assert vpcore.evaluate(model, valid).loss == vpcore.evaluate(model, VALID).loss
    with pytest.raises(TypeError, match="images are no tensors yet: give the dataset transform="):
        learned(pictures(TRAIN))
    twice = Columns(transform, **valid.columns, coarse=[0] * len(VALID))
    with pytest.raises(
        TypeError, match=r"a batch must hold one tensor of images .*: give a DataLoader with a collate_fn"
    ):
        vpcore.evaluate(model, twice)
    two = Columns(transform, image=twice["image"], label=twice["label"])  # as select_columns leaves them
    assert vpcore.evaluate(model, two).accuracy == vpcore.evaluate(model, VALID).accuracy


def test_every_image_comes_once_an_epoch_in_an_order_of_its_own():
    rows = Rows(TRAIN)
    learned(rows)
    assert rows.asked[0] == 0, "the first item was looked at"
    epochs = rows.asked[1:41], rows.asked[41:]
    assert all(sorted(epoch) == list(range(40)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_the_seed_alone_decides_what_a_loader_draws():
    def jitter(image):
        return image.float() / 255 * torch.rand(())

    def run(**options):
        return learned(DataLoader(Rows(TRAIN, jitter), batch_size=16, shuffle=True), **options)

    torch.manual_seed(1)
    first = run(augment=Augment(crop=1))
    torch.manual_seed(2)
    torch.rand(5)
    assert same(first[0], run(augment=Augment(crop=1))[0])
    assert not same(first[0], run(augment=Augment(crop=1), seed=1)[0])


LOADERS = {  # each with a generator of one's own, which went on since the run before
    "loader": lambda rows, own: DataLoader(rows, batch_size=16, shuffle=True, generator=own),
    "sampler": lambda rows, own: DataLoader(rows, batch_size=16, sampler=RandomSampler(rows, generator=own)),
    "batches": lambda rows, own: DataLoader(
        rows, batch_sampler=BatchSampler(RandomSampler(rows, generator=own), 16, drop_last=False)
    ),
}


@pytest.mark.filterwarnings("ignore:this DataLoader does not shuffle")
@pytest.mark.parametrize("name", LOADERS)
def test_the_seed_alone_decides_where_a_loader_has_a_generator_too(name, tmp_path):
    own = torch.Generator().manual_seed(5)
    loader = LOADERS[name](Rows(TRAIN), own)
    whole = learned(loader)
    torch.rand(5, generator=own)
    before = own.get_state()
    assert same(learned(loader)[0], whole[0])
    assert torch.equal(own.get_state(), before), "it is put back"
    assert not same(learned(loader, seed=1)[0], whole[0])
    learned(loader, checkpoint=tmp_path / "run", on_epoch=lambda record: False)
    torch.rand(5, generator=own)
    assert learned(loader, checkpoint=tmp_path / "run")[1] == whole[1]


def test_a_loader_resumes_bit_identically_and_keeps_its_own_size_and_order(tmp_path):
    def loader():
        return DataLoader(Rows(TRAIN, lambda image: image.float() / 255 * torch.rand(())), batch_size=7, shuffle=True)

    whole = learned(loader())
    learned(loader(), checkpoint=tmp_path / "run", on_epoch=lambda record: False)
    resumed = learned(loader(), checkpoint=tmp_path / "run")
    assert same(resumed[0], whole[0])
    assert resumed[1] == whole[1]
    with pytest.raises(ValueError, match="it was written with images=40, this run has images=12"):
        learned(DataLoader(Rows(tiny_split(12)), batch_size=7, shuffle=True), checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="it was written with training images='Rows of 40"):
        learned(Dictionaries(TRAIN), checkpoint=tmp_path / "run")


def test_labels_are_known_by_what_they_are_not_how_they_are_kept():
    def known(labels):
        rows = Rows(TRAIN)
        rows.labels = labels
        return as_batches(rows, 8).fingerprint()

    numbers = list(range(40))
    assert known(numbers) == "Rows of 40, labels 05b3cfb5ffbda887"  # as in checkpoints of version 0.1
    assert {known(kind(numbers)) for kind in (tuple, torch.tensor, np.array)} == {known(numbers)}
    assert known(list(np.arange(40))) == known(numbers) == known(range(40))
    assert known(["cat"] * 40) == known(np.array(["cat"] * 40)) != known(["dog"] * 40)


def test_workers_and_a_last_batch_that_is_dropped():
    loader = DataLoader(Rows(TRAIN), batch_size=16, shuffle=True, num_workers=2, drop_last=True)
    sizes = []
    learned(
        loader, DataLoader(Rows(VALID), batch_size=6, num_workers=1), augment=lambda x, _: (sizes.append(len(x)), x)[1]
    )
    assert sizes == [16, 16] * 2
    scored = vpcore.evaluate(tiny_model(), DataLoader(Rows(VALID), batch_size=6))
    assert torch.equal(scored.labels, VALID.labels)


def test_a_loader_that_drops_its_only_batch_is_refused():
    empty = DataLoader(Rows(VALID), batch_size=64, shuffle=True, drop_last=True)
    says = f"a DataLoader gives no batch of its {len(VALID)} images: give it drop_last=False, or a smaller batch_size"
    for train, valid in ((empty, VALID), (TRAIN, empty)):
        with pytest.raises(ValueError, match=says):
            vpcore.fit(tiny_model(), train, valid, epochs=1, batch_size=16)
    with pytest.raises(ValueError, match=says):
        vpcore.evaluate(tiny_model(), empty)


def test_torchvision_datasets_of_images_of_any_size(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("ant", "bee", "cat"):
        (tmp_path / label).mkdir()
        for index, size in enumerate([(9, 12), (30, 8), (16, 16)]):
            Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / label / f"{index}.png")
    folder = ImageFolder(tmp_path, transform=TO_FLOAT)
    assert learned(folder, folder)[1]
    fake = FakeData(12, (3, 10, 10), 3, transform=TO_FLOAT)
    assert len(vpcore.evaluate(tiny_model(), fake).labels) == 12
    random_crop = v2.Compose(
        [v2.ToImage(), v2.RandomResizedCrop(8), v2.Grayscale(), v2.ToDtype(torch.float32, scale=True)]
    )
    assert learned(ImageFolder(tmp_path, transform=random_crop), folder)[1]


def test_a_label_mapping_counts_the_images_of_a_loader():
    model, split = make_model(), tiny_split(12, size=4)
    assert model.head.kind == "iterative"
    model.head.remap(model, split, batch_size=5)
    expected = model.head.mapping.clone()
    model.head.mapping.zero_()
    model.head.remap(model, Loaded(DataLoader(Rows(split), batch_size=5)))
    assert torch.equal(model.head.mapping, expected)


def test_a_stream_needs_a_length():
    class Stream(IterableDataset):
        def __iter__(self):
            return ((image, int(label)) for image, label in zip(TRAIN.images, TRAIN.labels, strict=True))

    with pytest.raises(TypeError, match="a DataLoader needs a length: give its dataset __len__"):
        learned(DataLoader(Stream(), batch_size=8))
    Stream.__len__ = lambda self: 40
    assert learned(DataLoader(Stream(), batch_size=8))[1]
    assert learned(Stream())[1]


def test_what_is_not_in_0_to_1_is_warned_of_once():
    cases = [(lambda x: x.float(), "divide them by 255"), (lambda x: (x / 255 - 0.5) / 0.25, "leave out Normalize")]
    for change, fix in cases:
        rows = DataLoader(Rows(TRAIN, change), batch_size=10, shuffle=True)
        with pytest.warns(UserWarning, match=rf"images must be in \[0, 1\], these are in .*: {fix}") as caught:
            learned(rows)
        assert len(caught) == 1
    overshoots = Rows(TRAIN, lambda x: (x / 255) * 1.2 - 0.1)  # as bicubic interpolation does
    assert learned(overshoots)[1]


def test_a_loader_that_does_not_shuffle_is_warned_of_where_one_trains():
    with pytest.warns(UserWarning, match="does not shuffle its training images: give it shuffle=True") as caught:
        learned(DataLoader(Rows(TRAIN), batch_size=10))
    assert len(caught) == 1


def test_images_in_host_memory_give_the_same_training(monkeypatch):
    """A GPU is not needed to see what is yielded: the device differs by its type alone."""
    order = [torch.Generator().manual_seed(3) for _ in range(2)]
    draws = [torch.Generator().manual_seed(4) for _ in range(2)]
    near = list(TRAIN.batches(16, torch.device("cpu"), order[0], Augment(crop=1), draws[0]))
    moved = []
    monkeypatch.setattr(
        "vpcore.data.splits.ahead", lambda batches, device: (moved.append(each) or each for each in batches)
    )
    far = list(TRAIN.batches(16, torch.device("meta"), order[1], Augment(crop=1), draws[1]))
    assert [tuple(image.dtype for image, _ in moved)] == [(torch.uint8,) * 3], "they move as they are stored"
    for (x, y), (a, b) in zip(near, far, strict=True):
        assert torch.equal(x, a)
        assert torch.equal(y, b)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ((TRAIN.images, TRAIN.labels), r"got tuple: try Split\(images, labels\)"),
        (TRAIN.images, r"got Tensor: try Split\(images, labels\)"),
        ("photodigits", "got str"),
        (None, "got NoneType"),
        (vpcore.load_data("digits"), "got all of a data set: pass one of its splits, as data.train"),
        (
            Rows(TRAIN, lambda x: Image.fromarray(x[0].numpy())),
            r"images are no tensors yet: give the dataset transform=v2",
        ),
        (
            Rows(TRAIN, lambda x: x.double()[0, 0]),
            r"a batch must hold one tensor of images .*got torch.float64 \(\d+, 8\)",
        ),
        (
            Rows(TRAIN, lambda x: x.int()),
            r"images must be uint8, or floats in \[0, 1\], got torch.int32: use transform=v2",
        ),
        (TensorDataset(TRAIN.images, TRAIN.labels.float()), "one of whole labels"),
        (TensorDataset(TRAIN.images), "one of whole labels"),
        (
            TensorDataset(TRAIN.images, TRAIN.labels, TRAIN.labels),
            "give a DataLoader with a collate_fn that returns these",
        ),
    ],
)
def test_what_is_no_data_is_said_in_words(data, says):
    with pytest.raises(TypeError, match=says):
        learned(data)
    with pytest.raises(TypeError, match=says):
        vpcore.evaluate(tiny_model(), data)


def test_labels_without_a_logit_are_refused_before_the_device_sees_them():
    seen = []
    late = Split(TRAIN.images, torch.cat([TRAIN.labels[:-1], torch.tensor([3])]))
    with pytest.raises(ValueError, match="the model has 3 classes, a label is 3: give the head more classes"):
        learned(Rows(late), augment=lambda x, _: (seen.append(1), x)[1], batch_size=2)
    assert 0 < len(seen) < 21
    with pytest.raises(ValueError, match="labels must be 0 or more, got -1: number the classes from 0"):
        learned(TensorDataset(TRAIN.images, TRAIN.labels - 1))
    with pytest.raises(ValueError, match="fit needs images to train on and to choose with, got 0 and 20"):
        learned(Rows(tiny_split(0)))


def test_batches_of_splits_stay_what_they_are():
    assert as_batches(TRAIN, 8) is TRAIN
    loaded = as_batches(Rows(TRAIN), 8)
    assert as_batches(loaded, 5) is loaded


def test_options_have_names_without_addresses():
    assert named(Augment(crop=2)) == "Augment(crop=2, rotate=0.0, flip=False)"
    assert named(named) == "named"
    assert " at 0x" not in named(Rows(TRAIN)) + named(v2.Compose([v2.Lambda(lambda x: x)]))
