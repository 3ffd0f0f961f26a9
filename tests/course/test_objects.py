"""Answers that take modules, optimizers or functions: judged from the sandbox as in a notebook, and never by trust."""

import re
from pathlib import Path

import pytest
from mutants.lessons import lessons
from mutants.run import lesson_suites, loader
from mutants.suite import Source
from sandboxed import needs_bubblewrap

from course.check import engine
from course.check.registry import find
from course.grading.judge import judge
from course.grading.plan import make_plan
from course.grading.sandbox import running

REPOSITORY = Path(__file__).resolve().parents[2]
NINE = {
    "00": ("00-freeze", "00-count"),
    "04": ("04-tokens", "04-optimizer"),
    "05": ("05-cached",),
    "07": ("07-randomize",),
    "08": ("08-learns", "08-frozen", "08-test-accuracy"),
}
pytestmark = needs_bubblewrap


def judged(number, sources, seconds=30.0):
    """Judge (exercise, source, name) of one lesson, each in a process of its own in one sandbox."""
    plan = make_plan(next((REPOSITORY / "course" / "lessons").glob(f"{number}_*.py")))
    tasks = {task.id: task for task in plan.tasks}
    jobs = []
    for place, (name, text, answer) in enumerate(sources):
        exercise = tasks[name].exercise
        assert exercise is not None
        forbids, methods = list(exercise.forbids), list(getattr(exercise, "methods", ()))
        jobs.append({"id": str(place), "cells": [text], "answer": answer, "place": 0, "seconds": seconds,
                     "forbids": forbids, "methods": methods})  # fmt: skip
    found = []
    with running({"preload": plan.preload, "cells": [], "lesson": list(plan.cells.values()), "tasks": jobs}) as sockets:
        for place, (name, _, _) in enumerate(sources):
            found.append(judge(find(name), tasks[name].prepared, sockets[str(place)], seconds))
            sockets[str(place)].close()
    return found


def suite_sources(number, names):
    suites = lesson_suites(number)
    answers = [(n, a) for n in names for a in (*(m.answer for m in suites[n].mutants), *suites[n].alternatives)]
    return [(name, answer) for name, answer in answers if isinstance(answer, Source)]


def heard(verdict):
    return verdict.outcome, re.sub(r"\d{9,}", "an id", verdict.sentence)


@pytest.mark.parametrize("number", NINE)
def test_wrong_and_right_answers_hear_in_the_sandbox_what_they_hear_in_a_notebook(number):
    load, answers = loader(lessons().get(number)), suite_sources(number, NINE[number])
    found = judged(number, [(name, answer.text, answer.name) for name, answer in answers], seconds=120.0)
    differ = []
    for (name, answer), got in zip(answers, found, strict=True):
        want = engine.judge(find(name), load(answer))
        if "course.exercises" in answer.text:  # hidden inside: nothing is earned, and an instructor looks
            assert (got.verdict.points, bool(got.doubt)) == (0, True), answer.text
        elif heard(want) != heard(got.verdict) or got.doubt:
            differ.append(f"notebook: {want}\ngrader:   {got.verdict} {got.doubt}\n{answer.text}")
    assert "\n\n".join(differ) == ""
    assert len(answers) >= 6


COUNTS = """
asked = []
def good_accuracy(measure):
    asked.append(measure)
    return len(asked) <= 2
"""
READS = """
def good_accuracy(measure):
    words = repr(measure) + repr(vars(measure)) if hasattr(measure, "__dict__") else repr(measure)
    words += repr(getattr(measure, "args", "")) + repr(getattr(measure, "func", ""))
    return "counted" in words or "joined" in words
"""
TRUE = "def good_accuracy(measure):\n    return True"
MEDDLES = """
import torch, gc
from course.grading.peer import Peer
def good_accuracy(measure):
    for peer in [thing for thing in gc.get_objects() if isinstance(thing, Peer)]:
        for number in range(50):
            try:
                peer.request({"do": "answer", "inputs": ()})
                peer.request({"do": "make", "inputs": (), "options": {}})
                peer.request({"do": "slopes", "call": number, "slopes": []})
            except Exception:
                pass
    return True
"""
HUGE = """
import torch
def good_accuracy(measure):
    measure([torch.zeros(200_000, 1)], [torch.zeros(200_000, 1)])
    return True
"""
FORGED = """
import torch
from torch import nn
def freeze(network):
    class Frozen(nn.Module):
        def parameters(self): return iter(())
        def modules(self): return iter(())
        def named_parameters(self, *a, **k): return iter(())
    return Frozen()
"""


def test_tests_that_never_test_and_objects_that_lie_earn_nothing():
    attacks = [("08-test-accuracy", text, "good_accuracy") for text in (COUNTS, READS, TRUE, MEDDLES, HUGE)]
    found = judged("08", attacks)
    assert [one.verdict.points for one in found] == [0] * 5
    assert "too large" in found[4].doubt
    assert [one.verdict.points for one in judged("00", [("00-freeze", FORGED, "freeze")])] == [0]
