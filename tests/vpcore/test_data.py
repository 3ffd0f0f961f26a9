"""Data sets: what is bundled always, what VPCORE_DATA holds where it is set, and every kind of broken file."""

import bz2
import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_sets import fake_kmnist
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from vpcore.data import NAMES, Split, Splits, load_data, sources
from vpcore.data.files import hash_cut
from vpcore.data.photodigits import STRIPS, _backgrounds, _partition, _photo_strips, digits
from vpcore.data.resize import fit_channels, fit_size
from vpcore.data.splits import channel_stats, stratified_order

ROOT = os.environ.get("VPCORE_DATA")
MARKERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "usps": "usps.bz2", "cifar10": "cifar-10-batches-py",
           "cifar100": "cifar-100-python"}  # fmt: skip


def real(name):
    if not ROOT or not (Path(ROOT) / MARKERS[name]).exists():
        pytest.skip(f"VPCORE_DATA holds no {name}")
    return Path(ROOT)


def toy(count=40, classes=4, size=8, channels=3):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, channels, size, size), generator=generator, dtype=torch.uint8)
    return Split(images, torch.arange(count) % classes)


# --- Split and Splits


def test_a_mask_selects_and_anything_else_but_whole_numbers_is_refused():
    split = toy()
    mask = split.labels == 2
    for given in (mask, mask.numpy(), mask.tolist()):
        part = split.take(given)
        assert part.labels.tolist() == [2] * 10
        assert torch.equal(part.images, split.images[mask])
    assert len(split.take([])) == len(split.take(~torch.ones(40, dtype=torch.bool))) == 0
    assert split.take(np.array([3, 1])).labels.tolist() == [3, 1]
    with pytest.raises(ValueError, match=r"a mask needs one entry an image, got \(39,\) for 40 images"):
        split.take(mask[:39])
    with pytest.raises(TypeError, match=r"indices must be whole numbers or a mask, got torch.float32: use .long"):
        split.take(torch.tensor([1.7, 2.0]))


def test_a_data_set_prints_in_five_lines():
    lines = str(load_data("digits")).splitlines()
    assert len(lines) == 5
    assert lines[0] == "digits: 1,100 train, 300 valid, 397 test"
    assert lines[1] == "images: 1×28×28 (channels × height × width), uint8"
    assert lines[2] == "classes: 10 (0, 1, 2, 3, 4, …)"


def test_split_take_and_len():
    split = toy()
    part = split.take([3, 1])
    assert len(part) == 2
    assert torch.equal(part.images, split.images[[3, 1]])
    assert part.labels.tolist() == [3, 1]
    assert torch.equal(split.to("cpu").images, split.images)


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (torch.rand(2, 1, 4, 4), torch.zeros(2).long(), TypeError, "uint8 tensor, got torch.float32: multiply"),
        (np.zeros((2, 1, 4, 4)), torch.zeros(2).long(), TypeError, "got ndarray"),
        (torch.zeros(2, 1, 4, 4).byte(), torch.zeros(2), TypeError, "labels must be a torch.int64 tensor"),
        (torch.zeros(2, 4, 4).byte(), torch.zeros(2).long(), ValueError, r"needs images \(N, C, H, W\)"),
        (torch.zeros(2, 1, 4, 4).byte(), torch.zeros(3).long(), ValueError, "got 2 images and 3 labels"),
        (torch.zeros(1, 1, 4, 4).byte(), torch.tensor([-1]), ValueError, "labels must be 0 or more, got -1"),
    ],
)
def test_split_refuses(images, labels, error, message):
    with pytest.raises(error, match=message):
        Split(images, labels)


def test_splits_refuse_unequal_shapes_and_unnamed_labels():
    rest = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "name": "toy", "source_md5": ""}
    with pytest.raises(ValueError, match="square and of one shape"):
        Splits(toy(), toy(size=9), toy(), classes=tuple("abcd"), **rest)
    with pytest.raises(ValueError, match="label 3 with 2 class names"):
        Splits(toy(), toy(), toy(), classes=tuple("ab"), **rest)


