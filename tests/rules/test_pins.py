"""The pinned packages: one set for pip and uv, and wheels of it on every system and Python that the README names."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from functools import cache

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from prose import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
SYSTEMS = {
    "Linux x86_64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
    "Windows amd64": "x86_64-pc-windows-msvc",
}
UNSERVED = {"Intel Mac": "x86_64-apple-darwin", "Windows arm64": "aarch64-pc-windows-msvc"}
# Without its last flag uv tries to download the Python that it resolves for: 10 seconds instead of 2.
UV = (sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--python", sys.executable, "--no-python-downloads")
PINS = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line.strip()]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def resolve(system, python):
    """Ask uv which wheels it would take, without taking them."""
    command = [*UV, "--only-binary", ":all:", "--no-annotate"]
    where = ["--python-platform", system, "--python-version", python, "--extra", "dev", "-c", "constraints.txt"]
    return subprocess.run(
        [*command, *where, "--no-header", "pyproject.toml"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"},
    )  # fmt: skip


@cache
def no_index():
    """Say why the index cannot be asked; empty when it can."""
    if importlib.util.find_spec("uv") is None:
        return "uv is not installed"
    done = subprocess.run([*UV, "--no-deps", "-"], input="iniconfig", capture_output=True, text=True, check=False)
    return done.stderr.strip()[:100] if done.returncode else ""


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_pin_has_a_wheel(system, python):
    if no_index():
        pytest.skip(f"the index cannot be asked: {no_index()}")
    done = resolve(SYSTEMS[system], python)
    assert done.returncode == 0, done.stderr
    names = {Requirement(pin).name.lower().replace("_", "-") for pin in PINS}
    found = [line.split("==")[0] for line in done.stdout.splitlines() if "==" in line]
    assert len(found) > 150
    assert [name for name in found if name not in names and name != "vpcore"] == []


@pytest.mark.parametrize("system", UNSERVED)
def test_a_machine_that_the_readme_calls_unserved_has_no_wheels(system):
    if no_index():
        pytest.skip(f"the index cannot be asked: {no_index()}")
    done = resolve(UNSERVED[system], "3.13")
    assert done.returncode != 0
    assert "torch==2.11.0 has no wheels with a matching" in done.stderr


def test_uv_has_the_same_pins():
    mine = PROJECT["tool"]["uv"]["constraint-dependencies"]
    assert mine == [pin.replace('"', "'") for pin in PINS], "run: python .ci/uv_pins.py"


@pytest.mark.parametrize("python", PYTHONS)
def test_no_package_is_pinned_twice_for_one_python(python):
    here = [Requirement(pin) for pin in PINS]
    names = [pin.name for pin in here if pin.marker is None or pin.marker.evaluate({"python_version": python})]
    assert sorted(names) == sorted(set(names))
    assert {"torch", "numpy", "setuptools"} <= set(names)


def test_every_requirement_of_the_project_is_pinned_within_its_bounds():
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [Requirement(need) for need in [*PROJECT["project"]["dependencies"], *(n for e in extras for n in e)]]
    pins = {}
    for pin in map(Requirement, PINS):
        pins.setdefault(re.sub(r"[-_]", "-", pin.name).lower(), []).extend(s.version for s in pin.specifier)
    for need in wanted:
        assert pins[need.name.lower()], need
        assert all(Version(version) in need.specifier for version in pins[need.name.lower()]), need
