"""From files to learners: files of one learner joined, lateness taken off, and tables for a class and its platform."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from course.grading.late import Policy
from course.grading.lms import Sender, fill_canvas, fill_moodle, moodle_time, sender
from course.grading.marks import Mark, plain
from course.grading.roster import CANVAS, MOODLE, Person, Roster
from course.grading.submission import some
from course.grading.tables import table_text


@dataclass(frozen=True)
class Counted:
    """The file of a learner that counts for a lesson.

    Attributes:
        mark: of the file.
        time: when it was handed in.
        cost: percent of the points that lateness takes.
        others: files of the same learner and lesson that do not count.
    """

    mark: Mark
    time: datetime
    cost: float
    others: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        """Points that count."""
        return self.mark.total * (1 - self.cost / 100)


@dataclass(frozen=True)
class Learner:
    """A learner of the class with what counts of each lesson, and files that could not be read."""

    person: Person
    lessons: dict[str, Counted]
    problems: tuple[str, ...] = ()


def join(
    marks: list[Mark], folder: Path, roster: Roster | None, policy: Policy | None
) -> tuple[list[Learner], list[str]]:
    """Join the files of each learner, in the order of the class list.

    Returns a line on each file of nobody as well, and lines on times that a late policy cannot use.
    Of several files for one lesson the one that was handed in last counts; Canvas's numbers -1, -2 decide first.
    """
    files: dict[str, list[tuple[int, datetime, Mark]]] = {}
    people: dict[str, Person] = {person.id: person for person in roster.people if person} if roster else {}
    times, problems = _platform_times(roster, policy)
    problems += _unused_times(marks, folder, policy)
    early = []
    for mark in marks:
        who, person = _whose(mark.file, roster)
        if isinstance(person, str):
            problems.append(f"{mark.file}: {person}")
            continue
        people.setdefault(person.id, person)
        time = times.get(person.id) or _time(mark.file, folder, policy)
        if policy and who.late and time <= policy.deadline:
            early.append(mark.file)
        files.setdefault(person.id, []).append((who.again, time, mark))
    if early:
        cure = "enter them into the late policy's times"
        problems.append(f"Canvas says LATE and the time used does not, {some(early)}: {cure}")
    return [_learner(person, files.get(name, []), policy) for name, person in people.items()], problems


def table(learners: list[Learner], full: dict[str, float]) -> str:
    """Return a row for each learner: points of each lesson, their sum, what waits for an instructor, days late."""
    header = ["id", "name", "section", *full, "total", "of", "by_hand", "late", "problem"]
    rows = []
    for learner in learners:
        counted = learner.lessons
        points = [f"{counted[lesson].points:g}" if lesson in counted else "" for lesson in full]
        total = f"{sum(one.points for one in counted.values()):g}"
        waiting = f"{sum(one.mark.by_hand for one in counted.values()):g}"
        late = "; ".join(f"{lesson}: -{one.cost:g} %" for lesson, one in counted.items() if one.cost)
        said = [f"{one.mark.file} counts, not {', '.join(one.others)}" for one in counted.values() if one.others]
        person = [plain(text) for text in (learner.person.id, learner.person.name, learner.person.section)]
        words = [plain(late), plain("; ".join([*said, *learner.problems]))]
        rows.append([*person, *points, total, f"{sum(full.values()):g}", waiting, *words])
    return table_text(header, rows)


def platform_table(roster: Roster, learners: list[Learner], full: dict[str, float], titles: dict[str, str]) -> str:
    """Return the table that Canvas or Moodle takes back; empty for a class list of one's own."""
    found = {learner.person.id: learner for learner in learners}
    of = [found[person.id] if person else None for person in roster.people]
    if roster.kind == CANVAS:
        scores = [{lesson: one.points for lesson, one in learner.lessons.items()} if learner else {} for learner in of]
        fields, rows = fill_canvas(roster.fields, roster.rows, scores, full, titles)
    elif roster.kind == MOODLE:
        most = sum(full.values()) or 1.0
        shares = [sum(one.points for one in x.lessons.values()) / most if x and x.lessons else None for x in of]
        words = ["; ".join(_words(one) for one in learner.lessons.values()) if learner else "" for learner in of]
        fields, rows = roster.fields, fill_moodle(roster.rows, shares, words)
    else:
        return ""
    return table_text(fields, [[plain(row.get(name, "")) for name in fields] for row in rows])


def notes(counted: Counted) -> tuple[str, ...]:
    """Return what the feedback page says about lateness."""
    if not counted.cost:
        return ()
    return (
        f"Handed in late: {counted.cost:g} % less, so {counted.points:g} of {counted.mark.total_of:g} points count.",
    )


def _learner(person: Person, files: list[tuple[int, datetime, Mark]], policy: Policy | None) -> Learner:
    lessons: dict[str, Counted] = {}
    for lesson in sorted({mark.lesson for _, _, mark in files if mark.lesson}):
        mine = sorted((one for one in files if one[2].lesson == lesson), key=lambda one: (one[0], one[1], one[2].file))
        _, time, mark = mine[-1]
        cost = policy.cost(time) if policy else 0.0
        lessons[lesson] = Counted(mark, time, cost, tuple(other.file for _, _, other in mine[:-1]))
    return Learner(person, lessons, tuple(mark.problem for _, _, mark in files if not mark.lesson))


def _whose(file: str, roster: Roster | None) -> tuple[Sender, Person | str]:
    """Return who handed in a file; a folder that the class list knows decides, whatever the file in it is called."""
    who, folder = sender(file), Sender(Path(file).parts[0])
    if roster is None:
        return who, Person(who.user or who.name, who.name)
    person = roster.find(folder)
    return (folder, person) if isinstance(person, Person) else (who, roster.find(who))


def _platform_times(roster: Roster | None, policy: Policy | None) -> tuple[dict[str, datetime], list[str]]:
    """Return the times of Moodle's worksheet by learner, and a line on those that cannot be read."""
    if roster is None or roster.kind != MOODLE or policy is None:
        return {}, []
    told = [row.get("Last modified (submission)", "").strip() for row in roster.rows]
    found = [moodle_time(text, policy.deadline.tzinfo) for text in told]
    strange = [text for text, time in zip(told, found, strict=True) if time is None and text not in ("", "-")]
    notes = [f"Moodle's times cannot be read, {some(strange)}: download the worksheet in English"] if strange else []
    return {person.id: time for person, time in zip(roster.people, found, strict=True) if person and time}, notes


def _unused_times(marks: list[Mark], folder: Path, policy: Policy | None) -> list[str]:
    known = {mark.file for mark in marks}
    strange = [file for file, _ in policy.times if file not in known and not (folder / file).exists()] if policy else []
    return [f"the late policy's times name no such file, {some(strange)}: correct the names"] if strange else []


def _time(file: str, folder: Path, policy: Policy | None) -> datetime:
    try:
        return (
            policy.time_of(file, folder / file) if policy else datetime.fromtimestamp((folder / file).stat().st_mtime)
        )
    except OSError:  # a name that is no UTF-8 is written otherwise than it is
        return datetime.fromtimestamp(0, policy.deadline.tzinfo if policy else None)


def _words(counted: Counted) -> str:
    late = f", {counted.cost:g} % off for lateness" if counted.cost else ""
    return f"{counted.mark.lesson}: {counted.points:g} of {counted.mark.total_of:g} points{late}"
