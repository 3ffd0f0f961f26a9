"""A lesson in a real browser: JupyterLab runs it, and the explorer obeys the keyboard."""

from pathlib import Path

import pytest
from chromium import open_page, program, screenshot
from lab import jupyterlab, open_notebook, run_all

ROOT = Path(__file__).resolve().parents[2]
LESSON = ROOT / "notebooks" / "02_multiscale_prompts.ipynb"
RUN_SECONDS = 400
PICTURE = ".jp-OutputArea img.widget-image"
WORDS = ".jp-OutputArea .widget-vbox [role=status]"
# The picture comes before the sentence, each in a message of its own.
NEW_STATE = """([picture, src, place, words]) => {
  const [image, sentence] = [document.querySelector(picture), document.querySelector(place)];
  return image && sentence && image.src !== src && sentence.innerText !== words;
}"""
FOCUSED = "() => document.activeElement.getAttribute('role') || document.activeElement.tagName.toLowerCase()"


@pytest.fixture
def folder(tmp_path):
    """A folder with a copy of the lesson, whose networks train for two epochs: nbval runs it as it is."""
    text, long, short = LESSON.read_text(encoding="utf-8"), '\\"epochs\\": 12', '\\"epochs\\": 2'
    assert text.count(long) == 1
    (tmp_path / "lesson.ipynb").write_text(text.replace(long, short), encoding="utf-8")
    return tmp_path


class Explorer:
    """The first explorer of a page, operated by keyboard alone."""

    def __init__(self, page):
        self.page = page
        page.wait_for_selector(PICTURE)
        self.place = page.locator(".jp-OutputArea .widget-vbox").first
        self.place.scroll_into_view_if_needed()

    def state(self):
        """Returns the address of the picture and the sentence under it."""
        return self.page.locator(PICTURE).first.get_attribute("src"), self.page.locator(WORDS).first.inner_text()

    def press(self, key):
        """Presses a key, waits until picture and sentence are others, and returns both."""
        src, words = self.state()
        self.page.keyboard.press(key)
        self.page.wait_for_function(NEW_STATE, arg=[PICTURE, src, WORDS, words])
        return self.state()

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
            states = [explorer.state()]
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