def test_limit_is_stratified_nested_and_bounded():
    data = load_data("photodigits", num_train=400, num_valid=10, num_test=10)
    small, large = data.limit(50, seed=3), data.limit(100, seed=3)
    assert torch.bincount(small.train.labels).tolist() == [5] * 10
    keys = [{image.numpy().tobytes() for image in part.train.images} for part in (small, large)]
    assert keys[0] < keys[1]
    assert {image.numpy().tobytes() for image in data.limit(50, seed=4).train.images} != keys[0]
    assert small.mean == channel_stats(small.train.images)[0]
    assert torch.equal(small.test.images, data.test.images)
    for n in (9, 401):
        with pytest.raises(ValueError, match=rf"n must be 10 \(one image a class\) to 400, got {n}"):
            data.limit(n)


def test_stratified_order_keeps_rare_classes_and_proportions():
    labels = np.repeat([0, 1, 2], [700, 299, 1])
    order = stratified_order(labels, seed=0)
    assert sorted(order) == list(range(1000))
    assert set(labels[order[:3]]) == {0, 1, 2}
    assert abs((labels[order[:100]] == 0).sum() - 70) <= 2


def test_channel_stats_equal_numpy():
    images = toy(count=2500).images
    mean, std = channel_stats(images)
    pixels = images.numpy() / 255
    assert np.allclose(mean, pixels.mean((0, 2, 3)), atol=1e-9)
    assert np.allclose(std, pixels.std((0, 2, 3)), atol=1e-9)


# --- resizing


def test_fit_size_equals_pil_antialiased_bilinear():
    images = toy(count=3, size=64).images
    for image, got in zip(images, fit_size(images, 20), strict=True):
        wanted = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((20, 20), Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(wanted).astype(int) - got.permute(1, 2, 0).numpy()).max() <= 1


def test_fit_size_crops_the_center_of_what_is_not_square():
    images = torch.zeros(1, 1, 10, 30, dtype=torch.uint8)
    images[..., 10:20] = 200  # the center square
    assert torch.equal(fit_size(images, 10), images[..., 10:20])
    assert fit_size(images.mT, 5).shape == (1, 1, 5, 5)


def test_fit_channels_repeats_and_weighs():
    grey = toy(channels=1).images
    assert torch.equal(fit_channels(fit_channels(grey, 3), 1), grey)
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert fit_channels(red, 1).item() == 76
    with pytest.raises(ValueError, match="in_chans must be 1 or 3, got 4 for images of 1 channels"):
        fit_channels(grey, 4)
    for size in (0, 2.5, True):
        with pytest.raises(ValueError, match="image_size must be a whole number of pixels"):
            fit_size(grey, size)


# --- bundled sets


def test_digits_are_real_stratified_and_keep_their_test_part():
    first, second = load_data("digits", seed=0), load_data("digits", seed=1)
    assert [len(first.train), len(first.valid), len(first.test)] == [1100, 300, 397]
    assert (first.image_size, first.in_chans, first.classes) == (28, 1, tuple("0123456789"))
    assert torch.equal(first.test.images, second.test.images)
    assert not torch.equal(first.valid.images, second.valid.images)
    for split in (first.train, first.valid, first.test):
        share = torch.bincount(split.labels, minlength=10) / len(split)
        assert (share - 0.1).abs().max() < 0.01
    parts = _partition(0, "stratified")
    planes = np.concatenate([p for p, _ in parts.values()]).reshape(-1, 64)
    source = load_digits().data / 16
    assert np.array_equal(planes[np.lexsort(planes.T)], source[np.lexsort(source.T)])  # each digit exactly once


