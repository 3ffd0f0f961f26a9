"""The way to Colab: a small wheel without solutions, and a first cell that changes nothing Colab brings."""

import sys
import types
import zipfile
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from toy_lesson import write

from course.authoring.colab_cell import first_cell, link, prepare, repository, wheel_name
from course.authoring.learner import learner_notebook
from course.authoring.lesson import solved_notebook
from course.handout import colab
from course.handout.colab import KEPT, LARGEST, build_wheel, complete, export_colab

ROOT = Path(__file__).resolve().parents[2]
UNSET = '[project]\nname = "vpcore"\nversion = "1.2"\n[tool.vpcourse]\nrepository = ""\n'
SET = UNSET.replace('""', '"someone/prompts"')


class Pip:
    """Stands in for subprocess.run and notes what pip is asked for."""

    def __init__(self, returncode=0):
        self.calls, self.pins, self.returncode = [], "", returncode

    def __call__(self, command, **_):
        self.calls.append(command)
        if "--constraint" in command:
            self.pins = Path(command[command.index("--constraint") + 1]).read_text(encoding="utf-8")
        return types.SimpleNamespace(returncode=self.returncode, stderr="no such thing")


@pytest.fixture
def installed(monkeypatch):
    """A made-up machine: its packages, and what vpcore asks for."""
    packages = dict.fromkeys(KEPT, "1.0") | {"scipy": "1.16.3", "tqdm": "4.67"}
    needs = ["torch>=2.6", "numpy>=2.0", "scipy>=1.13", "jaxtyping>=0.3", "tqdm", "nbval>=0.11", 'ruff; extra == "dev"']

    def version(name):
        if name not in packages:
            raise metadata.PackageNotFoundError(name)
        return packages[name]

    monkeypatch.setattr(colab.metadata, "version", version)
    monkeypatch.setattr(colab.metadata, "requires", lambda name: needs)
    return packages


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def clone(tmp_path):
    (tmp_path / "pyproject.toml").write_text(UNSET)
    (tmp_path / "notebooks").mkdir()
    nbformat.write(lesson(), tmp_path / "notebooks" / "99_toy.ipynb")
    return tmp_path


def lesson():
    cells = [nbformat.v4.new_markdown_cell("# Toy"), nbformat.v4.new_code_cell("1")]
    return nbformat.v4.new_notebook(cells=cells, metadata={"course": {"lesson": "99_toy"}})


