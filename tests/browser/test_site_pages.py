"""The web site in a real browser: readable without a network, with figures, search and formulas."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from chromium import open_page, program, screenshot

from course.authoring.notebook_file import notebook_text, read_notebook
from course.handout.npm import MATHJAX, folder_of
from course.handout.reference import GROUPS
from course.handout.site import FITS, export_site

ROOT = Path(__file__).resolve().parents[2]
LESSON = "02_multiscale_prompts"
FORMULA = "\n\nA formula: $x' = x + \\frac{1}{3}\\sum_s U(P_s)$"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of a site of the committed lesson, with one formula added to it."""
    for name in ("sphinx", "myst_nb", "sphinx_book_theme"):
        pytest.importorskip(name, reason="the extra site is not installed")
    root = tmp_path_factory.mktemp("clone")
    notebook = read_notebook(ROOT / "notebooks" / f"{LESSON}.ipynb")
    notebook.cells[0].source += FORMULA
    (root / "notebooks").mkdir()
    (root / "notebooks" / f"{LESSON}.ipynb").write_text(notebook_text(notebook), encoding="utf-8")
    (root / "solutions").mkdir()  # the answers that stand folded in the page
    shutil.copy(ROOT / "solutions" / f"{LESSON}.ipynb", root / "solutions")
    export_site(root / "site", root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root / "site")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    shutil.rmtree(root / "site")


@pytest.fixture(scope="module")
def formulas():
    try:
        folder_of(MATHJAX)
    except OSError as error:
        pytest.skip(f"no MathJax: {error}")


def test_the_site_is_read_without_another_machine(site):
    program()
    with open_page() as (page, seen):
        page.goto(f"{site}/index.html")
        page.get_by_role("link", name="Multiscale prompts").first.click()
        page.wait_for_selector("article h1:has-text('Multiscale prompts')")
        figures = page.locator("article img.figure")
        assert figures.count() > 5
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert all(figure.get_attribute("alt") for figure in figures.all())
        assert all(figure.evaluate("image => image.complete && image.naturalWidth > 0") for figure in figures.all())
        assert page.get_by_text("“your code” in it is the solution").count() > 5
        figures.nth(2).scroll_into_view_if_needed()
        screenshot(page, "site_lesson")
        page.goto(f"{site}/search.html?q=gated")
        page.wait_for_selector("#search-results li a")
        screenshot(page, "site_search")
        assert seen.outside == []
        assert seen.errors == []


def test_the_explorer_has_a_still_picture_and_its_sentence(site):
    program()
    with open_page() as (page, _):
        page.goto(f"{site}/{LESSON}.html")
        place = page.locator(".cell_output", has=page.locator("p", has_text="Scales 1, 4, 8; add")).first
        assert "RMS change" in place.locator("p").first.inner_text()
        assert place.locator("img.figure").count() == 1


def test_words_in_figures_are_large_enough_on_a_phone(site):
    """A drawing fits the screen; a wider figure keeps its size and is scrolled, and the page itself is not."""
    program()
    with open_page(width=390, height=800) as (page, _):
        page.goto(f"{site}/{LESSON}.html")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        figures = page.locator("article img.figure")
        shown = figures.evaluate_all("all => all.map(image => [image.naturalWidth, image.clientWidth])")
        assert {natural > FITS for natural, _ in shown} == {True, False}
        assert all(now == natural for natural, now in shown if natural > FITS)  # words of 6 points are 9 pixels high
        assert all(now >= 0.66 * natural for natural, now in shown if natural <= FITS)  # those of 9 points, too
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for name, place in (("drawing", 1), ("wide", 4)):
            figures.nth(place).scroll_into_view_if_needed()
            screenshot(page, f"site_figure_{name}_390")
        figures.nth(4).evaluate("image => { image.parentElement.scrollLeft = 200 }")
        assert figures.nth(4).evaluate("image => image.parentElement.scrollLeft") == 200


def test_formulas_are_set_by_the_copy_of_mathjax_in_the_site(site, formulas):
    program()
    with open_page() as (page, seen):
        page.goto(f"{site}/{LESSON}.html")
        page.wait_for_selector("mjx-container")
        screenshot(page, "site_formula")
        assert seen.outside == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_of_the_reference_fits_phone_and_desk(site, width):
    program()
    with open_page(width=width) as (page, seen):
        page.goto(f"{site}/index.html")
        assert page.locator("img.first").evaluate("image => image.complete && image.naturalWidth > 0")
        for name, entry in (("prompts", "vpcore.ActivationPrompt"), ("training", "vpcore.fit")):
            page.goto(f"{site}/api/{name}.html")
            page.locator("table.autosummary").get_by_role("link", name=entry, exact=True).click()
            screenshot(page, f"site_reference_{name}_{width}")
            box = page.locator(f'dt[id="{entry}"]').bounding_box()
            assert box["x"] + box["width"] <= width
        for name in GROUPS:
            page.goto(f"{site}/api/{name}.html")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than the screen"
        assert seen.outside == []
        assert seen.errors == []