def test_contiguous_digits_follow_each_other_in_the_file():
    source = load_digits()
    first, second = (load_data("digits", seed=seed, split="contiguous") for seed in (0, 1))
    assert [len(first.train), len(first.valid), len(first.test)] == [1100, 300, 397]
    labels = torch.cat([part.labels for part in (first.train, first.valid, first.test)])
    assert labels.tolist() == source.target.tolist()
    assert first.source_md5 == second.source_md5 != load_data("digits", seed=0).source_md5
    pasted = load_data("photodigits", split="contiguous", num_train=40)
    assert torch.equal(pasted.train.labels, load_data("photodigits", num_train=40).train.labels)
    assert not torch.equal(pasted.train.images, load_data("photodigits", num_train=40).train.images)
    with pytest.raises(ValueError, match="split of mnist must be stratified or random, got 'contiguous'"):
        load_data("mnist", split="contiguous")
    with pytest.raises(ValueError, match="split of photodigits must be stratified or contiguous, got 'random'"):
        load_data("photodigits", split="random")


def test_photodigits_are_deterministic_and_splits_independent():
    first = load_data("photodigits", seed=0, num_train=60)
    again = load_data("photodigits", seed=0, num_train=120)
    other = load_data("photodigits", seed=1, num_train=60)
    assert [len(first.train), len(first.valid), len(first.test)] == [60, 500, 1000]
    assert (first.image_size, first.in_chans) == (32, 3)
    assert torch.equal(first.test.images, again.test.images)
    assert torch.equal(first.train.images, again.train.images[:60])
    assert not torch.equal(first.test.images, other.test.images)
    assert first.source_md5 == load_data("photodigits", num_train=60).source_md5 != again.source_md5
    assert torch.bincount(first.test.labels).tolist() == [100] * 10


def test_photodigits_parts_share_no_photo_region():
    bounds = sorted(STRIPS.values())
    assert all(left[1] <= right[0] for left, right in pairwise(bounds))
    widths = {part: _photo_strips(part)[0].shape[1] - 1 for part in STRIPS}
    assert sum(widths.values()) == load_sample_images().images[0].shape[1]
    assert min(widths.values()) >= 96


def test_photodigits_backgrounds_are_exact_area_averages():
    strip = load_sample_images().images[1][:, : round(0.55 * 640)] / 255
    side = 64  # u such that floor(32 + 65u) = 64; two source pixels a side for one
    draws = np.array([[0.9, 32.5 / 65, 0.0, 0.0], [0.9, 32.5 / 65, 0.999999, 0.999999]])
    got = _backgrounds(draws, _photo_strips("train"))
    for image, window in zip(got, (strip[:side, :side], strip[-side:, -side:]), strict=True):
        assert np.allclose(image, window.reshape(32, 2, 32, 2, 3).mean((1, 3)), atol=1e-9)


def test_photodigits_move_only_when_asked():
    fixed = load_data("photodigits", position="fixed", num_train=300, num_valid=1, num_test=1)
    moving = load_data("photodigits", num_train=300, num_valid=1, num_test=1)
    border = torch.ones(32, 32, dtype=torch.bool)
    border[4:28, 4:28] = False
    plain = load_data("photodigits", position="fixed", seed=0, num_train=300, num_valid=1, num_test=1)
    assert torch.equal(fixed.train.images, plain.train.images)
    differ = (fixed.train.images != moving.train.images).any(1).float().mean(0)
    assert differ[border].max() > 0.02  # the random digits reach the border, the fixed ones never do


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "photodigit"}, "unknown data set 'photodigit': did you mean 'photodigits'"),
        ({"name": "imagenet22k"}, "choose one of digits, photodigits, mnist"),
        ({"name": "photodigits", "position": "left"}, 'position must be "random" or "fixed", got \'left\''),
        ({"name": "photodigits", "num_test": 0}, "num_test must be a whole number, 1 or more, got 0"),
        ({"name": "digits", "num_train": 10}, "belong to photodigits, got them for digits"),
        ({"name": "digits", "seed": -1}, "seed must be a whole number, 0 or more, got -1"),
        ({"name": "digits", "in_chans": 2}, "in_chans must be 1 or 3"),
        ({"name": "digits", "image_size": 0}, "image_size must be"),
    ],
)
def test_bad_requests_are_refused(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_data(**options)
    assert "\n" not in str(caught.value)


# --- files: missing, corrupt, and the profile


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.delenv("VPCORE_DATA", raising=False)
    monkeypatch.delenv("VPCOURSE_PROFILE", raising=False)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("digits", "photodigits", "folder")])
