"""Grades a folder of submissions into a table and a page for each learner; a killed run continues where it was."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from course.authoring.lesson_names import ROOT, lesson_paths
from course.authoring.notebook_file import write_text
from course.grading import changes
from course.grading.marks import Ledger, Mark, page, page_path
from course.grading.outputs import Inputs, read_inputs, write_tables
from course.grading.plan import Plan, make_plan
from course.grading.remote import NotStarted
from course.grading.sandbox import BUBBLEWRAP, isolation
from course.grading.submission import find_files, learner_of, some
from course.grading.worker import SECONDS, Opened, grade_one, open_submission

ALL = "all"


@dataclass(frozen=True)
class Graded:
    """What a run did.

    Attributes:
        marks: of all submissions, in the order of their files.
        new: how many were graded in this run; the others were found in the ledger.
        isolation: how learner code was kept away from everything else, in words.
        feedback: the folder of pages.
        notes: what the instructor should know, a line each.
        files: tables and pages for the instructor that were written.
        changes: what differs from earlier marks of the same files.
    """

    marks: list[Mark]
    new: int
    isolation: str
    feedback: Path
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    changes: tuple[changes.Change, ...] = ()


def grade(
    folder: Path,
    out: Path,
    *,
    lessons: tuple[str, ...] = (),
    root: Path = ROOT,
    workers: int = 2,
    seconds: float = SECONDS,
    mode: str = "",
    on_mark: Callable[[Mark], object] = lambda _: None,
    on_start: Callable[[int], object] = lambda _: None,
    regrade: tuple[str, ...] = (),
    inputs: Inputs | None = None,
) -> Graded:
    """Grade every notebook below a folder.

    Each finished submission is written to a ledger beside the table at once (grades.csv has grades.jsonl), so a run
    that was killed continues there. The table is written at the end, aside and renamed. A file that changed, or whose
    lesson, checks, grader, library or their versions changed, is graded again.

    Args:
        folder: of submissions: NAME.ipynb, or NAME/.../LESSON.ipynb, or as Canvas and Moodle name them.
        out: the table.
        lessons: lessons to expect, by the start of their name; all when empty.
        root: holds course/lessons.
        workers: submissions at the same time.
        seconds: time limit of each exercise.
        mode: BUBBLEWRAP or NONE of course.grading.sandbox; what works here when empty.
        on_mark: called with each new mark.
        on_start: called once with the number of files that will be graded.
        regrade: exercises to grade again in every file, the others keep their marks; ALL grades everything again.
        inputs: class list, late policy and marks by hand.

    Raises:
        ValueError: there is no submission, no such lesson or exercise, the lesson cannot be graded, or a file of the
            instructor's is wrong.
        OSError: table, ledger or pages cannot be written, or another run writes them.
    """
    if out.suffix == ".jsonl":
        raise ValueError(f"--out must name the table, got {out.name}, the name of its ledger: end it with .csv")
    paths, plans, given = find_files(folder), _plans(root, lessons), read_inputs(inputs)
    _check_regrade(regrade, plans)
    mode = mode or isolation()
    course = {path.stem for path in lesson_paths(root)}
    read = [open_submission(path, folder, plans, course) for path in paths]
    opened, others = [one for one in read if not one.other], [one.file for one in read if one.other]
    pages = out.with_name(f"{out.stem}_feedback")
    ledger = Ledger(out.with_suffix(".jsonl"))
    before = dict(ledger.before)
    try:
        waiting = [one for one in opened if _must_run(ledger.marks.get(one.key), mode, regrade)]
        on_start(len(waiting))
        kept = {one.file: _kept(one, before.get(one.file), mode, regrade) for one in waiting}
        failed = _grade_all(waiting, kept, mode, workers, seconds, ledger, pages, on_mark)
    finally:
        ledger.close()
    marks = [failed.get(one.file) or ledger.marks[one.key] for one in opened]
    changed = tuple(changes.changes(before, marks))
    marks, notes, files = write_tables(marks, folder, out, plans, given, changed)
    if others:
        notes.append(f"files of other lessons were skipped, {some(others)}: name their lessons with --lesson, too")
    return Graded(marks, len(waiting), mode, pages, tuple(notes), tuple(files), changed)


def _must_run(before: Mark | None, mode: str, regrade: tuple[str, ...]) -> bool:
    if before is None or ALL in regrade or _was_not_run(before, mode):
        return True
    return bool({item.id for item in before.items} & set(regrade))


def _was_not_run(before: Mark, mode: str) -> bool:
    """Say whether bubblewrap works now, and did not when a mark was made."""
    return mode == BUBBLEWRAP != before.isolation


def _kept(opened: Opened, before: Mark | None, mode: str, regrade: tuple[str, ...]) -> Mark | None:
    """Return an earlier mark of the same bytes with the items that stay: where exercises are named, all others."""
    if not regrade or ALL in regrade or before is None or opened.submission is None or _was_not_run(before, mode):
        return None
    same = before.content == opened.submission.digest and opened.plan and before.lesson == opened.plan.lesson
    return replace(before, items=tuple(item for item in before.items if item.id not in regrade)) if same else None


def _check_regrade(regrade: tuple[str, ...], plans: dict[str, Plan]) -> None:
    known = [task.id for plan in plans.values() for task in plan.tasks]
    strange = next((name for name in regrade if name not in (ALL, *known)), None)
    if strange is not None:
        raise ValueError(f"--regrade takes {ALL} or an exercise of these lessons, got {strange!r}: such as {known[0]}")


def _grade_all(
    waiting: list[Opened],
    kept: dict[str, Mark | None],
    mode: str,
    workers: int,
    seconds: float,
    ledger: Ledger,
    pages: Path,
    on_mark: Callable[[Mark], object],
) -> dict[str, Mark]:
    failed: dict[str, Mark] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        futures = {pool.submit(grade_one, one, mode, seconds, kept[one.file]): one for one in waiting}
        try:
            for future in as_completed(futures):
                one = futures[future]
                try:
                    mark = future.result()
                except Exception as error:  # not written down: the next run tries again
                    lesson = one.plan.lesson if one.plan else ""
                    said = str(error) if isinstance(error, NotStarted) else f"not graded ({type(error).__name__})"
                    problem = f"{one.file}: {said}"
                    mark = Mark(one.file, learner_of(one.file), lesson, one.key, mode, (), problem)
                    failed[one.file] = mark
                write_text(pages / page_path(one.file), page(mark))
                if one.file not in failed:
                    ledger.add(mark)
                on_mark(mark)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return failed


def _plans(root: Path, lessons: tuple[str, ...]) -> dict[str, Plan]:
    plans = {path.stem: make_plan(path) for path in lesson_paths(root, lessons)}
    if not plans:
        raise ValueError("no lesson is there to grade: work in a clone of the course")
    return plans
