"""The committed notebooks: all of their cells were run, because nbval compares nothing for a cell that was not."""

from pathlib import Path

import pytest

from course.authoring.notebook_file import read_notebook
from course.authoring.notebook_rules import output_problems

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*.ipynb")])


@pytest.mark.parametrize("path", NOTEBOOKS or [None], ids=lambda path: path and f"{path.parent.name}/{path.stem}")
def test_every_code_cell_was_run(path):
    if path is None:
        assert not list(ROOT.glob("course/lessons/[0-9]*.py")), "lessons exist, but no notebook was built"
        return
    assert output_problems(path.name, read_notebook(path)) == []


@pytest.mark.parametrize("folder", ["notebooks", "solutions"])
def test_both_folders_apply_the_strict_settings(folder):
    assert "course.authoring.nbval_settings import" in (ROOT / folder / "conftest.py").read_text()
