"""Figures: same bytes twice, a sentence that says what is there, colors that everyone can tell apart."""

import io

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

import vpcore
from course import show
from course.show.code import excerpt
from course.show.picture import COLORS, sentence

IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
MATRIX = np.full((3, 3), 0.1) + 0.7 * np.eye(3)


def all_pictures():
    maps = {"a": IMAGES[0] - 0.5, "b": torch.zeros(1, 1, 4, 4), "c": torch.tensor([[0.2]])}
    table = {"none": np.array([90.1, 91.3, 89.0]), "other": np.array([90.6, 91.0, 92.2])}
    return {
        "prompt_maps": show.prompt_maps(maps, "Maps", made_by="your code"),
        "image_row": show.image_row(IMAGES, ["a", "b", "c"], "Images"),
        "grad_cam": show.grad_cam(IMAGES, {"m": IMAGES[:, 0], "z": torch.zeros(3, 8, 8)}, ["a", "b", "c"], "Cams"),
        "paired_dots": show.paired_dots([1.0, 2.0, -0.5], (-0.2, 1.9), "Pairs", made_by="your code"),
        "lottery": show.lottery(table, "Lottery", mark=0.92, mark_name="claim", live=("other",)),
        "settings": show.settings(table, "Settings", label="recorded, 5 seeds"),
        "intervals": show.intervals({"a": (1.0, 0.5, 1.5), "b": (0.1, -1.0, 1.2)}, "Intervals"),
        "sizes": show.sizes({"a": {250: (20.0, 18.0, 22.0), 1000: (30.0, 28.0, 32.0)}}, "Sizes", label="recorded"),
        "lines": show.lines({"a": (range(3), [1, 2, 3])}, "Lines", across="epoch", up="size", level=2.0),
        "confusion": show.confusion({"m": MATRIX}, ["a", "b", "c"], "Confusion"),
    }


def test_every_function_draws_pixels_and_a_sentence():
    pictures = all_pictures()
    assert set(pictures) == set(show.__all__) - {"COLORS", "Picture"}
    for name, picture in pictures.items():
        pixels = np.asarray(Image.open(io.BytesIO(picture.png())).convert("L"))
        assert pixels.std() > 5, name
        assert picture.alt.endswith("."), name
        assert repr(picture) == picture.alt


def test_long_titles_names_and_legends_stay_inside_the_figure():
    title = "A title as long as they become in lessons: AP at layer 3 − probe, 2,000 images"
    row = "a name of half a figure"
    values = np.array([90.1, 91.3, 89.0])
    for picture in (
        show.intervals({f"{row}, and more of the figure": (1.0, 0.5, 1.5)}, title, label="recorded"),
        show.lottery({row: values}, title, mark=0.9, mark_name="the paper's claim", label="paired, recorded"),
        show.settings({row: values}, title, label="recorded, 5 seeds"),
        show.lines(
            {"global": (range(13), np.linspace(0.01, 0.168, 13))}, "How large the maps are",
            across="epoch", up="RMS (normalized units)", label="your run, mean of 3 seeds",
        ),
        show.sizes({row: {250: (20.0, 18.0, 22.0), 1000: (30.0, 28.0, 32.0)}}, title, label="recorded"),
    ):  # fmt: skip
        pixels = np.asarray(Image.open(io.BytesIO(picture.png())).convert("L"))
        edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert edges.min() > 200, f"ink at the edge, so something is cut off: {picture.alt[:200]}"


def test_the_same_arrays_give_the_same_bytes():
    first = {name: picture.png() for name, picture in all_pictures().items()}
    assert first == {name: picture.png() for name, picture in all_pictures().items()}


def test_figures_leave_pyplot_alone():
    all_pictures()
    assert "matplotlib.pyplot" not in vars(matplotlib) or not matplotlib.pyplot.get_fignums()


