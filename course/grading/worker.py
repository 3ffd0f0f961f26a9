"""Grades one submission: reads it, lets the sandbox answer, and collects the marks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course.check.verdict import Verdict
from course.grading.judge import Judged, judge
from course.grading.marks import BY_HAND, Item, Mark
from course.grading.patience import START_SECONDS
from course.grading.plan import Plan, Task
from course.grading.remote import NotStarted
from course.grading.sandbox import BUBBLEWRAP, running
from course.grading.submission import (
    BadSubmission,
    Submission,
    answer_place,
    answer_source,
    file_name,
    learner_of,
    read_submission,
    says_passed,
)
from course.grading.wire import Unsendable

SECONDS = 30.0  # an exercise whose code takes longer earns nothing
LATER_SECONDS = 120.0  # beyond that, until the sandbox has cleared away an exercise and comes to the next one
HAND_MODE = "bubblewrap does not work on the grader's machine, so no code was run; graded by your instructor"
HAND_KIND = "no check in the sandbox for an answer of this kind; graded by your instructor"
DOUBT = "graded by your instructor: {doubt}"
SHOWN = "your notebook shows ✓, and the check here says: {sentence}"
MISSING = "{file}: no cell gives the answer of {id}; 0 points for it"
COPIES = "{file}: cells {numbers} give the answer of {id}; the last one above its check was graded"


@dataclass(frozen=True)
class Opened:
    """A submission that was read, with its lesson; or why it could not be, or that another lesson of the course is
    its lesson."""

    file: str
    submission: Submission | None
    plan: Plan | None
    problem: str = ""
    other: bool = False

    @property
    def key(self) -> str:
        """What identifies the outcome: file, content and lesson."""
        parts = (self.file, self.submission.digest if self.submission else self.problem)
        return "|".join([*parts, self.plan.digest if self.plan else ""])


def open_submission(path: Path, folder: Path, plans: dict[str, Plan], course: Collection[str] = ()) -> Opened:
    """Read a submission and find its lesson, in plans or among all of a course; never raises for a bad file."""
    file = file_name(path, folder)
    try:
        submission = read_submission(path, folder)
    except BadSubmission as error:
        return Opened(file, None, None, f"{error}; grade 0")
    except Exception as error:  # whatever a file makes json or a disk raise: it costs only itself
        return Opened(file, None, None, f"{file}: cannot be read ({type(error).__name__}); grade 0")
    names = (submission.lesson, path.stem)
    plan = next((plans[name] for name in names if name in plans), None)
    other = plan is None and not set(names).isdisjoint(course)
    if plan is None and not other and len(plans) == 1:
        plan = next(iter(plans.values()))
    if plan is None:
        known = ", ".join(plans)
        said = submission.lesson[:60]
        problem = f"{file}: is of lesson {said!r}, and the lessons are {known}; name one with --lesson; grade 0"
        return Opened(file, submission, None, problem, other)
    return Opened(file, submission, plan)


def grade_one(opened: Opened, mode: str, seconds: float = SECONDS, kept: Mark | None = None) -> Mark:
    """Grade an opened submission; items in `kept`, and what an earlier mark says about them, stay as they are.

    Raises:
        NotStarted: the sandbox did not start; nothing is known about the submission.
    """
    submission, plan = opened.submission, opened.plan
    if submission is None or plan is None:
        return Mark(opened.file, learner_of(opened.file), "", opened.key, mode, (), opened.problem)
    old = {item.id: item for item in kept.items} if kept else {}
    again = replace(plan, tasks=tuple(task for task in plan.tasks if task.id not in old))
    judged = judge_all(submission, again, seconds) if mode == BUBBLEWRAP else _nothing_run(again)
    items = tuple(old.get(task.id) or _item(submission, task, judged.get(task.id)) for task in plan.tasks)
    said = kept.problem.split("\n") if kept else []
    problems = [line for name in old for line in said if f" the answer of {name};" in line]
    problems += [line for task in again.tasks for line in _problems(submission, task, judged.get(task.id))]
    name = learner_of(submission.file)
    return Mark(submission.file, name, plan.lesson, opened.key, mode, items, "\n".join(problems))


def _nothing_run(plan: Plan) -> dict[str, Judged]:
    return {task.id: Judged(Verdict(task.id, "error", ""), HAND_MODE) for task in plan.tasks if task.automatic}


def judge_all(submission: Submission, plan: Plan, seconds: float = SECONDS) -> dict[str, Judged]:
    """Judge every exercise of code in one sandbox, by id.

    Raises:
        NotStarted: the sandbox did not start; nothing is known about the submission.
    """
    judged: dict[str, Judged] = {}
    jobs = [_job(submission, task, seconds) for task in plan.tasks if task.automatic]
    if not jobs:
        return judged
    cells = [cell["source"] if cell["type"] == "code" else None for cell in submission.cells]
    job = {"preload": plan.preload, "cells": cells, "lesson": list(plan.cells.values()), "tasks": jobs}
    stopped = ""
    with running(job) as sockets:
        for task in plan.tasks:
            if not task.automatic:
                continue
            assert task.exercise is not None
            start = seconds + LATER_SECONDS if judged else START_SECONDS
            try:
                if stopped:
                    raise NotStarted(stopped)
                judged[task.id] = judge(task.exercise, task.prepared, sockets[task.id], seconds, start, sockets.used)
            except Unsendable as error:
                judged[task.id] = Judged(Verdict(task.id, "error", ""), str(error))
            except NotStarted as error:
                if not judged:
                    raise
                stopped = str(error)
                sentence = f"an earlier exercise ended the whole process ({error})"
                judged[task.id] = Judged(Verdict(task.id, "error", sentence))
            sockets[task.id].close()
    return judged


def _item(submission: Submission, task: Task, judged: Judged | None) -> Item:
    source = answer_source(submission, task)[:5000]
    if judged is None:
        sentence = BY_HAND if task.exercise is None else HAND_KIND
        return Item(task.id, "hand", sentence, 0.0, task.points, source, automatic=False, title=task.title)
    verdict, doubt = judged.verdict, judged.doubt
    if not verdict.passed and not doubt and says_passed(submission, task):
        doubt = SHOWN.format(sentence=verdict.sentence)
    text = "" if verdict.outcome in ("passed", "unattempted") and not doubt else judged.text or source
    outcome, sentence = ("hand", DOUBT.format(doubt=doubt)) if doubt else (verdict.outcome, verdict.sentence)
    points = task.points if verdict.passed and not doubt else 0.0
    return Item(task.id, outcome, sentence, points, task.points, text, title=task.title)


def _problems(submission: Submission, task: Task, judged: Judged | None) -> list[str]:
    if judged and judged.verdict.finding and judged.verdict.finding.stage == "missing":
        return [MISSING.format(file=submission.file, id=task.id)]
    if judged and judged.copies:
        numbers = " and ".join(map(str, judged.copies))
        return [COPIES.format(file=submission.file, id=task.id, numbers=numbers)]
    return []


def _job(submission: Submission, task: Task, seconds: float) -> dict[str, Any]:
    assert task.exercise is not None
    spec = {"id": task.id, "answer": task.answer, "place": answer_place(submission, task), "seconds": seconds}
    methods = list(getattr(task.exercise, "methods", ()))
    return {**spec, "forbids": list(task.exercise.forbids), "methods": methods}
