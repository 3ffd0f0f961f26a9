"""Progress survives restarts, kills, damage and read-only folders, and is never written by tests or builds."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_exercises

from course import check
from course.check import progress, registry
from course.check.verdict import Verdict

PASSED = Verdict("99-count", "passed", "passed (1 point)", 1)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VPCOURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(progress, "switched_off", lambda: False)
    monkeypatch.setattr(progress, "_notice", [])
    return tmp_path / "home"


def test_a_passed_check_is_written_and_read_again(home):
    check.register(toy_exercises.COUNT)
    check("99-count", 5)
    assert not home.exists()
    check("99-count", 243)
    assert progress.load() == {"99-count": {"outcome": "passed", "points": 1}}
    check("99-count", 5)  # once passed stays passed
    assert "99-count" in progress.load()
    assert [file.name for file in home.iterdir()] == ["progress.json"]


def test_table_counts_lesson_by_lesson(home):
    progress.record(PASSED)
    lines = progress.table().splitlines()
    assert lines[0] == "lesson  passed  points"
    assert any(line.startswith("99      1/1     1/1") for line in lines)
    assert f"kept in {home / 'progress.json'}" in lines


def test_the_table_says_when_nothing_is_recorded(home, monkeypatch):
    assert "nothing is recorded now" not in progress.table()
    monkeypatch.setenv("VPCOURSE_PROGRESS", "off")
    assert "nothing is recorded now: the environment variable VPCOURSE_PROGRESS is off" in progress.table()


def test_a_broken_lesson_leaves_the_others_readable(home, monkeypatch):
    def fail(number):
        raise ImportError("no module named x")

    monkeypatch.setattr(registry, "lesson_numbers", lambda: ["98"])
    monkeypatch.setattr(registry, "lesson_exercises", fail)
    progress.record(PASSED)
    lines = progress.table().splitlines()
    assert "lesson 98 is left out, its exercises cannot be read (no module named x)" in lines
    assert any(line.startswith("99 ") for line in lines)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"exercises": 3}', '{"exercises": {"a": 1}}', "\udcff"])
def test_a_damaged_file_is_set_aside(home, damage):
    home.mkdir()
    (home / "progress.json").write_bytes(damage.encode("utf-8", "surrogateescape"))
    progress.record(PASSED)
    assert progress.load() == {"99-count": {"outcome": "passed", "points": 1}}
    assert (home / "progress.damaged-1.json").exists()
    assert "the progress file was damaged: it is kept as progress.damaged-1.json" in progress.table()


def test_a_second_damaged_file_does_not_replace_the_first(home):
    home.mkdir()
    for text in ("one", "two"):
        (home / "progress.json").write_text(text)
        progress.load()
    assert sorted(file.read_text() for file in home.glob("progress.damaged-*.json")) == ["one", "two"]


def test_a_folder_that_cannot_be_written_is_reported_not_raised(home):
    home.write_text("a file, where the folder should be")
    check.register(toy_exercises.COUNT)
    assert check("99-count", 243).passed
    assert "progress cannot be" in progress.table()


def test_a_failed_replace_keeps_the_last_good_file(home, monkeypatch):
    progress.record(PASSED)

    def fail(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress.os, "replace", fail)
    progress.record(Verdict("99-other", "passed", "", 2))
    assert list(progress.load()) == ["99-count"]
    assert [file.name for file in home.iterdir()] == ["progress.json"]
    assert "No space left on device" in progress.table()


def test_nothing_is_written_in_a_test_run_or_on_request(tmp_path, monkeypatch):
    monkeypatch.setenv("VPCOURSE_HOME", str(tmp_path / "home"))
    progress.record(PASSED)
    assert not (tmp_path / "home").exists()
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.setenv("VPCOURSE_PROGRESS", "OFF")
    progress.record(PASSED)
    assert not (tmp_path / "home").exists()
    monkeypatch.delenv("VPCOURSE_PROGRESS")
    progress.record(PASSED)
    assert (tmp_path / "home" / "progress.json").exists()


@pytest.mark.parametrize(
    ("platform", "variables", "ends"),
    [
        ("linux", {"XDG_DATA_HOME": "/x"}, "/x/vpcourse"),
        ("linux", {"HOME": "/h"}, "/h/.local/share/vpcourse"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/vpcourse"),
        ("win32", {"LOCALAPPDATA": "/w"}, "/w/vpcourse"),
    ],
)
def test_the_folder_is_the_platforms_own(monkeypatch, platform, variables, ends):
    for name in ("VPCOURSE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(progress.sys, "platform", platform)
    assert progress.folder().as_posix() == ends


WRITER = """
from course.check import progress
from course.check.verdict import Verdict
number = 0
while True:
    progress.record(Verdict(f"99-{number:04}", "passed", "", 1))
    print(number, flush=True)
    number += 1
"""


def test_a_kill_in_the_middle_loses_nothing_written_before(tmp_path):
    variables = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    variables |= {"VPCOURSE_HOME": str(tmp_path), "PYTHONPATH": str(Path(progress.__file__).parents[2])}
    writer = subprocess.Popen([sys.executable, "-c", WRITER], env=variables, stdout=subprocess.PIPE, text=True)
    time.sleep(0.1)
    seen = [next(iter(writer.stdout)) for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    stored = json.loads((tmp_path / "progress.json").read_text())["exercises"]
    assert len(seen) == 20
    assert set(stored) >= {f"99-{number:04}" for number in range(20)}
