"""Makes a web site of the learner notebooks and the library's names: static, searchable, read without a network."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from course.authoring.cells import LessonError
from course.authoring.lesson_names import ROOT
from course.authoring.notebook_file import make_folder, notebook_text, read_notebook
from course.handout.npm import MATHJAX, folder_of
from course.handout.reference import write_reference

WIDGET = "application/vnd.jupyter.widget-view+json"
COLUMNS = re.compile(r"(?m)^.*\S {2,}\S.*$")
STILL = "A still picture: its controls work in a notebook."
FITS = 520  # pixels: a drawing of this width has words of 9 points or more, and fits a phone
MARK = ".vpcourse-site"  # a folder with this file was made here and may be replaced
EXTRA = "the site needs Sphinx, myst-nb and sphinx-book-theme; run: python -m pip install -e '.[site]'"
CONF = """project = "Visual prompts"
author = copyright = ""
html_show_sphinx = False
html_title = "Visual prompts: the course"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
extensions += ["course.handout.reference"]
html_theme = "sphinx_book_theme"
html_theme_options = {"use_download_button": True, "show_toc_level": 2, "navbar_persistent": []}
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_favicon = "_static/prompt.svg"
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_code_prompt_show = "Show the answer, from a solved notebook: “your code” in it is the solution"
nb_code_prompt_hide = "Hide the answer"
myst_enable_extensions = ["dollarmath", "amsmath"]
mathjax_path = "mathjax/SCRIPT"
mathjax3_config = {}
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_preserve_defaults = True
autosummary_generate = False
default_role = "code"  # `name` in a docstring
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
"""
CSS = """div.cell_output img.figure { max-width: 100%; background: white; }
div.scroll { overflow-x: auto; }
div.cell pre { font-size: 0.8rem; }
div.cell_output pre { white-space: pre-wrap; }
div.cell_output pre.columns { white-space: pre; }
article section > details { margin-bottom: 1.15rem; }
img.first { max-width: 100%; }
nav .nav-link, dt.sig { overflow-wrap: anywhere; }
@media (min-width: 992px) {
  .bd-sidebar-primary { flex-basis: 14rem; max-width: 14rem; }
  .bd-sidebar-secondary { flex-basis: 12rem; max-width: 12rem; }
  .bd-main .bd-content .bd-article-container { max-width: 64rem; }
  div.cell div.cell_input pre { font-size: 0.75rem; white-space: pre-wrap; }
}
@media (max-width: 600px) {
  article * { overflow-wrap: anywhere; }
  article table:not(.autosummary) { display: block; overflow-x: auto; }
  article table * { overflow-wrap: break-word; }
  div.cell_output img.wide { max-width: none; }
  div.scroll:has(img.wide)::before { content: "↔ scroll to see all of it"; position: sticky; left: 0; }
  article code, article .pre { white-space: normal !important; }
  table.autosummary td { display: block; border: 0; }
}
"""
ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#0067a5" d="M0 0h16v16H0z"/>
<path fill="#fff" d="M3 3h10v10H3z"/></svg>
"""
INDEX = """# Visual prompts

<img class="first" src="_static/frame.svg" alt="An image x plus a learned frame δ gives x + δ, for a frozen network.">

A course in notebooks. These pages show the lessons as they are given to you, with the outputs of a run.
What answers a question is folded, and comes from a solved notebook: guess first.
Sliders do not move here: to run a lesson, install the course and type `python -m course lab`.

```{toctree}
:maxdepth: 2
:caption: Lessons

LESSONS
```

```{toctree}
:maxdepth: 2
:caption: Reference

api/index
```
"""

NEEDED = ("sphinx", "myst_nb", "sphinx_book_theme")


def export_site(folder: Path, root: Path = ROOT, *, tell: Callable[[str], object] = lambda _: None) -> Path:
    """Writes the site and returns the path of its first page; no notebook is executed.

    Args:
        folder: receives the site; must be new, empty, or a site made before. Other files in a site made before stay.
        root: the folder that holds notebooks/.
        tell: called with a sentence when the site lacks something.

    Raises:
        ImportError: the extra `site` is not installed.
        LessonError: there is no notebook, or one cannot be read.
        OSError: the folder holds other files, or cannot be written.
        RuntimeError: Sphinx found something wrong.
    """
    _refuse_other_files(folder)
    paths = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    if not paths:
        raise LessonError("notebooks/ holds no lesson; run: python -m course build")
    if not all(importlib.util.find_spec(name) for name in NEEDED):
        raise ImportError(EXTRA)
    make_folder(folder.absolute().parent)
    with tempfile.TemporaryDirectory(prefix=".vpcourse-site-", dir=folder.absolute().parent) as work:
        source, site = Path(work) / "source", Path(work) / "site"
        _write_source(source, paths, tell)
        _build(source, site, Path(work) / "doctrees")
        written = sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file())
        (site / MARK).write_text("\n".join(written), encoding="utf-8")
        mark = folder / MARK
        for name in mark.read_text(encoding="utf-8").splitlines() if mark.is_file() else ():
            (folder / name).unlink(missing_ok=True)
        shutil.copytree(site, folder, dirs_exist_ok=True)
    return folder / "index.html"