@pytest.mark.parametrize("color", COLORS)
def test_colors_have_contrast_on_white(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5


def test_sentences_name_run_and_maker():
    said = sentence("Maps: two", "your run, 5 seeds", "your code")
    assert said == "Maps: two. Your run, 5 seeds. made by: your code."
    picture = show.prompt_maps({"a": IMAGES[0]}, "Maps", made_by="vpcore (exercise 02-average not passed yet)")
    assert "made by: vpcore (exercise 02-average not passed yet)" in picture.alt


def test_a_question_as_title_ends_with_its_mark():
    assert sentence("Whose? Two rows", "your run") == "Whose? Two rows. Your run."
    assert sentence("Whose?. Two rows") == "Whose? Two rows."
    assert show.lines({"a": ([1, 2], [0, 1])}, "Who?", across="x", up="y").alt.startswith("Who? y over x")


def test_many_images_stand_in_rows_of_six():
    titles = [str(number) for number in range(10)]
    picture = show.image_row(np.zeros((10, 4, 4)), titles, "Images")
    assert "10 images in 2 rows" in picture.alt
    assert [axis.get_title() for axis in picture.figure.axes] == [*titles, "", ""]


def test_a_logarithmic_axis_names_its_values():
    picture = show.lines({"a": ([1, 2, 50], [0, 1, 2])}, "Lines", across="x", up="y", log=True)
    panel = picture.figure.axes[0]
    assert panel.get_xscale() == "log"
    assert [text.get_text() for text in panel.get_xticklabels()] == ["1", "2", "50"]


def test_live_values_stay_out_of_the_sentence():
    live = [
        show.prompt_maps({"a": 0.123 * torch.ones(4, 4)}, "Maps", live=True),
        show.paired_dots([1.23, 4.56], (0.78, 9.1), "Pairs", live=True),
        show.confusion({"m": MATRIX}, ["a", "b", "c"], "Confusion", live=True),
        show.lines({"a": (range(3), [1.23, 2, 3])}, "Lines", across="epoch", up="size", live=True),
    ]
    for picture in live:
        assert not any(number in picture.alt for number in ("0.12", "1.23", "4.56", "80 %", "10 %")), picture.alt
    assert "up to 0.123" in show.prompt_maps({"a": 0.123 * torch.ones(4, 4)}, "Maps").alt
    assert "mean +2.90" in show.paired_dots([1.24, 4.56], (0.78, 9.1), "Pairs").alt
    assert "a taken for b" in show.confusion({"m": MATRIX}, ["a", "b", "c"], "Confusion").alt


def test_a_picture_carries_its_sentence_and_prints_no_line(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append((data, options)))
    picture = show.image_row(IMAGES, ["a", "b", "c"], "Images")
    picture._ipython_display_()
    data, options = shown[0]
    assert data["image/png"] == picture.png()
    assert options["metadata"]["image/png"]["alt"] == picture.alt
    assert data["text/plain"] == picture.alt  # what nbval compares
    assert capsys.readouterr().out == ""


def test_maps_share_one_scale_centered_at_zero():
    picture = show.prompt_maps({"weak": torch.full((4, 4), 0.01), "strong": torch.full((4, 4), -2.0)}, "Maps")
    ranges = {panel.images[0].get_clim() for panel in picture.figure.axes if panel.images}
    assert ranges == {(-2.0, 2.0)}


def test_an_excerpt_is_the_code_itself_and_asks_for_lines_that_exist():
    def doubled(numbers):
        total = []
        for number in numbers:
            total.append(2 * number)
        return total

    assert excerpt(doubled, "for", "total.append") == "for number in numbers:\n    total.append(2 * number)"
    with pytest.raises(ValueError, match="doubled has no lines from 'while' to 'return'"):
        excerpt(doubled, "while", "return")


def test_the_loop_of_fit_is_found_for_lesson_01():
    shown = excerpt(vpcore.fit, "for step, (images, labels)", "state.step(")
    assert all(words in shown for words in ("zero_grad", ".backward()", "loss(run, x, y", "set_rates"))
    assert len(shown.split("\n")) < 20
