"""What a learner has passed: one small JSON file on this computer, and nothing leaves it.

The file lies in the user's data folder, or in the folder that VPCOURSE_HOME names. VPCOURSE_PROGRESS=off
writes nothing, and neither does a test run. Writing never disturbs a check: a folder that cannot be written
is reported by `table`, not raised.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.check.variants import plain_id

if TYPE_CHECKING:
    from course.check.verdict import Verdict

VERSION = 1
_notice: list[str] = []


def folder() -> Path:
    """Return the folder of the progress file; it need not exist."""
    chosen = os.environ.get("VPCOURSE_HOME")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "vpcourse"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "vpcourse"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "vpcourse"


def path() -> Path:
    """Return the progress file; it need not exist."""
    return folder() / "progress.json"


def switched_off() -> bool:
    """Whether nothing is written: in a test run, or on request."""
    return "PYTEST_CURRENT_TEST" in os.environ or _asked_off()


def _asked_off() -> bool:
    return os.environ.get("VPCOURSE_PROGRESS", "").casefold() == "off"


def load() -> dict[str, dict[str, Any]]:
    """Return exercise id → {"outcome", "points"}; a damaged file is set aside and counts as empty."""
    try:
        stored = json.loads(path().read_text(encoding="utf-8"))
        passed = stored["exercises"]
        if not isinstance(passed, dict) or not all(_is_entry(entry) for entry in passed.values()):
            raise ValueError("no table of exercises")
        return passed
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        _set_aside()
        return {}
    except OSError as error:
        _say(f"progress cannot be read from {path()} ({error.strerror}): check the permissions of the folder")
        return {}


def record(verdict: Verdict) -> None:
    """Write down that an exercise is passed or an answer recorded; other verdicts leave the file alone."""
    if verdict.outcome not in ("passed", "recorded") or switched_off():
        return
    entries = load()
    entry = {"outcome": verdict.outcome, "points": verdict.points}
    if entries.get(verdict.id) != entry:
        _write({**entries, verdict.id: entry})


def table() -> str:
    """Return what is passed, lesson by lesson, as lines of text for the command line."""
    exercises, entries = _exercises(), load()
    lessons = sorted({name.split("-")[0] for name in [*exercises, *entries]})
    rows = [_row(lesson, exercises, entries) for lesson in lessons] or ["no exercise found"]
    writable = _probe()
    notes = [*_notice, *([] if writable else [f"progress cannot be written to {folder()}: it lasts only this session"])]
    notes += ["nothing is recorded now: the environment variable VPCOURSE_PROGRESS is off"] if _asked_off() else []
    return "\n".join(["lesson  passed  points", *rows, f"kept in {path()}", *dict.fromkeys(notes)])


def _exercises() -> dict[str, Any]:
    from course.check.registry import lesson_exercises, lesson_numbers

    table: dict[str, Any] = {}
    for number in lesson_numbers():
        try:
            table |= lesson_exercises(number)
        except Exception as error:  # one broken lesson leaves the others readable
            _say(f"lesson {number} is left out, its exercises cannot be read ({error})")
    return table


def _row(lesson: str, exercises: dict[str, Any], entries: dict[str, dict[str, Any]]) -> str:
    known = {name: exercise for name, exercise in exercises.items() if name.split("-")[0] == lesson}
    done = [name for name in entries if name.split("-")[0] == lesson]
    count, total = len(done), max(len(known), len(done))
    earned = sum(entries[name]["points"] for name in done)
    full = sum(exercise.points for exercise in known.values())
    open_ones = [name for name in known if name not in map(plain_id, done)]
    rest = f"  next: {open_ones[0]}" if open_ones else "  all done"
    return f"{lesson:6}  {f'{count}/{total}':6}  {f'{earned:g}/{max(full, earned):g}':6}{rest}"


def _write(entries: dict[str, dict[str, Any]]) -> None:
    """Write a new file beside the old one and put it in its place in one step, so that a kill loses nothing."""
    from vpcore.tensorfile import replace_file

    text = json.dumps({"version": VERSION, "exercises": entries}, indent=1, sort_keys=True)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        replace_file(path(), text.encode())
    except OSError as error:
        _say(f"progress cannot be written to {folder()} ({error}): it lasts only this session")


def _set_aside() -> None:
    with contextlib.suppress(OSError):
        number = 1
        while (aside := path().with_name(f"progress.damaged-{number}.json")).exists():
            number += 1
        os.replace(path(), aside)
        _say(f"the progress file was damaged: it is kept as {aside.name}, and a new one begins")


def _say(sentence: str) -> None:
    if sentence not in _notice:
        _notice.append(sentence)


def _probe() -> bool:
    place = folder()
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK)


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("points"), int | float) and "outcome" in entry
