"""A lesson in a real browser: JupyterLab runs it, and the explorer obeys the keyboard."""

import shutil
from pathlib import Path

import pytest
from chromium import open_page, program, screenshot
from lab import jupyterlab, open_notebook, run_all

ROOT = Path(__file__).resolve().parents[2]
LESSON = ROOT / "notebooks" / "02_multiscale_prompts.ipynb"
RUN_SECONDS = 400
PICTURE = ".jp-OutputArea img.widget-image"
NEW_PICTURE = """([place, old]) => {
  const image = document.querySelector(place);
  return image && image.src !== old;
}"""
FOCUSED = "() => document.activeElement.getAttribute('role') || document.activeElement.tagName.toLowerCase()"


@pytest.fixture
def folder(tmp_path):
    """A folder with a copy of the lesson."""
    shutil.copy(LESSON, tmp_path / "lesson.ipynb")
    return tmp_path


class Explorer:
    """The first explorer of a page, operated by keyboard alone."""

    def __init__(self, page):
        self.page = page
        page.wait_for_selector(PICTURE)
        self.place = page.locator(".jp-OutputArea .widget-vbox").first
        self.place.scroll_into_view_if_needed()

    @property
    def picture(self):
        return self.page.locator(PICTURE).first.get_attribute("src")

    def words(self):
        return self.place.locator("[role=status]").inner_text()

    def press(self, key):
        """Presses a key and waits until the picture is another; returns its address and the sentence under it."""
        before = self.picture
        self.page.keyboard.press(key)
        self.page.wait_for_function(NEW_PICTURE, arg=[PICTURE, before])
        return self.picture, self.words()

    def tab_to(self, kind):
        for _ in range(12):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(FOCUSED) == kind:
                return
        raise AssertionError(f"no {kind} is reached with Tab")


def test_a_lesson_runs_in_jupyterlab_and_its_explorer_obeys_the_keyboard(folder):
    program()
    with jupyterlab(folder) as address, open_page() as (page, seen):
        open_notebook(page, address, "lesson.ipynb")
        try:
            cells = run_all(page, RUN_SECONDS)
            assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
            assert [cell["error"] for cell in cells if cell["error"]] == []
            explorer = Explorer(page)
            screenshot(page, "lab_before")
            states = [(explorer.picture, explorer.words())]
            explorer.place.locator("input[type=checkbox]").first.focus()
            states.append(explorer.press("Space"))
            explorer.tab_to("button")
            explorer.page.keyboard.press("Tab")
            states.append(explorer.press("Space"))
            explorer.tab_to("slider")
            states += [explorer.press("ArrowRight"), explorer.press("ArrowRight")]
            page.locator(PICTURE).first.scroll_into_view_if_needed()
        finally:
            screenshot(page, "lab_after")
        assert len({picture for picture, _ in states}) == len({words for _, words in states}) == len(states)
        assert seen.outside == []
        assert seen.errors == []
