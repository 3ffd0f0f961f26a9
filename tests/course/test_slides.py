"""Slides: at most fifteen a lesson, from its header, sections, first figures and recap, without a network."""

import re

import nbformat
import pytest
from graded_lesson import REPOSITORY

from course.authoring.notebook_file import read_notebook
from course.cli import main
from course.handout.npm import MATHJAX, REVEAL, folder_of
from course.handout.slides import MOST, export_slides, slide_notebook

LESSONS = sorted((REPOSITORY / "solutions").glob("[0-9]*.ipynb"))
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Stand-ins for the two packages, so that no test needs npm."""
    for package in (MATHJAX, REVEAL):
        folder = tmp_path / package.name
        (folder / "theme").mkdir(parents=True)
        for name in (package.script, "reveal.css", "theme/white.css"):
            (folder / name).write_text("")
        monkeypatch.setenv(package.variable, str(folder))
    return tmp_path


def toy(count=2):
    """Return a solved notebook with `count` sections, each with two figures."""

    def figure(words):
        data = {"image/png": PNG}
        metadata = {"image/png": {"alt": words}}
        output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
        return nbformat.v4.new_code_cell("draw()", outputs=[output])

    new = nbformat.v4.new_markdown_cell
    cells = [new("# Toy\n\n**You will be able to** count.\n\n**Before you start** nothing.")]
    for number in range(1, count + 1):
        cells += [
            new(
                f"## {number}. Part {number}\n\nFirst words.\n\n**Question.** Why {number}?\n\n### Exercise: add\n\nDo."
            ),
            nbformat.v4.new_code_cell(
                "secret_answer = 1", metadata={"exercise": {"id": "99-add", "minutes": 4, "path": "core"}}
            ),
            figure(f'first "{number}"'),
            figure(f"second {number}"),
        ]
    cells += [new("## Recap\n\n- All of it.\n\n## Self-test\n\nNothing."), new("## Further reading\n\nBooks.")]
    return nbformat.v4.new_notebook(cells=cells)


def texts(book):
    return [cell.source for cell in slide_notebook(book).cells]


def test_a_lesson_becomes_title_sections_figures_and_recap():
    slides = texts(toy())
    assert slides[0] == "# Toy\n\n**You will be able to** count."
    assert slides[1] == ("## Part 1\n\nFirst words.\n\n**Question.** Why 1?\n\n**Exercise 99-add**, 4 minutes: add")
    assert slides[2].startswith("## Part 1\n\n<img")
    assert 'alt="first &quot;1&quot;"' in slides[2]
    assert slides[-1] == "## Recap\n\n- All of it."
    assert len(slides) == 6
    assert "second" not in str(slides)
    assert "secret_answer" not in str(slides)


def test_marks_of_an_author_add_and_leave_out():
    book = toy()
    book.cells[4].metadata["slideshow"] = {"slide_type": "slide"}
    book.cells[7].metadata["slideshow"] = {"slide_type": "skip"}
    slides = str(texts(book))
    assert "second 1" in slides
    assert "first &quot;2" not in slides
    assert "second 2" in slides


def test_there_are_never_more_than_fifteen():
    for count in (7, 10, 13):
        slides = texts(toy(count))
        assert len(slides) == MOST
        assert slides[-1].startswith("## Recap")
    assert len(texts(toy(30))) == MOST


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_fits(path):
    cells = slide_notebook(read_notebook(path)).cells
    assert 8 <= len(cells) <= MOST
    assert all(cell.metadata["slideshow"] == {"slide_type": "slide"} for cell in cells)
    shown = [re.sub(r"<img.*?>", "", cell.source) for cell in cells]
    assert max(map(len, shown)) <= 1100
    assert sum("<img" in cell.source for cell in cells) >= 3
    assert cells[-1].source.startswith("## Recap")


def test_a_page_asks_nothing_of_a_network(parts):
    (page,) = export_slides(parts / "out", ("02",), REPOSITORY)
    text = page.read_text(encoding="utf-8")
    asked = re.findall(r'<(?:script|link|img|iframe)[^>]*?(?:src|href)="(?!data:)([^"]*)"', text)
    assert sorted(asked) == [
        "parts/dist/reveal.css", "parts/dist/reveal.js", "parts/dist/theme/white.css", "parts/mathjax/tex-mml-chtml.js"
    ]  # fmt: skip
    assert all((parts / "out" / name).is_file() for name in asked)
    assert "import mermaid" not in text
    assert text.count("<section><section") <= MOST
    assert 'name="viewport"' in text


def test_what_is_missing_is_named(parts, tmp_path, monkeypatch, capsys):
    assert main(["export", str(tmp_path / "some"), "--to", "slides", "--lesson", "77"]) == 2
    assert "no lesson '77' in solutions/" in capsys.readouterr().err
    monkeypatch.delenv(MATHJAX.variable)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("course.handout.npm.shutil.which", lambda name: None)
    assert main(["export", str(tmp_path / "some"), "--to", "slides", "--lesson", "02"]) == 0
    assert "formulas stay TeX source" in capsys.readouterr().err
    monkeypatch.delenv(REVEAL.variable)
    with pytest.raises(OSError, match=r"reveal\.js 4\.6\.1 is not here .* there can be no slides; install Node's npm"):
        folder_of(REVEAL)
    with pytest.raises(ValueError, match="solutions/ holds no lesson"):
        export_slides(tmp_path / "some", root=tmp_path)
