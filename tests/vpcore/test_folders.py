"""Folders of one's own images: every kind of pixels, every usual layout, and what is refused by name."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from vpcore.data import load_data
from vpcore.data.duplicates import near_duplicates

RNG = np.random.default_rng(0)


def noise(size=(10, 12)):
    return Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8))


def fill(folder, count=6, suffix="png"):
    folder.mkdir(parents=True)
    for index in range(count):
        noise().save(folder / f"{index}.{suffix}")
    return folder


def laid_out(root, parts=("train", "test"), classes=("ant", "bee")):
    for part in parts:
        for name in classes:
            fill(root / part / name, 3)
    return root


def reads(root, image, name="odd.png", **options):
    """What `load_data` makes of one more image of the first class: its only picture in valid."""
    for part, classes in (("train", ("ant", "bee")), ("test", ("ant", "bee"))):
        for each in classes:
            fill(root / part / each, 2)
    (root / "valid" / "ant").mkdir(parents=True)
    image.save(root / "valid" / "ant" / name, **options)
    return load_data("folder", root, image_size=8).valid.images[0].permute(1, 2, 0).numpy()


RAMP = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
COLORS = np.array([[[255, 0, 0, 255], [0, 255, 0, 128], [0, 0, 255, 0], [10, 20, 30, 255]]], dtype=np.uint8)
COLORS = COLORS.repeat(8, 0).repeat(2, 1)  # (8, 8, 4)


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (Image.fromarray(RAMP), "a.png"),
        (Image.fromarray(RAMP), "a.tif"),
        (Image.fromarray(RAMP.astype(np.int32)), "a.tiff"),
        (Image.fromarray((RAMP / 65535).astype(np.float32)), "a.tif"),
    ],
    ids=["16-bit png", "16-bit tiff", "32-bit tiff", "float tiff"],
)
def test_deep_grey_images_keep_their_scale(tmp_path, image, name):
    expected = (RAMP.astype(np.float64) / 257).round()
    assert np.array_equal(reads(tmp_path, image, name), np.stack([expected] * 3, -1))


@pytest.mark.parametrize(
    "pixels",
    [np.full((8, 8), 70000, np.int32), np.full((8, 8), -1, np.int32), np.full((8, 8), 2.5, np.float32),
     np.full((8, 8), np.nan, np.float32)],
    ids=["beyond 16 bits", "negative", "float above 1", "nan"],
)  # fmt: skip
def test_pixels_of_no_known_scale_are_refused_by_name(tmp_path, pixels):
    with pytest.raises(OSError, match=r"ant/a.tiff is no readable image \(its pixels are .*, not 0 … "):
        reads(tmp_path, Image.fromarray(pixels), "a.tiff")


def test_what_is_clear_lies_on_white(tmp_path):
    expected = np.array([[255, 0, 0], [127, 255, 127], [255, 255, 255], [10, 20, 30]]).repeat(2, 0)
    got = reads(tmp_path / "rgba", Image.fromarray(COLORS))
    assert np.abs(got[0].astype(int) - expected).max() <= 1
    palette = Image.fromarray(COLORS[..., :3]).quantize(4)
    clear = reads(tmp_path / "palette", palette, transparency=palette.getpixel((4, 0)))
    assert clear[0, 4].tolist() == [255, 255, 255]
    assert clear[0, 0].tolist() == [255, 0, 0]
    grey = Image.fromarray(np.stack([np.full((8, 8), 40), np.full((8, 8), 0)], -1).astype(np.uint8), "LA")
    assert reads(tmp_path / "grey", grey)[0, 0].tolist() == [255, 255, 255]


def test_cmyk_and_one_bit_and_turned_photographs(tmp_path):
    red = Image.fromarray(np.full((8, 8, 3), (250, 5, 5), np.uint8))
    assert np.abs(reads(tmp_path / "cmyk", red.convert("CMYK"), "a.jpg").astype(int) - (250, 5, 5)).max() <= 12
    bits = Image.fromarray(np.eye(8, dtype=np.uint8) * 255).convert("1")
    assert np.array_equal(reads(tmp_path / "bits", bits)[..., 0], np.eye(8) * 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn clockwise
    half = Image.fromarray(np.concatenate([np.zeros((4, 8, 3)), np.full((4, 8, 3), 255)]).astype(np.uint8))
    turned = reads(tmp_path / "exif", half, exif=exif)
    assert turned[:, :4].min() == 255
    assert turned[:, 4:].max() == 0


def test_of_an_animation_the_first_frame_is_read(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    got = reads(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:])
    assert got.reshape(-1, 3).tolist() == [[255, 0, 0]] * 64


@pytest.mark.parametrize(
    "parts", [("Train", "Val", "Test"), ("TRAINING", "testing"), ("train", "Validation", "test"), ("trn", "dev", "tst")]
)
def test_split_folders_have_usual_names_in_any_case(tmp_path, parts):
    data = load_data("folder", laid_out(tmp_path, parts), image_size=8)
    assert data.classes == ("ant", "bee")
    assert len(data.test) == 6
    assert len(data.valid) == (6 if len(parts) == 3 else 1)


def test_hidden_files_and_what_macos_leaves_are_no_classes(tmp_path):
    laid_out(tmp_path)
    fill(tmp_path / "__MACOSX" / "train" / "ant", 2)
    fill(tmp_path / "train" / "__MACOSX", 2)
    fill(tmp_path / "train" / "ant" / ".thumbnails", 2)
    (tmp_path / "train" / "bee" / "._1.png").write_bytes(b"no image")
    data = load_data("folder", tmp_path, image_size=8)
    assert data.classes == ("ant", "bee")
    assert len(data.train) + len(data.valid) == 6


def test_folder_by_name(tmp_path):
    laid_out(tmp_path / "pets")
    data = load_data("folder:pets", tmp_path, image_size=8)
    assert data.name == "folder:pets"
    assert data.source_md5 == load_data("folder", tmp_path / "pets", image_size=8).source_md5
    with pytest.raises(FileNotFoundError, match=r"no folder .*/cars: make it"):
        load_data("folder:cars", tmp_path)


def both_layouts(root):
    laid_out(root)
    fill(root / "cat")


def twice(root):
    laid_out(root, ("train", "Training", "test"))


def empty_class(root):
    laid_out(root)
    (root / "train" / "cat").mkdir()


def empty_flat(root):
    fill(root / "ant")
    (root / "bee").mkdir()


def few(root):
    fill(root / "ant")
    fill(root / "bee", 5)


def beside(root):
    fill(root / "ant")
    fill(root / "bee")
    noise().save(root / "cover.jpg")


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (
            lambda root: laid_out(root / "pets"),
            FileNotFoundError,
            r"is a level too high, it holds pets/ alone: give .*pets",
        ),
        (
            lambda root: [fill(root / "pets" / c) for c in "ab"],
            FileNotFoundError,
            "is a level too high, it holds pets/",
        ),
        (
            lambda root: [fill(root / "new" / "pets" / c) for c in "ab"],
            FileNotFoundError,
            "is a level too high, it holds new/ alone: give .*/new/pets$",
        ),
        (
            lambda root: laid_out(root / "download" / "2026" / "pets"),
            FileNotFoundError,
            "it holds download/ alone: give .*/download/2026/pets$",
        ),
        (lambda root: laid_out(root, ("valid", "test")), FileNotFoundError, "has valid/, test/ but no train/: add it"),
        (both_layouts, ValueError, "has train/ and images in cat/ beside it: move them into the folders of the splits"),
        (twice, ValueError, "has train twice, Training/ and train/: keep one of them"),
        (empty_class, ValueError, "train/cat holds no images: add some, or remove the folder"),
        (empty_flat, ValueError, "bee holds no images: add some, or remove the folder"),
        (few, ValueError, "bee holds 5 images, to be cut in three it needs 6: add some, or cut it yourself"),
        (beside, ValueError, "cover.jpg lies beside the class folders: move it into one of them, or remove it"),
    ],
)
def test_a_layout_that_is_none_is_named(tmp_path, make, error, says):
    make(tmp_path)
    with pytest.raises(error, match=says) as caught:
        load_data("folder", tmp_path, image_size=8)
    assert "\n" not in str(caught.value)


def test_one_class_of_nested_folders_is_still_read(tmp_path):
    for name in ("ant", "bee"):
        fill(tmp_path / name / "2019" / "may", 4)
        fill(tmp_path / name / "2020", 4)
    with pytest.warns(UserWarning, match="ant/ counts as one class"):
        assert load_data("folder", tmp_path, image_size=8).classes == ("ant", "bee")


def test_twins_across_splits_are_reported_with_their_names(tmp_path):
    laid_out(tmp_path)
    smooth = noise((3, 4)).resize((96, 64), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "train" / "ant" / "first.png")
    smooth.resize((60, 40)).save(tmp_path / "test" / "bee" / "again.jpg", quality=60)
    with pytest.warns(
        UserWarning, match=r"1 images of test look like one of train, as .*again.jpg like .*first.png: keep"
    ) as caught:
        load_data("folder", tmp_path, image_size=32)
    assert len(caught) == 1


def test_copies_are_near_and_other_images_are_not():
    draw = torch.Generator().manual_seed(0)
    images = torch.nn.functional.interpolate(torch.rand(60, 3, 5, 4, generator=draw), (40, 40), mode="bicubic")
    images = (images.clamp(0, 1) * 255).byte()
    noisy = (images.float() + torch.randn(images.shape, generator=draw) * 6).clamp(0, 255).byte()
    assert near_duplicates(images, noisy.flip(0)) == [(59 - i, i) for i in range(60)]
    assert near_duplicates(images[:30], noisy[30:]) == []
    plain = torch.full((2, 1, 20, 20), 100, dtype=torch.uint8)
    assert near_duplicates(plain[:1], plain[1:] + 20) == []


def test_collections_of_classes_are_not_taken_for_classes_in_silence(tmp_path):
    for collection in ("bilder", "more"):
        for name in ("ant", "bee ü"):
            fill(tmp_path / collection / name)
    with pytest.warns(UserWarning, match=f"bilder/ counts as one class.*give {tmp_path / 'bilder'}"):
        assert load_data("folder", tmp_path, image_size=8).classes == ("bilder", "more")


def test_pictures_in_other_formats_are_named(tmp_path):
    laid_out(tmp_path)
    (tmp_path / "train" / "ant" / "IMG 7.HEIC").write_bytes(b"")
    with pytest.warns(
        UserWarning, match=r"other formats are not read \(1\), such as .*IMG 7.HEIC: save them as PNG or JPEG"
    ):
        assert len(load_data("folder", tmp_path, image_size=8).test) == 6


def test_pictures_in_hidden_folders_are_not_missed(tmp_path):
    laid_out(tmp_path)
    for hidden in (".thumbs", "__MACOSX"):
        (tmp_path / hidden).mkdir()
        (tmp_path / hidden / "x.heic").write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_data("folder", tmp_path, image_size=8).test) == 6


def test_collections_are_named_inside_the_splits_too(tmp_path):
    for part in ("train", "test"):
        for name in ("ant", "bee ü"):
            fill(tmp_path / part / "all" / name)
    with pytest.warns(UserWarning, match=f"all/ counts as one class.*up into {tmp_path / 'train'}, in every split"):
        assert load_data("folder", tmp_path, image_size=8).classes == ("all",)


def test_a_file_is_no_folder(tmp_path):
    noise().save(tmp_path / "one.png")
    with pytest.raises(FileNotFoundError, match=r"one\.png is a file: give a folder"):
        load_data("folder", tmp_path / "one.png")
