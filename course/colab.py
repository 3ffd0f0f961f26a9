"""Takes the course to Colab: one small wheel, a first cell that installs it, and a link; torch and widgets stay as is.

This module runs there before anything else is installed, so it imports the standard library only.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("torch", "torchvision", "numpy", "ipywidgets", "ipykernel", "ipython")  # Colab's own; no version may change
LOCAL = ("jupyterlab", "nbval", "nbclient", "nbformat", "typer")  # of no use in Colab: it is the notebook program
LARGEST = 10 * 2**20  # bytes of the wheel
CELL = """WHEEL = "{wheel}"  # or the path of a wheel you uploaded
import subprocess, sys
if "google.colab" in sys.modules:  # elsewhere the course is installed already, and this cell does nothing
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", WHEEL], check=True)
    from course.colab import complete
    complete()"""
CELL_ID = "colab-install"
Run = Callable[..., Any]


def repository(root: Path = ROOT) -> str:
    """Returns the owner/name that `[tool.vpcourse] repository` in pyproject.toml sets; empty while unset.

    Raises:
        ValueError: it is set to something else.
    """
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    name = settings.get("tool", {}).get("vpcourse", {}).get("repository", "")
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"[tool.vpcourse] repository must be OWNER/NAME, got {name!r}; correct pyproject.toml")
    return name


def link(lesson: str, root: Path = ROOT) -> str:
    """Returns a link that opens a lesson in Colab, as text without a picture from elsewhere; empty while unset."""
    name = repository(root)
    address = f"https://colab.research.google.com/github/{name}/blob/main/notebooks/{lesson}.ipynb"
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


def build_wheel(folder: Path, root: Path = ROOT, run: Run = subprocess.run) -> Path:
    """Builds the wheel into a folder and returns its path.

    Raises:
        RuntimeError: the build failed, or the wheel is larger than 10 MiB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--quiet", "--no-deps", "--wheel-dir", str(folder)]
    if importlib.util.find_spec("hatchling"):
        options.append("--no-build-isolation")  # pip would fetch another copy
    command = [sys.executable, "-m", "pip", "wheel", *options, str(root)]
    done = run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the wheel was not built: {done.stderr.strip()[-400:]}")
    path = max(folder.glob("vpcore-*.whl"), key=lambda found: found.stat().st_mtime)
    size = path.stat().st_size
    if size > LARGEST:
        raise RuntimeError(f"the wheel must have at most {LARGEST:,} bytes, got {size:,}; move large files elsewhere")
    return path


def export_colab(folder: Path, root: Path = ROOT) -> list[Path]:
    """Writes the wheel, and learner notebooks that install it in Colab; returns the files.

    Raises:
        ValueError: there is no notebook, or the repository is set wrongly.
        RuntimeError: the wheel cannot be built.
        OSError: a file cannot be written.
    """
    from course.notebook_file import notebook_text, read_notebook, write_text

    paths = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    if not paths:
        raise ValueError("notebooks/ holds no lesson; run: python -m course build")
    wheel = build_wheel(folder, root)
    for path in paths:
        notebook = prepare(read_notebook(path), wheel_address(wheel.name, root), root)
        write_text(folder / path.name, notebook_text(notebook))
    return [wheel, *(folder / path.name for path in paths)]


def complete(package: str = "vpcore", run: Run = subprocess.run) -> list[str]:
    """Installs what the package needs and the machine lacks, and nothing else; returns what that was.

    Raises:
        RuntimeError: pip failed, or a package that must stay as it is has another version now.
    """
    before = versions()
    missing = [need for need in metadata.requires(package) or [] if _is_missing(need)]
    if missing:
        _install(missing, before, run)
    changed = [f"{name} {before[name]} is now {now}" for name, now in versions().items() if now != before[name]]
    if changed:
        raise RuntimeError(f"{'; '.join(changed)}: choose Runtime, Disconnect and delete runtime, and run this again")
    return missing


def versions() -> dict[str, str]:
    """Returns the versions of the packages that must stay as they are; "none" for those not installed."""
    return {name: _version(name) for name in KEPT}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _is_missing(need: str) -> bool:
    name = re.split(r"[\s<>=!~;\[]", need, maxsplit=1)[0]
    return "extra ==" not in need and name not in (*LOCAL, *KEPT) and _version(name) == "none"


def _install(needs: list[str], keep: dict[str, str], run: Run) -> None:
    pins = "".join(f"{name}=={version}\n" for name, version in keep.items() if version != "none")
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "keep.txt"
        constraints.write_text(pins, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), *needs]
        done = run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip could not install {', '.join(needs)}: {done.stderr.strip()[-400:]}")
