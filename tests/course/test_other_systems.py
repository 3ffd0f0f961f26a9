"""The course on Windows and macOS, played on Linux by taking away what they lack."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from other_systems import ROOT, SYSTEMS, played

from course.authoring.execute import execute
from course.authoring.notebook_file import read_notebook
from course.authoring.notebook_rules import verdict_problems
from course.check import lesson_exercises
from vpcore.experiments.runs.runlog import read_runs

POSIX = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "posix"}
SOURCES = [*(ROOT / "vpcore").rglob("*.py"), *(ROOT / "course").rglob("*.py")]
FOLDERS = {"Windows": "vpcourse", "macOS": "Library/Application Support/vpcourse"}
GRID = ["--data", "digits", "--width", "2", "--limit", "40", "--epochs", "1", "--lr", "1e-2", "--batch-size", "20"]
REFUSED = "error: marking needs Linux, whose sandbox runs the learners' code: use WSL2, a container, or nbgrader\n"


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "VPCOURSE_HOME": str(tmp_path / "home"), "VPCOURSE_PROGRESS": "on"}


def posix_imports(text):
    return [name for node in ast.parse(text).body for name in imported(node) if name in POSIX]


def imported(node):
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) else []


def test_no_module_imports_what_only_posix_has():
    found = {str(path.relative_to(ROOT)): posix_imports(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {name: names for name, names in found.items() if names} == {}
    assert posix_imports("import os, resource\ndef f():\n    import fcntl\nfrom pwd import x") == ["resource", "pwd"]


def test_every_file_is_opened_in_utf8(tmp_path):
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--preview", "--select", "PLW1514"]
    done = subprocess.run([*ruff, "vpcore", "course", ".ci"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    (tmp_path / "x.py").write_text("print(open('x').read())\n", encoding="utf-8")
    assert subprocess.run([*ruff, tmp_path], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_grade_refuses_in_one_sentence(system, environment, tmp_path):
    code = f"from course.cli import main\nraise SystemExit(main(['grade', '.', '--out', {str(tmp_path / 'x.csv')!r}]))"
    done = played(system, code, environment, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", REFUSED)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_solved_lesson_runs_passes_its_checks_and_keeps_progress_at_home(system, tmp_path):
    home = f"os.environ |= {{'VPCOURSE_PROGRESS': 'on', 'HOME': {str(tmp_path)!r}, 'LOCALAPPDATA': {str(tmp_path)!r}}}"
    played_by = f"{SYSTEMS[system]}\n{home}\nos.environ.pop('VPCOURSE_HOME', None)"
    notebook = read_notebook(ROOT / "solutions" / "00_start_here.ipynb")
    notebook.cells.insert(0, nbformat.v4.new_code_cell(played_by))
    notebook.cells.append(nbformat.v4.new_code_cell("import sys; print(sys.platform)"))
    execute("lesson 00", notebook, tmp_path)
    assert verdict_problems("lesson 00", notebook, "✓") == []
    assert notebook.cells[-1].outputs[0].text == {"Windows": "win32\n", "macOS": "darwin\n"}[system]
    kept = json.loads((tmp_path / FOLDERS[system] / "progress.json").read_text(encoding="utf-8"))["exercises"]
    assert {name: entry["outcome"] for name, entry in kept.items()} == dict.fromkeys(lesson_exercises("00"), "passed")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_grid_runs_and_goes_on_where_it_stopped(system, environment, tmp_path):
    out = tmp_path / "a δ folder" / "results.jsonl"
    out.parent.mkdir()
    for seeds, new in ((1, 2), (3, 4)):
        words = [*GRID, "--seeds", str(seeds), "--out", str(out)]
        run = "runpy.run_module('vpcore.grid', run_name='__main__')"
        code = f"import runpy, sys; sys.argv[:] = ['grid', *{words!r}]; {run}"
        before = len(read_runs(out)) if out.exists() else 0
        done = played(system, code, environment, tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        assert "multiscale" in done.stdout
        assert len(read_runs(out)) - before == new
    runs = read_runs(out)
    assert len({run["key"] for run in runs}) == 6
    assert b"\r" not in out.read_bytes()


@pytest.mark.parametrize("system", SYSTEMS)
def test_lab_waits_for_jupyterlab_and_passes_its_status_on(system, environment, tmp_path):
    fake = tmp_path / "a folder" / "jupyterlab.py"
    fake.parent.mkdir()
    fake.write_text("import sys; print(sys.argv[1:], flush=True); sys.exit(7)", encoding="utf-8")
    code = "import subprocess; from course.cli import main; raise SystemExit(main(['lab', '03', '--port', '88']))"
    code = f"import course.cli as cli; cli.LAB = [{str(fake)!r}]\n{code}"
    done = played(system, code, environment, tmp_path)
    assert done.returncode == 7, done.stderr
    assert "03_instance_image_prompts.ipynb" in done.stdout
    assert "'--port', '88'" in done.stdout


def test_output_is_utf8_whatever_the_code_page():
    code = "import sys; sys.argv = ['vpcourse', 'run', 'δ']; from course.__main__ import start; sys.exit(start())"
    page = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=page, capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.decode("utf-8").startswith("error: no lesson 'δ' in solutions/")


@pytest.mark.parametrize("door", ["grid", "cost", "pretrain"])
def test_the_doors_of_the_library_speak_utf8_too(door):
    page = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", f"vpcore.{door}", "--δ"], env=page, capture_output=True, check=False)
    assert "δ" in done.stderr.decode("utf-8")


def test_files_have_the_same_bytes_on_every_system():
    names = ["notebooks/00_start_here.ipynb", "course/cli.py", "vpcore/weights/x.safetensors", "a.png", ".ci/run"]
    command = ["git", "check-attr", "eol", "binary", "--", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    said = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines())
    assert [said[f"{name}: eol"] for name in (names[0], names[1], names[4])] == ["lf"] * 3
    assert [said[f"{name}: binary"] for name in names[2:4]] == ["set", "set"]


def test_the_mps_device_is_refused_in_a_sentence():
    from vpcore.device import choose_device

    with pytest.raises(ValueError, match=r"runs on the CPU and on CUDA, got mps: .* give device='cpu'"):
        choose_device("mps")
    assert Path(ROOT, ".gitattributes").is_file()
