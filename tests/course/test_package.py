"""The course from pip: what the package says of itself, and what works where there is no clone."""

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import vpcore
from course.handout.colab import build_wheel
from course.handout.new_folder import new_folder

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PRETEND = """
import platform, shutil, sys  # shutil first: where it is loaded, Python 3.13 looks for Windows' own modules
from hatchling.build import get_requires_for_build_editable
sys.platform, platform.machine = {system!r}, lambda: {machine!r}
print(get_requires_for_build_editable())
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which the wheel is unpacked, as pip does it."""
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


@pytest.fixture
def vpcourse(site, tmp_path):
    def call(*words, folder=tmp_path):
        code = "import sys; sys.argv[0] = 'vpcourse'; from course.__main__ import start; sys.exit(start())"
        place = {"PYTHONPATH": str(site), "VPCOURSE_HOME": str(tmp_path / "home"), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(
            command, cwd=folder, env={**os.environ, **place}, capture_output=True, encoding="utf-8", check=False
        )

    return call


def test_there_is_one_version():
    assert vpcore.__version__ == PROJECT["version"] == metadata.version("vpcore")


def test_the_package_says_for_whom_it_is():
    versions = [name.rsplit(" ", 1)[1] for name in PROJECT["classifiers"] if "Python :: 3." in name]
    assert versions == ["3.11", "3.12", "3.13", "3.14", "3.15"]
    assert PROJECT["requires-python"] == ">=3.11,<3.16"
    assert PROJECT["authors"]
    assert PROJECT["scripts"] == {"vpcourse": "course.__main__:start"}


def test_the_wheel_has_the_command_and_the_learner_notebooks_alone(site):
    (entry,) = site.glob("vpcore-*.dist-info/entry_points.txt")
    assert "vpcourse = course.__main__:start" in entry.read_text(encoding="utf-8")
    mine = {path.name: path.read_bytes() for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name: path.read_bytes() for path in site.rglob("*.ipynb")} == mine
    assert len(mine) == 10


def test_new_copies_and_keeps_what_is_there(vpcourse, tmp_path):
    done = vpcourse("new", "my course", "--lesson", "02", "--lesson", "00")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 notebooks in my course; to open them, in that folder: vpcourse lab\n"
    mine = tmp_path / "my course" / "00_start_here.ipynb"
    mine.write_text("my work", encoding="utf-8")
    again = vpcourse("new", "my course")
    assert "kept: 00_start_here.ipynb lies there already\n" in again.stderr
    assert again.stdout.startswith("8 notebooks in my course")
    assert mine.read_text(encoding="utf-8") == "my work"


def test_a_lesson_of_ones_own_runs_and_its_checks_answer(vpcourse, tmp_path):
    assert vpcourse("new", "mine").returncode == 0
    done = vpcourse("run", "00", folder=tmp_path / "mine")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "note: the solutions are not in the package; these are the learner notebooks" in done.stderr
    lesson, _, checks, result = done.stdout.splitlines()[1].split()
    assert (lesson, checks.split("/")[0], result) == ("00_start_here", "0", "ok")


def test_lab_opens_ones_own_lesson(site, tmp_path):
    (tmp_path / "jupyterlab.py").write_text("import sys; print(sys.argv[1:]); sys.exit(3)", encoding="utf-8")
    new_folder(tmp_path / "mine", ("05",), ROOT)
    code = (
        f"import sys, course.cli as c; c.LAB = [{str(tmp_path / 'jupyterlab.py')!r}]; sys.exit(c.main(['lab', '05']))"
    )
    for folder, status, said in (("mine", 3, "05_activation_prompts.ipynb"), (".", 2, "new DIR, and this in DIR")):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path / folder, env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        assert said in done.stdout + done.stderr


@pytest.mark.parametrize("words", [["build"], ["check"], ["export", "x", "--to", "html"], ["grade", ".", "--out", "x"]])
def test_what_needs_a_clone_says_so_and_asks_for_no_build(vpcourse, words):
    done = vpcourse(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"error: {words[0]} works on the lessons' sources: run it in a clone of the course's repository\n"
    )


def test_a_damaged_notebook_of_ones_own_asks_for_no_build(vpcourse, tmp_path):
    (tmp_path / "00_start_here.ipynb").write_text("{", encoding="utf-8")
    done = vpcourse("run", "00")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("00_start_here.ipynb is not a readable notebook; take a fresh copy of it")


def test_check_file_knows_the_lessons_of_the_package(vpcourse, tmp_path):
    new_folder(tmp_path, ("00",), ROOT)
    done = vpcourse("check-file", "00_start_here.ipynb")
    assert "lesson 00_start_here: " in done.stdout
    assert "still as it was handed out" in done.stdout


@pytest.mark.parametrize(
    ("system", "machine", "said"),
    [
        ("linux", "x86_64", ""),
        ("darwin", "arm64", ""),
        ("darwin", "x86_64", "cannot be installed on a Mac with an Intel processor: PyTorch has no wheels for it"),
        ("win32", "ARM64", "cannot be installed on Windows on ARM: PyTorch has no wheels for it"),
    ],
)
def test_the_first_error_names_a_machine_that_cannot_be_served(system, machine, said):
    code = PRETEND.format(system=system, machine=machine)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is (said == "")
    assert said in done.stderr


@pytest.mark.parametrize(("version", "added"), [("standard", {"notebooks": "course/notebooks"}), ("editable", {})])
def test_an_editable_install_finds_the_notebooks_in_the_clone(version, added):
    from hatchling.builders.wheel import WheelBuilder

    builder = WheelBuilder(str(ROOT))
    data = {}
    (hook,) = builder.get_build_hooks("unused").values()
    hook.initialize(version, data)
    assert data.get("force_include", {}) == added