def test_missing_sets_say_where_and_what_to_do(name, tmp_path, quick):
    with pytest.raises(
        FileNotFoundError, match=rf"{name} is not at {tmp_path}.*VPCORE_DATA.*VPCOURSE_PROFILE=full"
    ) as caught:
        load_data(name, tmp_path, image_size=32)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # nothing is written


def test_no_root_and_unknown_profile(tmp_path, quick, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no folder to look for 'mnist' in: set VPCORE_DATA"):
        load_data("mnist")
    monkeypatch.setenv("VPCOURSE_PROFILE", "fast")
    with pytest.raises(ValueError, match="VPCOURSE_PROFILE must be quick or full, got 'fast'"):
        load_data("digits")


def test_full_profile_downloads_aside_then_moves(tmp_path, quick, monkeypatch):
    from torchvision import datasets

    monkeypatch.setattr(datasets, "KMNIST", fake_kmnist(datasets.KMNIST))
    monkeypatch.setenv("VPCOURSE_PROFILE", "full")
    data = load_data("kmnist", tmp_path / "new")
    assert [len(data.train), len(data.valid), len(data.test)] == [36, 4, 20]
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["KMNIST"]
    (tmp_path / "new/KMNIST/raw/t10k-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03cut")
    with pytest.raises(OSError, match=r"kmnist under .* cannot be read") as caught:
        load_data("kmnist", tmp_path / "new")
    assert "\n" not in str(caught.value)


def test_a_failed_download_leaves_nothing(tmp_path, quick, monkeypatch):
    from torchvision import datasets

    def fail(root, **_):
        (Path(root) / "half").write_text("half a file")
        raise RuntimeError("Error downloading\nno network")

    monkeypatch.setattr(datasets, "SVHN", fail)
    monkeypatch.setenv("VPCOURSE_PROFILE", "full")
    with pytest.raises(OSError, match=r"svhn could not be downloaded to .*no network\)") as caught:
        load_data("svhn", tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_as_root_is_an_os_error(tmp_path, quick, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VPCOURSE_PROFILE", "full")
    with pytest.raises(OSError, match=r"mnist could not be downloaded to .*check the network and the disk"):
        load_data("mnist", tmp_path / "file")


def test_corrupt_mnist_names_the_file(tmp_path):
    shutil.copytree(real("mnist") / "MNIST", tmp_path / "MNIST")
    broken = tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte"
    content = bytearray(broken.read_bytes())
    content[100] ^= 1
    broken.write_bytes(content)
    with pytest.raises(OSError, match=rf"{broken} is corrupt or cut short \(md5"):
        load_data("mnist", tmp_path)
    broken.unlink()
    with pytest.raises(FileNotFoundError, match=f"mnist lacks the file {broken}"):
        load_data("mnist", tmp_path)


def test_a_wrong_pickle_is_never_opened(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    shutil.copytree(real("cifar10") / "cifar-10-batches-py", folder, copy_function=os.symlink)
    (folder / "batches.meta").unlink()
    evil = b"cos\nsystem\n(S'touch " + str(tmp_path / "opened").encode() + b"'\ntR."
    (folder / "batches.meta").write_bytes(evil)
    with pytest.raises(OSError, match=r"cifar10 under .* cannot be read .*corrupted"):
        load_data("cifar10", tmp_path)
    (folder / "test_batch").unlink()
    (folder / "test_batch").write_bytes(evil)
    with pytest.raises(OSError, match="test_batch is corrupt or cut short"):
        load_data("cifar10", tmp_path)
    assert not (tmp_path / "opened").exists()


def usps_file(path, count):
    row = " ".join(f"{i}:-0.5" for i in range(1, 257))
    path.write_bytes(bz2.compress("".join(f"{1 + i % 10} {row} \n" for i in range(count)).encode()))


def test_usps_checks_counts_and_bytes(tmp_path, quick, monkeypatch):
    assert sources.USPS_COUNTS == {"usps.bz2": 7291, "usps.t.bz2": 2007}  # the official ones
    monkeypatch.setattr(sources, "USPS_COUNTS", {"usps.bz2": 60, "usps.t.bz2": 20})
    usps_file(tmp_path / "usps.bz2", 60)
    usps_file(tmp_path / "usps.t.bz2", 20)
    data = load_data("usps", tmp_path)
    assert (len(data.train), len(data.valid), len(data.test)) == (54, 6, 20)
    assert data.train.images.unique().tolist() == [64]
    assert data.test.labels.tolist() == [*range(10), *range(10)]
    assert torch.equal(load_data("usps", tmp_path, seed=7).valid.labels, data.valid.labels)  # seed moves no image
    usps_file(tmp_path / "usps.t.bz2", 19)
    with pytest.raises(OSError, match=r"usps.t.bz2 is corrupt or cut short \(ValueError: 19 images, not 20\)"):
        load_data("usps", tmp_path)
    for broken in ((tmp_path / "usps.bz2").read_bytes()[:-20], b"text"):
        (tmp_path / "usps.bz2").write_bytes(broken)
        with pytest.raises(OSError, match=r"usps.bz2 is corrupt or cut short"):
            load_data("usps", tmp_path)


# --- folders of images


def write_images(folder, count, size=(10, 10), seed=0):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{index:03d}.png")


@pytest.mark.parametrize("valid", ["validation", "valid", "val", "Val", "DEV", None])
def test_folder_with_splits(tmp_path, valid):
    for seed, (part, count) in enumerate((("train", 20), (valid, 4), ("test", 6))):
        for name in ("cat", "dog"):
            if part:
                write_images(tmp_path / part / name, count, seed=seed)
    data = load_data("folder", tmp_path)
    assert data.classes == ("cat", "dog")
    assert [len(data.train), len(data.valid), len(data.test)] == ([40, 8, 12] if valid else [36, 4, 12])
    assert torch.bincount(data.valid.labels).tolist() == ([4, 4] if valid else [2, 2])
    assert load_data("folder", tmp_path, image_size=5, in_chans=1).train.images.shape[1:] == (1, 5, 5)


def test_flat_folder_is_cut_by_a_hash_of_the_names(tmp_path):
    for seed, name in enumerate(("a", "b")):
        write_images(tmp_path / name, 20, seed=seed)
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    data = load_data("folder", tmp_path)
    assert [len(data.train), len(data.valid), len(data.test)] == [28, 6, 6]
    again = load_data("folder", tmp_path, seed=5)
    assert torch.equal(data.test.images, again.test.images)
    before = hash_cut(np.zeros(100), [f"{i}.png" for i in range(100)])["test"]
    after = hash_cut(np.zeros(101), [f"{i}.png" for i in range(101)])["test"]
    assert len(set(before) - set(after)) <= 2
    assert sorted(before) != list(range(85, 100))  # not simply the last files
    assert [len(v) for v in hash_cut(np.zeros(1), ["x"]).values()] == [1, 0, 0]


def test_folder_errors_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        load_data("folder", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no class folders under"):
        load_data("folder", tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no images under .*files must end in"):
        load_data("folder", tmp_path)
    (tmp_path / "a").rmdir()
    write_images(tmp_path / "b", 6)
    write_images(tmp_path / "c", 6, size=(10, 12), seed=1)
    with pytest.raises(ValueError, match=r"differ in size \(10×10 and 12×10 pixels\): give .*image_size"):
        load_data("folder", tmp_path)
    assert load_data("folder", tmp_path, image_size=8).image_size == 8
    (tmp_path / "b" / "bad.jpg").write_bytes(b"no jpeg")
    with pytest.raises(OSError, match=r"bad.jpg is no readable image"):
        load_data("folder", tmp_path, image_size=8)


def test_folder_refuses_half_a_layout(tmp_path):
    write_images(tmp_path / "train" / "a", 3)
    with pytest.raises(FileNotFoundError, match="has train/ but no test/"):
        load_data("folder", tmp_path)
    write_images(tmp_path / "test" / "b", 3, seed=1)
    with pytest.raises(ValueError, match="is a class that train lacks"):
        load_data("folder", tmp_path)


def test_a_set_without_official_split_through_the_torchvision_door(tmp_path, quick):
    for seed, name in enumerate(("Forest", "River")):
        write_images(tmp_path / "eurosat" / "2750" / name, 20, size=(12, 12), seed=seed)
    data = load_data("eurosat", tmp_path, image_size=8)
    assert data.classes == ("Forest", "River")
    assert [len(data.train), len(data.valid), len(data.test)] == [28, 6, 6]
    assert data.source_md5 == load_data("eurosat", tmp_path).source_md5  # of what was read, not of what was resized
    (tmp_path / "eurosat" / "2750" / "River" / "000.png").write_bytes(b"no png")
    with pytest.raises(OSError, match=r"River/000.png is no readable image"):
        load_data("eurosat", tmp_path)


# --- the real sets


@pytest.mark.parametrize(
    ("name", "counts", "shape", "classes"),
    [("mnist", (54000, 6000, 10000), (1, 28, 28), 10), ("fashion_mnist", (54000, 6000, 10000), (1, 28, 28), 10),
     ("usps", (6562, 729, 2007), (1, 16, 16), 10), ("cifar10", (45000, 5000, 10000), (3, 32, 32), 10),
     ("cifar100", (45000, 5000, 10000), (3, 32, 32), 100)],
)  # fmt: skip
def test_real_sets(name, counts, shape, classes):
    data = load_data(name, real(name))
    assert (len(data.train), len(data.valid), len(data.test)) == counts
    assert tuple(data.train.images.shape[1:]) == shape
    assert len(data.classes) == classes == len(data.test.labels.unique())
    share = torch.bincount(data.valid.labels) / torch.bincount(torch.cat([data.train.labels, data.valid.labels]))
    assert (share - 0.1).abs().max() < 0.01


def test_cifar10_pixels_and_statistics_are_the_published_ones():
    from torchvision.datasets import CIFAR10

    data, official = load_data("cifar10", real("cifar10")), CIFAR10(real("cifar10"), train=False)
    assert np.array_equal(data.test.images[5].permute(1, 2, 0).numpy(), official.data[5])
    assert data.test.labels[:50].tolist() == official.targets[:50]
    assert np.allclose(data.mean, (0.4914, 0.4822, 0.4465), atol=5e-4)
    assert np.allclose(data.std, (0.2470, 0.2435, 0.2616), atol=5e-4)


def test_the_nearest_digit_names_as_many_as_the_docstring_says():
    """Cut at random, test digits have their writer's others in train; cut in the order of the file, few have."""
    source = load_digits()
    planes, labels = source.images.reshape(-1, 64), source.target
    whole = {plane.tobytes(): place for place, plane in enumerate(planes / 16.0)}
    for split, share in (("stratified", 99.7), ("contiguous", 95.0)):
        parts = _partition(0, split)
        train, test = ([whole[plane.tobytes()] for plane in parts[of][0].reshape(-1, 64)] for of in ("train", "test"))
        nearest = ((planes[test, None] - planes[None, train]) ** 2).sum(-1).argmin(1)
        assert 100 * (labels[train][nearest] == labels[test]).mean() == pytest.approx(share, abs=0.06)
    assert "99.7 %" in (digits.__doc__ or "")
    assert "95.0 %" in (digits.__doc__ or "")
