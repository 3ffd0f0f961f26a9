"""What a run of the grader writes at its end: the table, the pages, what waits for an instructor, and class tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course.authoring.notebook_file import write_text
from course.grading import changes, hand, learners
from course.grading.late import Policy, read_policy
from course.grading.marks import Mark, page, page_path, table
from course.grading.plan import Plan
from course.grading.roster import Roster, read_roster

FULL_TABLE = "{name} holds marks already and was left as it is: give it with --hand, or move it"


@dataclass(frozen=True)
class Inputs:
    """Files that an instructor gives: a class list, a late policy, marks by hand."""

    roster: Path | None = None
    late: Path | None = None
    hand: Path | None = None


@dataclass(frozen=True)
class Given:
    """What those files say."""

    roster: Roster | None = None
    policy: Policy | None = None
    marks: dict[tuple[str, str], dict[str, str]] | None = None
    hand: Path | None = None


def read_inputs(inputs: Inputs | None) -> Given:
    """Read the instructor's files, before anything is graded.

    Raises:
        ValueError: one of them is not what it should be.
        OSError: one cannot be read.
    """
    if inputs is None:
        return Given()
    return Given(
        read_roster(inputs.roster) if inputs.roster else None,
        read_policy(inputs.late) if inputs.late else None,
        hand.read_hand(inputs.hand) if inputs.hand else None,
        inputs.hand,
    )


def write_tables(
    marks: list[Mark], folder: Path, out: Path, plans: dict[str, Plan], given: Given, changed: Sequence[changes.Change]
) -> tuple[list[Mark], list[str], list[Path]]:
    """Write everything; returns the marks with those by hand, lines for the instructor, and the files."""
    notes: list[str] = []
    if given.marks is not None and given.hand is not None:
        marks, notes = hand.give(marks, given.marks, given.hand.name)
    joined, strangers = learners.join(marks, folder, given.roster, given.policy)
    late = {one.mark.file: learners.notes(one) for learner in joined for one in learner.lessons.values()}
    pages = out.with_name(f"{out.stem}_feedback")
    for mark in marks:
        write_text(pages / page_path(mark.file), page(mark, late.get(mark.file, ())))
    write_text(out, table(marks))
    to_mark, filled = out.with_name(f"{out.stem}_to_mark.csv"), given.hand
    texts = {out.with_name(f"{out.stem}_to_mark.html"): hand.page(marks, plans)}
    if hand.is_filled(to_mark) and not (filled and filled.resolve() == to_mark.resolve()):
        notes.append(FULL_TABLE.format(name=to_mark.name))
    elif not (filled and notes):  # a row that could not be entered must not be lost
        texts[to_mark] = hand.table(marks)
    if changed:
        texts[out.with_name(f"{out.stem}_changes.csv")] = changes.table(list(changed))
    if given.roster or given.policy:
        texts |= _class_tables(joined, out, plans, given)
    for path, text in texts.items():
        write_text(path, text)
    return marks, [*notes, *strangers], list(texts)


def _class_tables(joined: list[learners.Learner], out: Path, plans: dict[str, Plan], given: Given) -> dict[Path, str]:
    seen = {lesson for learner in joined for lesson in learner.lessons}
    full = {name: float(sum(task.points for task in plan.tasks)) for name, plan in plans.items() if name in seen}
    texts = {out.with_name(f"{out.stem}_class.csv"): learners.table(joined, full)}
    if given.roster:
        titles = {name: plans[name].title for name in full}
        platform = learners.platform_table(given.roster, joined, full, titles)
        if platform:
            texts[out.with_name(f"{out.stem}_{given.roster.kind.split()[1].casefold()}.csv")] = platform
    return texts
