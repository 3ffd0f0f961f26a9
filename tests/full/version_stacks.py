"""The stacks of packages that `versions.py` tests with: which versions they ask for, and their environments."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "support"), str(ROOT)]

import stacks  # noqa: E402

NAMES = ("torch", "torchvision", "timm")
SHOWN = (*NAMES, "numpy", "ipython", "ipywidgets")
STACKS = {
    "oldest": "the lower bounds of pyproject.toml",
    "tested": "constraints.txt",
    "newest": "the newest on the index",
    "colab": "constraints.txt, with Colab's ipywidgets and IPython",
}
# Stacks of another Python than the one that runs this: on demand, where such a Python is on the PATH or in the folder
# that VPCOURSE_PYTHONS names. They get a row in the table once they have run.
PYTHONS = {"python315": "3.15", "colab313": "3.13"}
ON_DEMAND = {
    "python315": "constraints.txt, on the newest Python",
    "colab313": "Colab's torch, numpy, timm, IPython and ipywidgets, on its Python",
}
COLAB = {**stacks.COLAB, "torch": "2.11.0", "torchvision": "0.26.0", "timm": "1.0.28", "numpy": "2.1.3"}
TOOLS = ("pytest", "hypothesis", "beartype", "jupytext", "peft", "hatchling", "ruff")
FOR_NBGRADER = ("rapidfuzz", "sqlalchemy", "alembic")  # it asks for a newer IPython than Colab's, and works with that


def bounds() -> dict[str, str]:
    """Return the oldest supported version of each of the three packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = dict(line.split(">=", 1) for line in project["dependencies"] if ">=" in line)
    oldest = {name: found[name].split(",")[0] for name in NAMES}
    return {name: version + ".0" * (2 - version.count(".")) for name, version in oldest.items()}


def constraints(python: str = "") -> dict[str, str]:
    """Return the tested version of every package, for a version of Python; by default the one that runs this."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if "==" in line]
    asked = {"python_version": python, "python_full_version": f"{python}.0"} if python else {}
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(asked)]
    return {pin.name: next(iter(pin.specifier)).version for pin in here}


def pins(stack: str) -> dict[str, str]:
    """Return the versions a stack asks for; a package that is not named is the newest that fits.

    Old versions of the three packages bring their own needs, so of the tested versions only the course's tools stay.
    """
    tested = constraints()
    if stack == "oldest":
        tools = ("ipykernel", "ipython", "ipywidgets", "jupyterlab", "matplotlib", "nbclient", "nbformat", "nbval")
        return {name: tested[name] for name in tools if name in tested} | bounds()
    return {
        "tested": tested,
        "newest": {},
        "colab": {**tested, **stacks.COLAB},
        "python315": constraints(PYTHONS["python315"]),
        "colab313": COLAB,
    }[stack]


def interpreter(stack: str) -> str:
    """Return the Python of a stack: the one that runs this, or another version that must be found.

    Raises:
        FileNotFoundError: there is no such Python.
    """
    if stack not in PYTHONS:
        return sys.executable
    name, path = f"python{PYTHONS[stack]}", os.environ.get("VPCOURSE_PYTHONS", "")
    found = shutil.which(name, path=os.pathsep.join(filter(None, [path, os.environ.get("PATH", "")])))
    if found is None:
        raise FileNotFoundError(f"stack {stack} needs {name}: put it on the PATH, or its folder into VPCOURSE_PYTHONS")
    return found


def install(stack: str, folder: Path) -> Path:
    """Make the environment of a stack and return its Python.

    Raises:
        CalledProcessError: pip failed.
        FileNotFoundError: there is no Python of the stack's version.
    """
    if stack == "colab":
        return stacks.make(folder)  # sees the packages of the present environment
    subprocess.run([interpreter(stack), "-m", "venv", str(folder)], check=True)
    python, file = folder / "bin" / "python", folder / "pins.txt"
    file.write_text("".join(f"{name}=={version}\n" for name, version in pins(stack).items()), encoding="utf-8")
    more = ["--upgrade", "--upgrade-strategy", "eager"] if stack == "newest" else ["-c", str(file)]
    wanted = [str(ROOT), *TOOLS, *FOR_NBGRADER] if stack == "colab313" else [f"{ROOT}[dev]"]
    subprocess.run([python, "-m", "pip", "install", "-q", "-e", *wanted, *more], check=True)
    if stack == "colab313":
        nbgrader = f"nbgrader=={constraints()['nbgrader']}"
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", nbgrader], check=True)
    return python


def installed(python: Path) -> dict[str, str]:
    """Return the versions that an environment really has."""
    ask = f"import json, platform, importlib.metadata as m; print(json.dumps({{'python': platform.python_version(), \
**{{name: m.version(name) for name in {SHOWN!r}}}}}))"
    return json.loads(subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout)


def environment(stack: str, folder: Path) -> Path:
    """Return the Python of a stack's environment, which is made if it is not there; none is left half made.

    Raises:
        CalledProcessError, SystemExit: pip failed.
    """
    python = folder / "bin" / "python"
    if python.exists():
        return python
    try:
        return install(stack, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def exists(name: str, version: str) -> bool:
    """Ask the index whether it has a version."""
    command = [sys.executable, "-m", "pip", "index", "versions", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return version in re.findall(r"[\w.+]+", done.stdout)


def dry_run(names: list[str]) -> int:
    """Print what each stack would install of the three packages, and whether the index has it; returns the failures."""
    missing = 0
    for stack in names:
        wanted = {name: version for name, version in pins(stack).items() if name in SHOWN}
        print(f"{stack}: {(STACKS | ON_DEMAND)[stack]}")
        for name in NAMES:
            there = name not in wanted or exists(name, wanted[name])
            missing += not there
            print(f"    {name} {wanted.get(name, 'newest')}{'' if there else '  IS NOT ON THE INDEX'}")
        others = [f"{name} {version}" for name, version in wanted.items() if name not in NAMES]
        print(f"    {', '.join(others) or 'the rest: newest'}")
    return missing
