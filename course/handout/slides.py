"""Makes slides of a lesson for the person who teaches it: one file a lesson, shown in a browser without a network.

nbconvert's reveal exporter turns marked cells into slides. The marks follow from the lesson: its header, the heading,
first words, question and core exercises of each section, the first figure of a section as far as there is room, and the
recap. A cell that an author marks with `slideshow={"slide_type": "slide"}` comes as well, and one with "skip" does not.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course.authoring.lesson_names import ROOT, select
from course.authoring.notebook_file import read_notebook, write_text
from course.handout.npm import MATHJAX, REVEAL, folder_of
from course.handout.site import figure_tag, other_bundles

MOST = 15  # slides of a lesson
LONGEST = 420  # characters of text on a slide, beside its question
EXTRA = "slides need nbconvert; run: python -m pip install -e '.[dev]'"
RECAP = re.compile(r"^## Recap.*", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## (?:\d+\. )?(.+)$", re.MULTILINE)
EXERCISE = re.compile(r"^#+ Exercise(?: \d+)?: (.+)$", re.MULTILINE)
TEMPLATE = """{% extends 'index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mathjax %}
<meta name="viewport" content="width=device-width, initial-scale=1">
<script>window.MathJax = {tex: {inlineMath: [["$", "$"]]}};</script>
<script defer src="parts/mathjax/MATHJAX"></script>
{% endblock %}
{% block html_head_css %}<style>
.reveal .slides { text-align: left; }
.reveal h1, .reveal h2 { text-transform: none !important; line-height: 1.15 !important; }
.reveal h1 { font-size: 60px !important; } .reveal h2 { font-size: 44px !important; margin-bottom: 24px !important; }
.reveal p, .reveal li { font-size: 29px; line-height: 1.35; } .reveal ul { margin-left: 1.2em; }
.reveal img { width: 100%; max-height: 520px; object-fit: contain; margin: 0; background: white; }
.reveal code { font-size: 0.9em; } .reveal table { font-size: 22px; margin: 12px 0; }
@media (max-width: 600px) {
  .reveal h1 { font-size: 44px !important; } .reveal h2 { font-size: 34px !important; }
  .reveal p, .reveal li { font-size: 22px; } .reveal table { font-size: 17px; table-layout: fixed; width: 100%; }
}
.jp-InputPrompt, .jp-OutputPrompt, .jp-Collapser, .jp-InputArea-prompt { display: none !important; }
.jp-Cell, .jp-RenderedHTMLCommon { padding: 0 !important; color: inherit; }
@media print { .reveal .slides section { page-break-after: always; } }
</style>{% endblock %}
{% block footer_js %}
<script src="parts/dist/reveal.js"></script>
<script>
const narrow = window.innerWidth <= 600;
const size = narrow ? {width: 480, height: 900} : {width: 960, height: 700};
Reveal.initialize({hash: true, slideNumber: "c/t", transition: "none", controls: !narrow, ...size});
</script>
{% endblock %}
"""


@dataclass
class Section:
    """What the slides take from one section of a lesson."""

    title: str
    words: list[str] = field(default_factory=list)
    figure: str = ""
    exercises: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)


def export_slides(
    folder: Path, names: tuple[str, ...] = (), root: Path = ROOT, *, tell: Callable[[str], object] = lambda _: None
) -> list[Path]:
    """Write the slides of lessons from their solved notebooks; returns the files. No notebook is executed.

    Args:
        folder: receives a page for each lesson, and parts/, which all pages need.
        names: lessons, by the start of their name; all when empty.
        root: the folder that holds solutions/.
        tell: called with a sentence when formulas cannot be set.

    Raises:
        ValueError: there is no such notebook.
        ImportError: nbconvert is not installed.
        OSError: reveal.js cannot be had, or a file cannot be written.
    """
    found = sorted((root / "solutions").glob("[0-9]*.ipynb"))
    if not found:
        raise ValueError("solutions/ holds no lesson; run: python -m course build")
    paths = select(found, names, " in solutions/")
    exporter = _exporter()
    _copy(folder_of(REVEAL), folder / "parts" / "dist")
    try:
        _copy(folder_of(MATHJAX), folder / "parts" / "mathjax", other_bundles)
    except OSError as error:
        tell(str(error))
    written = []
    for path in paths:
        page, _ = exporter.from_notebook_node(slide_notebook(read_notebook(path)))
        written.append(folder / f"{path.stem}.html")
        write_text(written[-1], page)
    return written


def slide_notebook(notebook: Any) -> Any:
    """Return the notebook of a lesson's slides: text cells, each marked as a slide."""
    import nbformat

    title, every = read_sections(notebook)
    sections = [section for section in every if not section.title.startswith("Deeper:")]
    deeper = [section for section in every if section.title.startswith("Deeper:") and section.figure]
    room = MOST - 2 - len(sections)  # the title and the recap come, too
    slides = [title]
    for section in sections:
        slides.append("\n\n".join([f"## {section.title}", *section.words, *section.exercises]))
        extra = [*([section.figure] if section.figure else []), *section.marked][: max(room, 0)]
        room -= len(extra)
        slides += [f"## {section.title}\n\n{text}" for text in extra]
    slides += [f"## {section.title}\n\n{section.figure}" for section in deeper[: max(room, 0)]]
    recap = next((found for cell in notebook.cells if (found := RECAP.search(cell.source))), None)
    slides += [recap[0].split("\n## ")[0].strip()] if recap else []
    cells = [nbformat.v4.new_markdown_cell(text, metadata={"slideshow": {"slide_type": "slide"}}) for text in slides]
    return nbformat.v4.new_notebook(cells=cells[:MOST], metadata={"title": title.split("\n")[0].lstrip("# ")})


def read_sections(notebook: Any) -> tuple[str, list[Section]]:
    """Return the text of the title slide, and the sections up to the recap."""
    header = notebook.cells[0].source.split("\n\n**Before you start**")[0]
    sections: list[Section] = []
    asked = ""
    for cell in notebook.cells[1:]:
        mark = cell.metadata.get("slideshow", {}).get("slide_type", "")
        if mark == "skip":
            continue
        if cell.cell_type == "markdown" and "exercise" not in cell.metadata:
            heading = SECTION.search(cell.source)
            if heading and heading[1] in ("Recap", "Self-test", "Further reading"):
                break
            if heading:
                sections.append(Section(heading[1], _words(cell.source[heading.end() :])))
            elif sections and not any("**Question.**" in part for part in sections[-1].words):
                sections[-1].words += _question(cell.source)
            named = EXERCISE.search(cell.source)
            asked = named[1] if named else asked
        if sections:
            _take(sections[-1], cell, asked, marked=bool(mark))
    return header, sections


def _take(section: Section, cell: Any, asked: str, *, marked: bool) -> None:
    exercise = cell.metadata.get("exercise", {})
    if exercise.get("path") == "core":
        section.exercises.append(f"**Exercise {exercise['id']}**, {exercise['minutes']} minutes: {asked}")
    figures = [_figure(output) for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    if marked:
        section.marked += figures or [cell.source]
    elif figures and not section.figure:
        section.figure = figures[0]


def _figure(output: Any) -> str:
    alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
    return figure_tag(output["data"]["image/png"], alt)


def _words(text: str) -> list[str]:
    """Return the first paragraphs of a section, whole ones, and its first question."""
    kept: list[str] = []
    for part in re.split(r"\n\s*\n", text.strip()):
        if not part.strip() or part.startswith("#") or sum(map(len, [*kept, part])) > LONGEST:
            break
        if "**Question.**" not in part:
            kept.append(part)
    return [*kept, *_question(text)]


def _question(text: str) -> list[str]:
    return [part for part in re.split(r"\n\s*\n", text) if part.startswith("**Question.**")][:1]


def _exporter() -> Any:
    try:
        from nbconvert.exporters import SlidesExporter
    except ImportError as error:
        raise ImportError(EXTRA) from error
    from traitlets.config import Config

    settings = Config({"SlidesExporter": {"reveal_url_prefix": "parts", "reveal_theme": "white"}})
    exporter = SlidesExporter(config=settings)
    exporter.raw_template = TEMPLATE.replace("MATHJAX", MATHJAX.script)
    return exporter


def _copy(source: Path, folder: Path, ignore: Callable[[str, list[str]], set[str]] | None = None) -> None:
    if not folder.is_dir():
        shutil.copytree(source, folder, ignore=ignore)
