"""What a learner who cannot see a figure, a color, or uses no mouse, finds in the built notebooks and widgets."""

import base64
import copy
import io
import re
from itertools import combinations, pairwise
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
from color_vision import SIGHT, contrast, distance
from PIL import Image

import vpcore
from course.authoring.notebook_file import read_notebook
from course.check import texts
from course.check.verdict import COLORS as VERDICT_COLORS
from course.check.verdict import SYMBOLS
from course.recorded import recorded
from course.show.picture import COLORS
from course.widgets.cam import CamExplorer
from course.widgets.instance import InstanceExplorer
from course.widgets.layers import LayersExplorer
from course.widgets.placement import PlacementExplorer
from course.widgets.results import ResultsExplorer
from course.widgets.scales import ScalesExplorer
from course.widgets.tokens import TokensExplorer

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {
    str(path.relative_to(ROOT)): read_notebook(path)
    for path in sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*.ipynb")])
}
WIDGET = "application/vnd.jupyter.widget-view+json"
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
APART = 10  # CIE 1976 distance; 2.3 is just noticeable
ARROWLESS = (ipywidgets.Dropdown, ipywidgets.Select, ipywidgets.RadioButtons, ipywidgets.SelectMultiple)


def cam(images, spec):
    net = vpcore.load_backbone("resnet_nano")
    models = {
        name: vpcore.Prompted(net, vpcore.NoPrompt(net.spec), vpcore.LinearHead(120, 10, seed=seed))
        for seed, name in enumerate(("linear probe", "prompt"))
    }
    photos = vpcore.load_data("photodigits", num_train=10).test
    return CamExplorer(photos.images[:4], photos.labels[:4], models)


def layers(images, spec):
    nets = {name: vpcore.load_backbone(name) for name in ("resnet_nano", "vit_nano")}
    return LayersExplorer(recorded("ap_layers"), nets, vpcore.load_data("photodigits", num_train=10).test.images[:4])


EXPLORERS = {
    "instance": lambda images, spec: InstanceExplorer(
        images, {f"seed {seed}": vpcore.InstanceImagePrompt(spec, init="default", seed=seed) for seed in (0, 1)}
    ),
    "cam": cam,
    "layers": layers,
    "placement": PlacementExplorer,
    "results": lambda *_: ResultsExplorer(recorded("shots"), "digits", ("resnet_nano", "vit_nano")),
    "scales": ScalesExplorer,
    "tokens": lambda images, _: TokensExplorer(
        images.expand(-1, 3, -1, -1), vpcore.load_backbone("vit_nano", pretrained=False).spec
    ),
}


