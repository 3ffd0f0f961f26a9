"""Grades one submission: reads it, lets the sandbox answer, and collects the marks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.check.verdict import Finding, Verdict
from course.grading.judge import KINDS, judge
from course.grading.marks import BY_HAND, Item, Mark
from course.grading.plan import Plan, Task
from course.grading.remote import NotStarted
from course.grading.sandbox import running
from course.grading.submission import (
    BadSubmission,
    Submission,
    answer_source,
    cells_before,
    learner_of,
    read_submission,
)
from course.grading.wire import Unsendable

SECONDS = 30.0  # an exercise whose code takes longer earns nothing
HAND_KIND = "this answer could not be checked in the sandbox; graded by your instructor"


@dataclass(frozen=True)
class Opened:
    """A submission that was read, with its lesson; or why it could not be."""

    file: str
    submission: Submission | None
    plan: Plan | None
    problem: str = ""

    @property
    def key(self) -> str:
        """What identifies the outcome: file, content and lesson."""
        parts = (self.file, self.submission.digest if self.submission else self.problem)
        return "|".join([*parts, self.plan.digest if self.plan else ""])


def open_submission(path: Path, folder: Path, plans: dict[str, Plan]) -> Opened:
    """Read a submission and find its lesson; never raises for a bad file."""
    file = str(path.relative_to(folder))
    try:
        submission = read_submission(path, folder)
    except BadSubmission as error:
        return Opened(file, None, None, f"{error}; grade 0")
    plan = plans.get(submission.lesson) or plans.get(path.stem) or (None if len(plans) > 1 else _only(plans))
    if plan is None:
        known = ", ".join(plans)
        said = submission.lesson[:60]
        problem = f"{file}: is of lesson {said!r}, and the lessons are {known}; name one with --lesson; grade 0"
        return Opened(file, submission, None, problem)
    return Opened(file, submission, plan)


def grade_one(opened: Opened, mode: str, seconds: float = SECONDS) -> Mark:
    """Grade an opened submission.

    Raises:
        NotStarted: the sandbox did not start; nothing is known about the submission.
    """
    submission, plan = opened.submission, opened.plan
    if submission is None or plan is None:
        return Mark(opened.file, learner_of(opened.file), "", opened.key, mode, (), opened.problem)
    jobs: list[dict[str, Any]] = []
    items: dict[str, Item] = {}
    problems: list[str] = []
    for task in plan.tasks:
        try:
            job = _job(submission, task, plan, seconds)
        except BadSubmission as error:
            problems.append(str(error))
            items[task.id] = Item(task.id, "error", str(error), 0.0, task.points)
            continue
        if job is None:
            items[task.id] = _by_hand(submission, task)
        else:
            jobs.append(job)
    items |= _run(jobs, plan, mode, seconds)
    ordered = tuple(items[task.id] for task in plan.tasks)
    name = learner_of(submission.file)
    return Mark(submission.file, name, plan.lesson, opened.key, mode, ordered, "\n".join(dict.fromkeys(problems)))


def _run(jobs: list[dict[str, Any]], plan: Plan, mode: str, seconds: float) -> dict[str, Item]:
    tasks = {task.id: task for task in plan.tasks}
    items: dict[str, Item] = {}
    if not jobs:
        return items
    with running({"preload": list(plan.preload), "tasks": jobs}, mode) as sockets:
        for job in jobs:
            task = tasks[job["id"]]
            assert task.exercise is not None
            try:
                verdict = judge(task.exercise, task.prepared, sockets[task.id], seconds)
            except Unsendable:
                verdict = Verdict(task.id, "error", "", finding=Finding("internal", HAND_KIND))
            except NotStarted as error:
                if not items:
                    raise
                verdict = Verdict(task.id, "error", f"an earlier exercise ended the whole process ({error})")
            sockets[task.id].close()
            items[task.id] = _item(task, verdict, job["cells"][-1][1])
    return items


def _item(task: Task, verdict: Verdict, source: str) -> Item:
    if verdict.finding and verdict.finding.stage == "internal":
        return Item(task.id, "hand", f"{HAND_KIND}. {verdict.sentence}".rstrip(), 0.0, task.points, source[:5000])
    points = task.points if verdict.passed else 0.0
    return Item(task.id, verdict.outcome, verdict.sentence, points, task.points)


def _job(submission: Submission, task: Task, plan: Plan, seconds: float) -> dict[str, Any] | None:
    source = answer_source(submission, task)
    if not isinstance(task.exercise, KINDS):
        return None
    cells = [*cells_before(submission, task, plan), (task.id, source)]
    forbids = list(task.exercise.forbids)
    methods = list(getattr(task.exercise, "methods", ()))
    spec = {"id": task.id, "cells": cells, "answer": task.answer, "forbids": forbids, "methods": methods}
    return {**spec, "seconds": seconds}


def _by_hand(submission: Submission, task: Task) -> Item:
    sentence = BY_HAND if task.exercise is None else HAND_KIND
    return Item(task.id, "hand", sentence, 0.0, task.points, answer_source(submission, task)[:5000])


def _only(plans: dict[str, Plan]) -> Plan | None:
    return next(iter(plans.values()), None)
