"""The link to Colab and the first cell of a notebook there, which installs the course's wheel."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from course.authoring.lesson_names import ROOT

CELL = """WHEEL = "{wheel}"  # or the path of a wheel you uploaded
import pathlib, subprocess, sys
if "google.colab" in sys.modules:  # elsewhere the course is installed already, and this cell does nothing
    if "://" not in WHEEL and not pathlib.Path(WHEEL).is_file():
        sys.exit(f"{{WHEEL}} is not here. Open the folder on the left, upload that file, and run this cell again.")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", WHEEL], check=True)
    from course.handout.colab import complete, device
    complete()
    print("device:", device())"""
CELL_ID = "colab-install"


def repository(root: Path = ROOT) -> str:
    """Returns the owner/name that `[tool.vpcourse] repository` in pyproject.toml sets; empty while unset.

    Raises:
        ValueError: it is set to something else.
    """
    name = _setting("repository", root)
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"[tool.vpcourse] repository must be OWNER/NAME, got {name!r}; correct pyproject.toml")
    return name


def branch(root: Path = ROOT) -> str:
    """Returns the branch that links lead to, `[tool.vpcourse] branch`; "main" while unset."""
    return _setting("branch", root) or "main"


def _setting(name: str, root: Path) -> str:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return settings.get("tool", {}).get("vpcourse", {}).get(name, "")


def link(lesson: str, root: Path = ROOT) -> str:
    """Returns a link that opens a lesson in Colab, as text without a picture from elsewhere; empty while unset."""
    name = repository(root)
    address = f"https://colab.research.google.com/github/{name}/blob/{branch(root)}/notebooks/{lesson}.ipynb"
    return f"[Open this lesson in Colab]({address})" if name else ""


def first_cell(wheel: str) -> str:
    """Returns the code of the first cell: it installs a wheel from an address or a path, in Colab only."""
    return CELL.format(wheel=wheel)


def prepare(notebook: Any, wheel: str = "", root: Path = ROOT) -> Any:
    """Puts the link under the header of a notebook and the first cell after it, in place; returns the notebook.

    Args:
        notebook: without them, or with those of an earlier call, whose cell is replaced.
        wheel: address or path of the wheel; if empty, the latest release, and nothing happens without a repository.
        root: the folder of pyproject.toml.
    """
    import nbformat

    words = link(notebook.metadata["course"]["lesson"], root)
    if not wheel and not words:
        return notebook
    if words and words not in notebook.cells[0].source:
        notebook.cells[0].source += f"\n\n{words}"
    notebook.cells = [cell for cell in notebook.cells if cell.get("id") != CELL_ID]
    source = first_cell(wheel or wheel_address(wheel_name(root), root))
    notebook.cells.insert(1, nbformat.v4.new_code_cell(source, id=CELL_ID, metadata={"name": "colab"}))
    return notebook


def wheel_name(root: Path = ROOT) -> str:
    """Returns the file name of the wheel of this version."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"{project['name']}-{project['version']}-py3-none-any.whl"


def wheel_address(wheel: str, root: Path = ROOT) -> str:
    """Returns where Colab finds the wheel: the latest release, or while no repository is set, the file by its name."""
    name = repository(root)
    return f"https://github.com/{name}/releases/latest/download/{wheel}" if name else wheel