def headings(notebook):
    """The levels of all headings, in order; lines of fenced code are none."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)
    return [len(marks) for marks in re.findall(r"^(#{1,6}) +\S", text, flags=re.M)]


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def heading_problems(levels):
    found = [] if levels[:1] == [1] and levels.count(1) == 1 else ["one title, and it comes first"]
    return found + [f"{old} to {new}" for old, new in pairwise(levels) if new > old + 1]


def figure_problems(notebook):
    found = []
    for output in outputs(notebook):
        for kind in set(PICTURES) & set(output.get("data", {})):
            alt, plain = output.get("metadata", {}).get(kind, {}).get("alt", ""), output.data.get("text/plain", "")
            if len(alt) < 20 or not alt.endswith(".") or not alt.endswith(plain):
                found.append(alt or "no alternative text")
        if png := output.get("data", {}).get("image/png"):
            pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("L"))
            if min(edge.min() for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])) < 200:
                found.append(f"ink at the edge, so something is cut off: {output.data.get('text/plain', '')}")
    return found


def test_one_title_comes_first_and_no_heading_level_is_skipped():
    found = {name: heading_problems(headings(notebook)) for name, notebook in NOTEBOOKS.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}
    assert [name for name, notebook in NOTEBOOKS.items() if not notebook.cells[0].source.startswith("# ")] == []


@pytest.mark.parametrize("levels", [[2, 3], [1, 2, 1], [1, 3], [1, 2, 4], []])
def test_bad_headings_are_seen(levels):
    assert heading_problems(levels)


def test_every_figure_has_a_sentence_that_tests_compare():
    found = {name: figure_problems(notebook) for name, notebook in NOTEBOOKS.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}
    for name, notebook in NOTEBOOKS.items():
        assert any("image/png" in output.get("data", {}) for output in outputs(notebook)), name


def test_a_figure_without_its_sentence_is_seen():
    notebook = copy.deepcopy(next(iter(NOTEBOOKS.values())))
    figures = [output for output in outputs(notebook) if "image/png" in output.get("data", {})]
    del figures[0].metadata["image/png"]["alt"]
    assert figure_problems(notebook) == ["no alternative text"]
    figures[0].metadata["image/png"]["alt"] = "Another sentence, which is not compared."
    assert figure_problems(notebook) == ["Another sentence, which is not compared."]


def text_problems(text):
    """Pictures of a text cell without words, and links that do not say where they lead."""
    undescribed = [tag for tag in re.findall(r"<img[^>]*>", text) if not re.search(r"alt=[\"'][^\"']+", tag)]
    vague = re.findall(r"\[(?:here|click here|this|link)\]\(", text, flags=re.I)
    return [*re.findall(r"!\[\s*\]\(", text), *undescribed, *vague]


def test_pictures_in_the_text_are_described_and_links_say_where_they_lead():
    texts = [(name, cell) for name, book in NOTEBOOKS.items() for cell in book.cells if cell.cell_type == "markdown"]
    assert [(name, problem) for name, cell in texts for problem in text_problems(cell.source)] == []
    assert len(text_problems("![ ](a.png) <img src='a'> [here](b) ![a map](a.png) <img alt='a'> [lesson 01](b)")) == 3


def test_a_widget_is_said_in_one_short_sentence():
    shown = [output.get("data", {}) for book in NOTEBOOKS.values() for output in outputs(book)]
    said = [data["text/plain"] for data in shown if WIDGET in data]
    assert len(said) >= len(EXPLORERS)
    assert [words for words in said if len(words) > 110 or not words.endswith(".") or "\n" in words] == []


@pytest.fixture(scope="module", params=sorted(EXPLORERS))
def explorer(request):
    data = vpcore.load_data("digits")
    spec = vpcore.load_backbone("simple_cnn", pretrained=False, width=8).spec
    return EXPLORERS[request.param](data.test.images[:10], spec)


def test_every_explorer_is_in_this_list():
    files = {path.stem for path in (ROOT / "course" / "widgets").glob("[!_]*.py")} - {"base"}
    assert files == set(EXPLORERS)


def test_every_control_has_a_name_and_answers_the_keyboard(explorer):
    assert all(control.description.strip() for control in explorer.controls.values())
    lost = [name for name, control in explorer.controls.items() if isinstance(control, ARROWLESS)]
    assert lost == [], "JupyterLab takes the arrow keys from these"


def test_every_state_is_said_in_at_most_110_characters(explorer):
    for control in explorer.controls.values():
        kept, options = control.value, getattr(control, "options", None)
        values = options or ([False, True] if isinstance(kept, bool) else [control.min, control.max])
        for value in values:
            control.value = value
            assert len(repr(explorer)) <= 110
            assert repr(explorer).endswith(".")
            assert f'role="status">{explorer!r}<' in explorer.words.value
        control.value = kept


@pytest.mark.parametrize("color", [*COLORS, *VERDICT_COLORS.values()])
def test_colors_have_contrast_on_white(color):
    assert contrast(color, "#ffffff") >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("colors", [COLORS, tuple(VERDICT_COLORS.values())], ids=["figures", "verdicts"])
def test_colors_are_told_apart_by_every_common_color_vision(colors, sight):
    near = {pair: distance(*pair, sight) for pair in combinations(colors, 2)}
    assert {pair: round(gap, 1) for pair, gap in near.items() if gap < APART} == {}


def test_the_measures_give_known_values():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert distance("#000000", "#ffffff") == pytest.approx(100, abs=0.1)
    assert distance("#ff0000", "#00ff00") == pytest.approx(170.6, abs=0.1)
    assert distance("#7a2f8f", "#1f5a99", "deutan") < APART < distance("#7a2f8f", "#1f5a99")


def test_verdicts_differ_by_symbol_or_word_never_by_color_alone():
    words = {
        "unattempted": texts.UNATTEMPTED,
        "wrong": texts.WRONG,
        "error": texts.RAISED,
        "passed": texts.PASSED,
        "recorded": texts.RECORDED,
    }
    assert set(words) == set(SYMBOLS) == set(VERDICT_COLORS)
    starts = {outcome: " ".join(re.findall(r"\w+", text)[:2]) for outcome, text in words.items()}
    assert len(set(starts.values())) == len(words)
    symbols = [SYMBOLS[outcome] for outcome in ("unattempted", "wrong", "error", "passed")]
    assert len(set(symbols)) == 4
