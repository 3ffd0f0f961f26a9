"""The committed notebooks: what a build wrote, all of it run: nbval compares nothing for a cell that was not."""

import re
from pathlib import Path

from course.authoring.build import VERDICT
from course.authoring.notebook_file import read_notebook
from course.authoring.notebook_rules import output_problems, verdict_problems
from course.authoring.stale import outputs_hash

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {
    str(path.relative_to(ROOT)): read_notebook(path)
    for folder in ("notebooks", "solutions")
    for path in sorted((ROOT / folder).glob("*.ipynb"))
}
LESSONS = sorted(path.stem for path in (ROOT / "course" / "lessons").glob("[0-9]*.py"))
PICTURE = re.compile(r"!\[|<img|data:image|<svg")


def test_every_lesson_was_built_twice():
    built = {f"{folder}/{lesson}.ipynb" for folder in ("notebooks", "solutions") for lesson in LESSONS}
    assert LESSONS
    assert set(NOTEBOOKS) == built


def test_every_code_cell_was_run():
    assert [problem for name, book in NOTEBOOKS.items() for problem in output_problems(name, book)] == []


def test_every_check_says_what_it_shall():
    wanted = {name: VERDICT[book.metadata["course"]["kind"]] for name, book in NOTEBOOKS.items()}
    assert [found for name in wanted for found in verdict_problems(name, NOTEBOOKS[name], wanted[name])] == []


def test_stored_outputs_are_those_the_build_wrote():
    hashes = {name: (outputs_hash(book), book.metadata["course"]["outputs_hash"]) for name, book in NOTEBOOKS.items()}
    assert [name for name, (now, built) in hashes.items() if now != built] == [], "edited by hand, or run elsewhere"


def test_no_text_cell_shows_a_picture_that_no_cell_drew():
    texts = [(name, cell) for name, book in NOTEBOOKS.items() for cell in book.cells if cell.cell_type != "code"]
    assert [(name, cell.id) for name, cell in texts if cell.get("attachments") or PICTURE.search(cell.source)] == []


def test_both_folders_apply_the_strict_settings():
    for folder in ("notebooks", "solutions"):
        assert "course.authoring.nbval_settings import" in (ROOT / folder / "conftest.py").read_text(), folder