def readable(notebook: Any) -> Any:
    """Gives figures their alternative text, widgets a still picture, printed tables their columns, in place.

    Lines that are printed in columns scroll sideways where they do not fit; all others are wrapped.
    """
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if output.output_type == "stream" and len(COLUMNS.findall(output.text)) > 1:
            shown = f'<pre class="columns">{escape(output.text)}</pre>'
            output.update(
                output_type="display_data", metadata={}, data={"text/html": f'<div class="scroll">{shown}</div>'}
            )
            del output["name"], output["text"]
            continue
        data, widget = output.get("data", {}), WIDGET in output.get("data", {})
        data.pop(WIDGET, None)
        if "image/png" in data:
            alt, words = output.metadata.get("image/png", {}).get("alt", ""), data.get("text/plain", "")
            said = f"<p>{escape(words)}</p><p>{STILL}</p>" if widget else ""
            output["data"] = {"text/html": f'<div class="scroll">{figure_tag(data["image/png"], alt)}</div>{said}'}
    return notebook


def with_folded_answers(notebook: Any, solved: Any) -> Any:
    """Gives the cells that answer a question the outputs of the solved run, folded, in place; returns the notebook."""
    given = {cell.id: cell.outputs for cell in solved.cells if cell.get("outputs")}
    for cell in notebook.cells:
        if cell.metadata.get("answers") and cell.id in given:
            cell.outputs = given[cell.id]
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-output"]
    return notebook


def figure_tag(png: str, alt: str) -> str:
    """Returns an image that stands in the page itself, with its alternative text.

    A wide one keeps its size on a phone, where one scrolls it sideways: made to fit, its words would be too small.
    """
    content = base64.b64decode(png)
    wide = int.from_bytes(content[16:20]) > FITS  # a PNG begins with 16 bytes and its width
    inline, kind = base64.b64encode(content).decode(), "figure wide" if wide else "figure"  # on one line
    return f'<img class="{kind}" alt="{escape(alt, quote=True)}" src="data:image/png;base64,{inline}">'


def _write_source(source: Path, paths: list[Path], tell: Callable[[str], object]) -> None:
    static = source / "_static"
    static.mkdir(parents=True)
    try:
        shutil.copytree(folder_of(MATHJAX), static / "mathjax", ignore=other_bundles)
    except OSError as error:
        tell(str(error))
    shutil.copy(Path(__file__).with_name("frame.svg"), static)
    (static / "course.css").write_text(CSS, encoding="utf-8")
    (static / "prompt.svg").write_text(ICON, encoding="utf-8")
    (source / "conf.py").write_text(CONF.replace("SCRIPT", MATHJAX.script), encoding="utf-8")
    (source / "index.md").write_text(INDEX.replace("LESSONS", "\n".join(map(_entry, paths))), encoding="utf-8")
    for path in paths:
        solved = path.parents[1] / "solutions" / path.name
        notebook = read_notebook(path)
        if solved.is_file():
            notebook = with_folded_answers(notebook, read_notebook(solved))
        (source / path.name).write_text(notebook_text(readable(notebook)), encoding="utf-8")
    write_reference(source / "api")


def _entry(path: Path) -> str:
    """Returns a lesson's line in the table of contents: its number and title."""
    title = read_notebook(path).cells[0].source.split("\n")[0].lstrip("# ")
    return f"{path.stem[:2]} {title} <{path.stem}>"


def other_bundles(folder: str, names: list[str]) -> set[str]:
    """Leaves out MathJax's other ready-made scripts and its SVG fonts, which these pages never load."""
    known = MATHJAX.script in names
    return {name for name in names if name == "svg" or (known and name.endswith(".js") and name != MATHJAX.script)}


def _build(source: Path, site: Path, doctrees: Path) -> None:
    options = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(doctrees)]
    command = [sys.executable, "-m", "sphinx", *options, str(source), str(site)]
    here = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))  # whose docstrings are read
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": here}, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        said = done.stderr.replace(f"{source}{os.sep}", "").strip()
        raise RuntimeError(f"the site was not written, because Sphinx said: {said[:600]}")


def _refuse_other_files(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file()):
        raise OSError(f"{folder} must be a new or empty folder, or a site made before; choose another")
