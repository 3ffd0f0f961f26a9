"""The commands: a table and an exit status; every error is one line on stderr."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy_lesson import TOY, contents, copied, write

from course import cli
from course.authoring.build import build


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("toy")
    write(root)
    list(build(root=root))
    return root


@pytest.fixture
def call(capsys):
    def run(*arguments, root=None):
        status = cli.main([*arguments, *(["--root", str(root)] if root else [])])
        return status, *capsys.readouterr()

    return run


def edit(root: Path, old: str, new: str, folder: str = "solutions") -> None:
    path = root / folder / "99_toy.ipynb"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_run_prints_a_table_and_writes_nothing(built, call):
    before = contents(built)
    status, out, err = call("run", root=built)
    assert status == 0
    assert out.split() == ["lesson", "seconds", "checks", "result", "99_toy", out.split()[5], "1/1", "ok"]
    assert "99_toy: 100%" in err
    assert contents(built) == before


def test_run_unsolved_counts_no_pass_and_still_succeeds(built, call):
    status, out, _ = call("run", "--unsolved", "--lesson", "99", root=built)
    assert (status, out.split()[-2:]) == (0, ["0/1", "ok"])


def test_run_names_the_cell_that_raises(built, tmp_path, call):
    root = copied(built, tmp_path)
    edit(root, "number + number", "number + missing")
    status, out, err = call("run", root=root)
    assert (status, out.split()[-2:]) == (1, ["0/1", "FAILED"])
    last = err.strip().split("\n")[-1]
    assert last == ("error: lesson 99_toy, cell 3 (99-double-check) raised NameError: name 'missing' is not defined")
    assert "Traceback" not in err


def test_run_fails_when_a_solved_check_does_not_pass(built, tmp_path, call):
    root = copied(built, tmp_path)
    edit(root, "double(3) == 6", "double(3) == 7")
    status, _, err = call("run", root=root)
    assert status == 1
    assert "error: lesson 99_toy, cell 3 (99-double-check) must give ✓, got ○ 99-double: not attempted yet" in err


def test_build_says_what_it_did_and_check_finds_nothing(built, tmp_path, call):
    root = copied(built, tmp_path)
    status, out, _ = call("build", root=root)
    assert (status, out) == (0, "unchanged  solutions/99_toy.ipynb\nunchanged  notebooks/99_toy.ipynb\n")
    assert call("build", "--check", root=root) == (0, "", "")
    assert call("check", "99", root=root) == (0, "all lessons are current\n", "")


def test_check_fails_with_one_line_a_finding(built, tmp_path, call):
    root = copied(built, tmp_path)
    edit(root, "# your code here", "# my code", folder="notebooks")
    for command in (["build", "--check"], ["check"]):
        status, out, err = call(*command, root=root)
        assert (status, out) == (1, "")
        assert err.startswith("error: notebooks/99_toy.ipynb, cell 2 (99-double) was edited by hand or is stale")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: Missing command."),
        (["bogus"], "error: No such command 'bogus'"),
        (["run", "--bogus"], "error: No such option: --bogus"),
        (["build", "55"], "error: no lesson '55'; lessons: 99_toy"),
        (["run", "--lesson", "7"], "error: no lesson '7' in solutions/; lessons: 99_toy"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(built, call, arguments, message):
    status, out, err = call(*arguments, root=built if arguments[:1] in (["build"], ["run"]) else None)
    assert (status, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_a_broken_lesson_is_one_line_and_status_2(tmp_path, call):
    write(tmp_path, TOY.replace("    ### END SOLUTION\n", ""))
    status, _, err = call("build", root=tmp_path)
    assert status == 2
    assert err == (
        "error: lesson 99_toy, cell 2 (99-double): the SOLUTION region is not closed; add '### END SOLUTION'\n"
    )


def test_without_lessons_run_says_what_to_do(tmp_path, call):
    status, _, err = call("run", root=tmp_path)
    assert (status, err) == (
        2,
        "error: solutions/ holds no lesson; in a clone of the course, run: python -m course build\n",
    )


@pytest.fixture
def started(monkeypatch):
    """The commands and environments of the programs that were started, in place of starting them."""
    found = []

    def start(command, env):
        found.append((command, env))
        return contextlib.nullcontext(SimpleNamespace(wait=lambda: 0))

    monkeypatch.setattr(cli.subprocess, "Popen", start)
    return found


@pytest.mark.parametrize(("user", "as_root"), [(1000, []), (0, ["--allow-root"])])
def test_lab_opens_the_first_notebook(built, call, monkeypatch, started, user, as_root):
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert call("lab", "--no-browser", root=built)[0] == 0
    ((program, *command), environment) = started[0]
    assert program == sys.executable
    assert command == ["-m", "jupyterlab", str(built / "notebooks" / "99_toy.ipynb"), *as_root, "--no-browser"]
    assert environment["VPCOURSE_PROFILE"] == os.environ.get("VPCOURSE_PROFILE", "quick")


def test_lab_opens_the_lesson_that_is_named(built, call, started):
    assert call("lab", "99", "--port", "8890", root=built)[0] == 0
    command, _ = started[0]
    assert command[3] == str(built / "notebooks" / "99_toy.ipynb")
    assert command[-2:] == ["--port", "8890"]
    assert call("lab", "3", root=built) == (2, "", "error: no lesson '3' in notebooks/; lessons: 99_toy\n")


def test_run_takes_lessons_without_an_option_too(built, call):
    status, out, _ = call("run", "99", "--unsolved", root=built)
    assert (status, out.split()[-2:]) == (0, ["0/1", "ok"])
    assert call("run", "9", root=built)[2] == "error: no lesson '9' in solutions/; lessons: 99_toy\n"
    assert call("check", "9", root=built)[2] == "error: no lesson '9'; lessons: 99_toy\n"
    assert call("run", "--lessons", "9")[2].endswith("See: python -m course run --help\n")


def test_progress_prints_the_table(call, monkeypatch):
    from course.check import progress

    monkeypatch.setattr(progress, "table", lambda: "the table")
    assert call("progress") == (0, "the table\n", "")


def test_a_python_without_the_packages_says_what_to_run():
    command = [sys.executable, "-S", "-m", "course", "run"]  # -S: no installed package is seen
    done = subprocess.run(command, cwd=cli.ROOT, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"error: the course is not installed for .*: run the first command of .*\n", done.stderr)
