"""A busy machine costs an honest learner no points, and code that loops or sleeps gains no time."""

import os
import subprocess
import sys
import time

import pytest
from graded_lesson import lesson
from sandboxed import needs_bubblewrap

from course import check
from course.grading import patience
from course.grading.judge import judge
from course.grading.patience import PATIENCE, Limit, processor_seconds
from course.grading.sandbox import running


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    return now


def test_waiting_for_a_processor_moves_the_end_and_using_one_does_not(clock, monkeypatch):
    used, busy = [7.0], [True]
    monkeypatch.setattr(patience, "is_busy", lambda: busy[0])
    limit = Limit(30.0, lambda: used[0])
    assert limit.left() == 30
    clock[0], used[0] = 131.0, 17.0  # ten seconds of its own
    assert limit.left() == 20
    clock[0], used[0] = 152.0, 38.0  # 31 seconds of its own
    assert limit.left() < 0
    used[0] = 7.0
    clock[0] = 100 + 30 * PATIENCE + 1
    assert limit.left() < 0
    sleeper = Limit(30.0, lambda: used[0])
    busy[0] = False
    clock[0] += 31
    assert sleeper.left() < 0


def test_a_limit_that_knows_of_no_processor_time_is_one_by_the_clock(clock, monkeypatch):
    monkeypatch.setattr(patience, "is_busy", lambda: True)
    limit = Limit(30.0)
    clock[0] = 130.5
    assert limit.left() < 0


def test_processor_time_counts_children_and_no_others():
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'x = sum(range(10**7))'])\ninput()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    end = time.monotonic() + 60
    while processor_seconds(child.pid) < 0.05 and time.monotonic() < end:
        time.sleep(0.05)
    assert 0.05 <= processor_seconds(child.pid) <= processor_seconds(os.getpid())
    child.communicate(b"\n")
    assert processor_seconds(child.pid) == 0


@needs_bubblewrap
@pytest.mark.parametrize("busy", [True, False])
def test_a_right_answer_that_waits_passes_where_the_machine_is_busy(busy, tmp_path, monkeypatch):
    lesson(tmp_path)
    monkeypatch.setattr(patience, "is_busy", lambda: busy)
    exercise = check.find("99-sum")
    task = {"id": "99-sum", "answer": "slow", "place": 0, "seconds": 6.0, "forbids": (), "methods": ()}
    task["cells"] = ["import time\ndef slow(numbers):\n    time.sleep(4)\n    return sum(numbers)"]  # twice: two cases
    with running({"preload": [], "cells": [], "lesson": [], "tasks": [task]}) as sockets:
        found = judge(exercise, exercise.prepare(), sockets["99-sum"], 6.0, used=sockets.used).verdict
    assert found.passed == busy
    assert busy or "ran longer than 6 s" in found.sentence
