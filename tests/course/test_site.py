"""The web site's text work and its refusals; what a browser shows is in tests/browser/test_site_pages.py."""

import base64
import hashlib
import re
import shutil
import subprocess
import tarfile
from html import escape, unescape

import nbformat
import pytest

import vpcore
from course.authoring.cells import LessonError
from course.handout import npm as finder
from course.handout import reference, site
from course.handout.npm import MATHJAX, folder_of, unpack
from course.handout.reference import GROUPS, Group
from course.handout.site import MARK, STILL, WIDGET, export_site, figure_tag, readable, with_folded_answers
from course.show.picture import DPI, Picture, canvas

PNG = base64.b64encode(b"\x89PNG made up").decode()
STATE = "Scales 1, 4; add; RMS change 0.44."


def canvas_picture(width):
    return Picture(canvas(width / DPI, 1)[0], "A figure.").png()


def figure(alt):
    output = nbformat.v4.new_output("display_data", {"image/png": f"{PNG}\n", "text/plain": "<Figure>"})
    output.metadata["image/png"] = {"alt": alt}
    return output


def notebook(*outputs):
    cells = [nbformat.v4.new_markdown_cell("# Toy")]
    cells += [nbformat.v4.new_code_cell("1", outputs=[output], execution_count=1) for output in outputs]
    language = {"name": "python", "pygments_lexer": "ipython3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"language_info": language})


def widget():
    output = figure(f"image, maps, change. {STATE}")
    output.data |= {WIDGET: {"model_id": "0"}, "text/plain": STATE}
    return output


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A root with one notebook; instead of Sphinx, a stand-in writes one page."""
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook(figure("A figure.")), tmp_path / "notebooks" / "99_toy.ipynb")

    def build(source, made, doctrees):
        shutil.copytree(source, made)
        (made / "index.html").write_text("<h1>Toy</h1>")

    monkeypatch.setattr(site, "_build", build)
    monkeypatch.setattr(site, "NEEDED", ())
    monkeypatch.setattr(site, "folder_of", lambda package: (_ for _ in ()).throw(OSError(MATHJAX.note)))
    return tmp_path


def test_a_figure_becomes_an_image_with_its_sentence():
    book = readable(notebook(figure('Maps of "a" & <b>.')))
    text = book.cells[1].outputs[0].data["text/html"]
    assert 'alt="Maps of &quot;a&quot; &amp; &lt;b&gt;."' in text
    assert f"base64,{PNG}" in text


@pytest.mark.parametrize(("width", "kind"), [(484, "figure"), (770, "figure wide")])
def test_a_wide_figure_is_marked_and_a_drawing_fits_a_phone(width, kind):
    png = base64.b64encode(canvas_picture(width)).decode()
    assert figure_tag(png, "A figure.").startswith(f'<img class="{kind}" alt="A figure." src="data:image/png;base64,')


def test_a_widget_becomes_its_still_picture_and_its_sentence():
    book = readable(notebook(figure("Another state: amplitude 0.60."), widget()))
    shown = book.cells[2].outputs[0].data
    assert list(shown) == ["text/html"]
    assert shown["text/html"].endswith(f"<p>{STATE}</p><p>{STILL}</p>")
    assert "image, maps, change" in shown["text/html"]
    assert "<p>" not in book.cells[1].outputs[0].data["text/html"]


def test_an_answer_is_folded_and_comes_from_the_solved_run():
    asked, solved = notebook(figure("Seen."), figure("Hidden.")), notebook(figure("Other."), figure("The answer."))
    for one, other in zip(asked.cells, solved.cells, strict=True):
        other.id = one.id
    asked.cells[2].metadata["answers"], asked.cells[2].outputs = True, []
    alts = [c.outputs[0].metadata["image/png"]["alt"] for c in with_folded_answers(asked, solved).cells[1:]]
    assert alts == ["Seen.", "The answer."]
    assert [cell.metadata.get("tags") for cell in asked.cells] == [None, None, ["hide-output"]]


TABLE = "method      points\nno prompt    -0.76 (-3.29 to +1.77)\nAP & more    +1.20\n"


def printed(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def test_printed_columns_keep_their_places_and_sentences_are_wrapped():
    book = readable(notebook(printed(TABLE), printed("made by: your code\nA sentence of  one line.")))
    table, words = (cell.outputs[0] for cell in book.cells[1:])
    assert table.data["text/html"] == f'<div class="scroll"><pre class="columns">{escape(TABLE)}</pre></div>'
    assert words.output_type == "stream"
    nbformat.validate(book)


def test_the_site_is_written_and_written_again(clone):
    (clone / "site").mkdir()  # an empty folder will do
    notes = []
    assert export_site(clone / "site", clone, tell=notes.append) == clone / "site" / "index.html"
    (clone / "site" / "old.html").touch()
    with (clone / "site" / MARK).open("a", encoding="utf-8") as file:
        file.write("\nold.html")
    export_site(clone / "site", clone)
    assert not (clone / "site" / "old.html").exists()
    assert (clone / "site" / MARK).is_file()
    assert notes == [MATHJAX.note]
    assert sorted(path.name for path in clone.iterdir()) == ["notebooks", "site"]


def test_what_was_put_beside_the_site_stays_when_it_is_written_again(clone):
    export_site(clone / "site", clone)
    (clone / "site" / ".git").mkdir()
    for name in (".git/HEAD", "CNAME", "syllabus.pdf"):
        (clone / "site" / name).write_text("mine")
    export_site(clone / "site", clone)
    assert [(clone / "site" / name).read_text() for name in (".git/HEAD", "CNAME", "syllabus.pdf")] == ["mine"] * 3
    assert "syllabus.pdf" not in (clone / "site" / MARK).read_text().splitlines()


def test_a_folder_with_other_files_is_left_alone(clone):
    (clone / "mine").mkdir()
    (clone / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(OSError, match="must be a new or empty folder, or a site made before"):
        export_site(clone / "mine", clone)
    assert (clone / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_failed_build_leaves_the_old_site(clone, monkeypatch):
    export_site(clone / "site", clone)

    def fail(*_):
        raise RuntimeError("the site was not written, because Sphinx said: no")

    monkeypatch.setattr(site, "_build", fail)
    with pytest.raises(RuntimeError, match="Sphinx said: no"):
        export_site(clone / "site", clone)
    assert (clone / "site" / "index.html").is_file()


def test_without_notebooks_or_sphinx_it_says_what_to_do(clone, monkeypatch, tmp_path_factory):
    with pytest.raises(LessonError, match="run: python -m course build"):
        export_site(clone / "site", tmp_path_factory.mktemp("empty"))
    monkeypatch.undo()
    monkeypatch.setattr(site, "folder_of", lambda package: clone / "notebooks")
    monkeypatch.setattr(site.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install -e '.\[site\]'"):
        export_site(clone / "site", clone)


# --- the reference, with Sphinx itself


@pytest.fixture
def sphinx(clone, monkeypatch):
    """The clone, with Sphinx in the place of its stand-in."""
    monkeypatch.undo()
    for name in site.NEEDED:
        pytest.importorskip(name, reason="the extra site is not installed")
    monkeypatch.setattr(site, "folder_of", lambda package: (_ for _ in ()).throw(OSError(MATHJAX.note)))
    return clone


def test_the_navigation_shows_the_numbers_of_lessons(sphinx):
    export_site(sphinx / "site", sphinx)
    page = (sphinx / "site" / "99_toy.html").read_text(encoding="utf-8")
    links = re.findall(r'<a class="[^"]*internal"[^>]*href="[^"]*"[^>]*>\s*([^<]*?)\s*</a>', page)
    assert any(re.match(r"99 \w", words) for words in links), links


def test_every_public_name_has_one_entry_and_no_docstring_a_warning(sphinx):
    export_site(sphinx / "site", sphinx)
    pages = {name: (sphinx / "site" / "api" / f"{name}.html").read_text(encoding="utf-8") for name in GROUPS}
    found = [name for text in pages.values() for name in re.findall(r'<dt class="sig[^>]* id="(vpcore\.\w+)"', text)]
    assert sorted(found) == sorted(f"vpcore.{name}" for name in vpcore.__all__)
    plain = {name: unescape(re.sub(r"<[^>]+>", "", text)) for name, text in pages.items()}
    assert "images: Float[Tensor, 'batch channels height width']" in plain["backbones"], "shapes of tensors"
    assert re.search(r"loss:.* = cross_entropy,", plain["training"]), "defaults as the code says them"
    assert "its names: none, full, pad, patch" in plain["prompts"]
    assert [name for name, text in plain.items() if "<function" in text or " object at 0x" in text] == []
    assert 'href="api/index.html"' in (sphinx / "site" / "index.html").read_text(encoding="utf-8")


def test_a_signature_shows_no_object_of_a_program():
    option = "(lr: Annotated[str | None, <typer.models.OptionInfo object at 0x7f>] = None, keys: dict = <factory>)"
    assert reference.readable_signature(option) == "(lr: str | None = None, keys: dict = ...)"
    assert reference.readable_signature(None) is None


def test_a_docstring_that_sphinx_cannot_read_is_named(sphinx, monkeypatch):
    (sphinx / "toy_reference.py").write_text('def twice(x: int) -> int:\n    """Return **x twice."""\n')
    monkeypatch.syspath_prepend(str(sphinx))
    monkeypatch.setenv("PYTHONPATH", str(sphinx))
    monkeypatch.setattr(reference, "GROUPS", {"toy": Group("Toy", "One function.", ("toy_reference",))})
    with pytest.raises(RuntimeError, match=r"docstring of toy_reference\.twice:1: WARNING: Inline strong"):
        export_site(sphinx / "site", sphinx)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VPCOURSE_MATHJAX", raising=False)
    return tmp_path


def test_mathjax_comes_from_the_named_folder(empty_cache, monkeypatch):
    monkeypatch.setenv("VPCOURSE_MATHJAX", str(empty_cache))
    with pytest.raises(OSError, match="VPCOURSE_MATHJAX must name a folder that holds"):
        folder_of(MATHJAX)
    (empty_cache / MATHJAX.script).touch()
    assert folder_of(MATHJAX) == empty_cache


def test_without_npm_or_with_a_failing_one_there_is_a_note(empty_cache, monkeypatch):
    monkeypatch.setattr(finder.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match="formulas stay TeX source"):
        folder_of(MATHJAX)

    def fail(*_, **__):
        raise subprocess.CalledProcessError(1, "npm")

    monkeypatch.setattr(finder.shutil, "which", lambda name: "/bin/npm")
    monkeypatch.setattr(finder.subprocess, "run", fail)
    with pytest.raises(OSError, match="formulas stay TeX source"):
        folder_of(MATHJAX)


def test_a_fetched_copy_is_kept(empty_cache, monkeypatch):
    fetched = []

    def fetch(package, folder):
        fetched.append(folder)
        (folder / "package" / "es5").mkdir(parents=True)
        (folder / "package" / "es5" / MATHJAX.script).touch()

    monkeypatch.setattr(finder, "_fetch", fetch)
    assert folder_of(MATHJAX) == folder_of(MATHJAX) == empty_cache / "cache" / "vpcourse" / f"mathjax-{MATHJAX.version}"
    assert len(fetched) == 1


def test_another_package_than_the_known_one_is_refused(tmp_path):
    package = tmp_path / "mathjax.tgz"
    with pytest.raises(OSError, match=r"must have the SHA-256 .* got no file"):
        unpack(package, MATHJAX.sha256, tmp_path)
    package.write_bytes(b"something else")
    with pytest.raises(OSError, match=hashlib.sha256(b"something else").hexdigest()):
        unpack(package, MATHJAX.sha256, tmp_path)


def test_a_python_without_tar_filters_unpacks_too(tmp_path, monkeypatch):
    (tmp_path / "es5").touch()
    with tarfile.open(tmp_path / "known.tgz", "w:gz") as archive:
        archive.add(tmp_path / "es5", "package/es5")
    known = hashlib.sha256((tmp_path / "known.tgz").read_bytes()).hexdigest()
    monkeypatch.delattr(tarfile, "data_filter", raising=False)  # which such a Python does not have
    unpacked = []
    monkeypatch.setattr(tarfile.TarFile, "extractall", lambda self, folder: unpacked.append(folder))
    unpack(tmp_path / "known.tgz", known, tmp_path)
    assert unpacked == [tmp_path]
