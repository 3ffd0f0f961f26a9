"""The content hash: it follows imports, ignores comments, and is the same on every machine."""

import hashlib

import nbformat
import pytest

from course.authoring import stale


@pytest.fixture
def tree(tmp_path, monkeypatch):
    files = {
        "course/__init__.py": "",
        "course/show.py": '"""Figures."""\nfrom course.colors import RED\n',
        "course/colors.py": "RED = 1\n",
        "course/other.py": "X = 1\n",
        "course/exercises/lesson_02/__init__.py": (
            "def answer():\n    from vpcore import core\n    return core.N  # why\n"
        ),
        "course/exercises/lesson_03/__init__.py": "Y = 1\n",
        "course/results/scales.json": "[1]",
        "course/results/other.json": "[1]",
        "course/results/ci.json": "[1]",
        "vpcore/__init__.py": "",
        "vpcore/core.py": "N = 1\n",
        "vpcore/experiments/grid/command.py": "N = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(stale, "ROOT", tmp_path)
    return tmp_path


def lesson(code="%matplotlib inline\nfrom course import show\nshow.table('scales')  # by decision"):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("text"), nbformat.v4.new_code_cell(code)])
    book.metadata["course"] = {"lesson": "02_toy"}
    return book


@pytest.mark.parametrize(
    ("name", "text", "changes"),
    [
        ("course/show.py", '"""Other words."""\n# a comment\nfrom course.colors import (RED)\n', False),
        ("course/show.py", "from course.colors import RED\nSIZE = 2\n", True),
        ("course/colors.py", "RED = 2\n", True),
        ("course/other.py", "X = 2\n", False),
        ("course/exercises/lesson_02/__init__.py", "def answer():\n    return 2\n", True),
        ("course/exercises/lesson_03/__init__.py", "Y = 2\n", False),
        ("course/results/scales.json", "[2]", True),
        ("course/results/other.json", "[2]", False),
        ("course/results/ci.json", "[2]", False),
        ("vpcore/core.py", "N = 2\n", True),
        ("vpcore/experiments/grid/command.py", "N = 2\n", False),
    ],
)
def test_only_what_the_outputs_come_from_counts(tree, name, text, changes):
    before = stale.source_hash(lesson())
    (tree / name).write_text(text)
    assert (stale.source_hash(lesson()) != before) is changes


def test_code_cells_count_and_text_cells_do_not(tree):
    book = lesson()
    before = stale.source_hash(book)
    book.cells[0].source = "other text"
    assert stale.source_hash(book) == before
    assert stale.source_hash(lesson("x = 2")) != stale.source_hash(lesson("x = 1"))


def test_the_hash_does_not_depend_on_the_machine():
    source = "def f(a, *, b: int = 1) -> str:\n    return f'{a!r:>{b}} é'"
    assert hashlib.sha256(stale._meaning(source).encode()).hexdigest()[:16] == "5d7f694ae667e368"