def test_the_wheel_holds_code_weights_and_results_and_is_small(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.stat().st_size <= LARGEST
    tracked = [*ROOT.glob("vpcore/weights/*"), *ROOT.glob("course/results/*")]
    assert {str(path.relative_to(ROOT)) for path in tracked if path.is_file()} <= set(names)
    assert {
        "vpcore/__init__.py",
        "vpcore/py.typed",
        "course/handout/colab.py",
        "course/check/__init__.py",
        "course/widgets/scales.py",
    } <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert {top.split("-")[0] for top in tops} == {"vpcore", "course"}
    assert not [name for name in names if name.startswith(("course/lessons", "solutions"))]


def test_the_wheel_asks_for_what_pyproject_says(wheel):
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    assert "Requires-Dist: torch>=2.6" in text
    assert "Requires-Dist: ipywidgets>=7.7.1" in text


def test_only_what_is_missing_is_installed_and_the_rest_is_pinned(installed):
    pip = Pip()
    assert complete(run=pip) == ["jaxtyping>=0.3"]
    (command,) = pip.calls
    assert command[1:4] == ["-m", "pip", "install"]
    assert command[-1] == "jaxtyping>=0.3"
    assert "--upgrade" not in command
    assert pip.pins.splitlines() == [f"{name}==1.0" for name in KEPT]


def test_with_everything_there_pip_is_not_asked(installed):
    installed["jaxtyping"] = "0.3.11"
    pip = Pip()
    assert complete(run=pip) == []
    assert pip.calls == []


def test_a_changed_package_is_an_error_that_says_what_to_do(installed):
    def careless(command, **_):
        installed["ipywidgets"] = "8.1.9"
        return types.SimpleNamespace(returncode=0, stderr="")

    with pytest.raises(RuntimeError, match=r"ipywidgets 1\.0 is now 8\.1\.9: choose Runtime, Disconnect"):
        complete(run=careless)


def test_a_failing_pip_is_named(installed):
    with pytest.raises(RuntimeError, match=r"pip could not install jaxtyping>=0\.3: no such thing"):
        complete(run=Pip(returncode=1))


def test_the_first_cell_does_nothing_elsewhere_and_installs_the_wheel_in_colab(monkeypatch, tmp_path, capsys):
    path = tmp_path / "vpcore-0.1.0-py3-none-any.whl"
    code, calls = first_cell(str(path)), []
    assert len(code.splitlines()) <= 20
    monkeypatch.setattr("subprocess.run", lambda command, **options: calls.append((command, options)))
    monkeypatch.setattr(colab, "complete", lambda: calls.append("complete"))
    exec(code, {})
    assert calls == []
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    with pytest.raises(SystemExit, match=r"whl is not here. Open the folder on the left, upload that file, and run"):
        exec(code, {})
    assert calls == []
    path.touch()
    exec(code, {})
    (command, options), last = calls
    assert command[1:] == ["-m", "pip", "install", "--quiet", "--no-deps", str(path)]
    assert options == {"check": True}
    assert last == "complete"
    assert capsys.readouterr().out == f"device: {colab.device()}\n"
    exec(first_cell("https://some.where/vpcore.whl"), {})  # an address is left to pip
    assert len(calls) == 4


def test_a_gpu_is_named(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert colab.device() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    assert colab.device() == "cuda (Tesla T4)"


def test_without_a_repository_there_is_no_link(clone):
    assert repository(clone) == link("99_toy", clone) == ""
    notebook = prepare(lesson(), "some.whl", clone)
    assert "colab.research" not in str(notebook)
    assert [cell.get("id") for cell in notebook.cells][1] == "colab-install"


def test_with_a_repository_link_and_wheel_lead_there(clone, monkeypatch):
    (clone / "pyproject.toml").write_text(SET)
    assert link("99_toy", clone).endswith("/github/someone/prompts/blob/main/notebooks/99_toy.ipynb)")
    assert colab.wheel_address("x.whl", clone) == ("https://github.com/someone/prompts/releases/latest/download/x.whl")
    notebook = prepare(lesson(), root=clone)
    assert "[Open this lesson in Colab]" in notebook.cells[0].source
    assert "/someone/prompts/releases/latest/download/vpcore-1.2-py3-none-any.whl" in notebook.cells[1].source
    again = prepare(prepare(lesson(), root=clone), "mine.whl", clone)
    assert [cell.get("id") for cell in again.cells].count("colab-install") == 1
    assert again.cells[0] == notebook.cells[0] | {"id": again.cells[0]["id"]}


def test_the_builder_adds_them_to_learner_notebooks_only_when_a_repository_is_set(clone, monkeypatch):
    solved = solved_notebook(write(clone))
    assert "colab" not in str(learner_notebook(solved))
    (clone / "pyproject.toml").write_text(SET)
    monkeypatch.setattr(colab.prepare, "__defaults__", ("", clone))
    assert learner_notebook(solved).cells[1].id == "colab-install"


def test_the_name_of_the_wheel_is_known_before_it_is_built(wheel):
    assert wheel_name() == wheel.name


@pytest.mark.parametrize("name", ["prompts", "a/b/c", "https://github.com/a/b", "a b/c"])
def test_a_wrong_repository_is_refused(clone, name):
    (clone / "pyproject.toml").write_text(SET.replace("someone/prompts", name))
    with pytest.raises(ValueError, match="must be OWNER/NAME, got"):
        repository(clone)


def test_this_repository_is_not_set_and_no_committed_notebook_links_to_colab():
    assert repository() == ""
    assert not [path for path in ROOT.glob("*/*.ipynb") if "colab.research" in path.read_text(encoding="utf-8")]


def test_the_export_holds_wheel_and_notebooks(clone, monkeypatch, wheel):
    monkeypatch.setattr(colab, "build_wheel", lambda folder, root: wheel)
    written = export_colab(clone / "out", clone)
    assert written == [clone / "out" / "README.md", wheel, clone / "out" / "99_toy.ipynb"]
    assert f"the wheel `{wheel.name}`" in written[0].read_text()
    cell = nbformat.read(written[2], as_version=4).cells[1]
    assert cell.source == first_cell(wheel.name)
    with pytest.raises(ValueError, match="holds no lesson"):
        export_colab(clone / "out", clone / "out")


def test_a_build_that_fails_or_is_too_large_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="the wheel was not built: no such thing"):
        build_wheel(tmp_path, run=Pip(returncode=1))
    (tmp_path / "vpcore-0.1.0-py3-none-any.whl").write_bytes(b"12345")
    monkeypatch.setattr(colab, "LARGEST", 4)
    with pytest.raises(RuntimeError, match="at most 4 bytes, got 5"):
        build_wheel(tmp_path, run=Pip())
