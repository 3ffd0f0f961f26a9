"""What handing in late costs: a deadline, a share of the points for each day begun, and where the time is from."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from course.grading.tables import read_table, read_text

FIELDS = {"deadline", "per_day", "at_most", "grace_minutes", "times"}


@dataclass(frozen=True)
class Policy:
    """A late policy.

    Attributes:
        deadline: with a time zone.
        per_day: percent of the points that each day begun costs.
        at_most: percent that lateness costs at most.
        grace: late by no more than this costs nothing.
        times: when a file was handed in, by its path; other files count by the time of the file itself.
    """

    deadline: datetime
    per_day: float = 10.0
    at_most: float = 100.0
    grace: timedelta = timedelta()
    times: tuple[tuple[str, datetime], ...] = ()

    def time_of(self, file: str, path: Path) -> datetime:
        """Return when a file was handed in."""
        return dict(self.times).get(file) or datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def days(self, time: datetime) -> int:
        """Return the days begun after the deadline."""
        late = time - self.deadline
        return max(0, math.ceil(late / timedelta(days=1))) if late > self.grace else 0

    def cost(self, time: datetime) -> float:
        """Return the percent of the points that a time costs."""
        return min(self.at_most, self.per_day * self.days(time))


def read_policy(path: Path) -> Policy:
    """Read a late policy, a TOML file.

    Raises:
        ValueError: it is no TOML in UTF-8, or a field is missing, unknown or of another type; says which.
        OSError: it cannot be read.
    """
    try:
        found = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is no TOML file ({error})") from error
    unknown = sorted(set(found) - FIELDS)
    if unknown:
        raise ValueError(f"{path.name} has an unknown field {unknown[0]!r}: it may hold {', '.join(sorted(FIELDS))}")
    deadline = found.get("deadline")
    if not isinstance(deadline, datetime) or deadline.tzinfo is None:
        raise ValueError(f"{path.name} needs a deadline with a time zone, such as 2026-10-05T23:59:00+02:00")
    for name in ("per_day", "at_most", "grace_minutes"):
        if type(found.get(name, 0)) not in (int, float) or not 0 <= found.get(name, 0) < math.inf:
            raise ValueError(f"{path.name}: {name} must be a number from 0 up, got {found[name]!r}")
    most, times = found.get("at_most", 100.0), found.get("times", "")
    if most > 100:
        raise ValueError(f"{path.name}: at_most must be at most 100, got {most!r}")
    if type(times) is not str:
        raise ValueError(f"{path.name}: times must be the name of a table, got {times!r}")
    grace = timedelta(minutes=found.get("grace_minutes", 0))
    return Policy(deadline, found.get("per_day", 10.0), most, grace, _times(path.parent / times) if times else ())


def _times(path: Path) -> tuple[tuple[str, datetime], ...]:
    made = []
    for number, row in enumerate(read_table(path)[1], 2):
        try:
            time = datetime.fromisoformat(row["time"].strip())
            made.append((row["file"], time if time.tzinfo else time.astimezone()))
        except (KeyError, ValueError) as error:
            said = "columns file and time, such as 2026-10-05T23:59:00+02:00"
            raise ValueError(f"line {number} of {path.name}: it needs the {said}") from error
    return tuple(made)
