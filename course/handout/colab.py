"""Takes the course to Colab: one small wheel, a first cell that installs it, and a link; torch and widgets stay as is.

This module runs there before anything else is installed, so it imports the standard library only.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from course.authoring.colab_cell import prepare, wheel_address
from course.authoring.lesson_names import ROOT

KEPT = ("torch", "torchvision", "numpy", "ipywidgets", "ipykernel", "ipython")  # Colab's own; no version may change
LOCAL = ("jupyterlab", "nbval", "nbclient", "nbformat", "typer")  # of no use in Colab: it is the notebook program
LARGEST = 15 * 2**20  # bytes of the wheel
Run = Callable[..., Any]


README = """# The course in Colab

Give learners the notebook of a lesson and the wheel `{wheel}`. A learner

1. opens the notebook in Colab (File, Upload notebook);
2. opens the folder on the left and uploads the wheel beside `sample_data`;
3. runs the first cell. It installs the wheel and what Colab lacks, changes nothing that Colab brings, and names the
   device.

If the wheel was not uploaded, the first cell says so. A runtime that was disconnected has lost it: upload it again.
Where `[tool.vpcourse] repository` is set in pyproject.toml, the first cell takes the wheel from that repository's
latest release instead: put it there, and step 2 falls away.

Lessons are made for a CPU runtime and tested on one; each takes about a minute. Where there is a GPU, `vpcore.fit` and
`vpcore.evaluate` use it and leave the model there. If a later cell complains of two devices, choose Runtime, Change
runtime type, CPU.
"""


def build_wheel(folder: Path, root: Path = ROOT, run: Run = subprocess.run) -> Path:
    """Builds the wheel into a folder and returns its path.

    Raises:
        RuntimeError: the build failed, or the wheel is larger than 15 MiB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = run(_build_command(folder, root), cwd=root, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise RuntimeError(f"the wheel was not built: {done.stderr.strip()[-400:]}")
    path = max(folder.glob("vpcore-*.whl"), key=lambda found: found.stat().st_mtime)
    size = path.stat().st_size
    if size > LARGEST:
        raise RuntimeError(f"the wheel must have at most {LARGEST:,} bytes, got {size:,}; move large files elsewhere")
    return path


def _build_command(folder: Path, root: Path) -> list[str]:
    if importlib.util.find_spec("hatchling"):
        return [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder.absolute())]
    if not importlib.util.find_spec("pip") and shutil.which("uv"):
        return ["uv", "build", "--quiet", "--wheel", "--out-dir", str(folder.absolute()), str(root)]
    options = ["--quiet", "--no-deps", "--wheel-dir", str(folder.absolute())]
    return [sys.executable, "-m", "pip", "wheel", *options, str(root)]


def export_colab(folder: Path, root: Path = ROOT) -> list[Path]:
    """Writes the wheel, learner notebooks that install it in Colab, and what to do with both; returns the files.

    Raises:
        ValueError: there is no notebook, or the repository is set wrongly.
        RuntimeError: the wheel cannot be built.
        OSError: a file cannot be written.
    """
    from course.authoring.notebook_file import notebook_text, read_notebook, write_text

    paths = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    if not paths:
        raise ValueError("notebooks/ holds no lesson; run: python -m course build")
    wheel = build_wheel(folder, root)
    for path in paths:
        notebook = prepare(read_notebook(path), wheel_address(wheel.name, root), root)
        write_text(folder / path.name, notebook_text(notebook))
    write_text(folder / "README.md", README.format(wheel=wheel.name))
    return [folder / "README.md", wheel, *(folder / path.name for path in paths)]


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


def device() -> str:
    """Returns where training runs, with the name of the GPU if there is one."""
    import torch

    from vpcore.device import choose_device

    chosen = choose_device()
    return f"{chosen} ({torch.cuda.get_device_name()})" if chosen.type == "cuda" else str(chosen)


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
        done = run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise RuntimeError(f"pip could not install {', '.join(needs)}: {done.stderr.strip()[-400:]}")
