"""Grade a class of 60 with the command, kill it five times at random, and see that each is graded once and in time.

Run: python tests/full/whole_class.py. Submissions of one lesson are solved, half solved and untouched, in turn. The
time of two cores is half of the processor time of all runs, what the kills wasted among it; a busy machine takes longer
by the clock. Ends with 1 if a mark is wrong, a submission was graded twice or not at all, or six minutes do not do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "support"), str(HERE.parents[2])]

from graded_lesson import by, submit  # noqa: E402
from real_lessons import LESSONS, REPOSITORY, three  # noqa: E402

from course.grading.patience import processor_seconds  # noqa: E402
from course.grading.sandbox import BUBBLEWRAP, isolation  # noqa: E402

TOTAL, KILLS, CORES, MINUTES = 60, 5, 2, 6


def hand_in(folder: Path, lesson: str, total: int) -> dict[str, str]:
    """Write the submissions; returns what each of them is."""
    books = three(lesson)
    kinds = {f"s{place:02}.ipynb": list(books)[place % 3] for place in range(total)}
    for file, kind in kinds.items():
        submit(folder, file, books[kind])
    return kinds


def lines(ledger: Path) -> list[str]:
    """Return the files that a ledger says are graded; a line that a kill has torn is none."""
    whole = ledger.read_text(encoding="utf-8").splitlines(keepends=True) if ledger.exists() else []
    return [json.loads(line)["file"] for line in whole if line.endswith("\n") and line.strip()]


def killed(command: list[str], ledger: Path, more: int, pause: float) -> float:
    """Start a run and kill it a moment after so many more grades; returns its processor time."""
    wanted = len(lines(ledger)) + more
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=REPOSITORY, start_new_session=True) as run:
        while len(lines(ledger)) < wanted and run.poll() is None:
            time.sleep(0.2)
        time.sleep(pause)
        used = processor_seconds(run.pid)
        run.kill()
    return used


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lesson", default="00", help="its number")
    parser.add_argument("--total", type=int, default=TOTAL, help="submissions")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    chosen = parser.parse_args()
    if isolation() != BUBBLEWRAP:
        print(f"error: {isolation()}", file=sys.stderr)
        return 2
    rng, used, before = random.Random(chosen.seed), 0.0, []
    lesson = next(name for name in LESSONS if name.startswith(chosen.lesson))
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "all", Path(place) / "grades.csv"
        ledger = out.with_suffix(".jsonl")
        kinds = hand_in(folder, lesson, chosen.total)
        command = [sys.executable, "-m", "course", "grade", str(folder), "--out", str(out), "--lesson", lesson[:2]]
        began = time.perf_counter()
        for _ in range(KILLS):
            used += killed(command, ledger, rng.randrange(chosen.total // (KILLS + 1)), rng.uniform(0, 4))
            before.append(len(lines(ledger)))
        at = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=REPOSITORY)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        used += now.ru_utime + now.ru_stime - at.ru_utime - at.ru_stime
        clock = time.perf_counter() - began
        graded, marks = lines(ledger), by("file", out)
    once = sorted(graded) == sorted(kinds)
    points = {kind: {marks[file]["points"] for file in kinds if kinds[file] == kind} for kind in three(lesson)}
    of = {row["of"] for row in marks.values()}
    right = (
        points["solved"] == of and points["untouched"] == {"0"} and [len(said) for said in points.values()] == [1] * 3
    )
    seconds = used / CORES
    print(f"{lesson}: {len(kinds)} submissions, killed with {before} of them graded; points {points} of {of}")
    print(f"each graded once: {once}; {seconds:.0f} s on {CORES} cores, {clock:.0f} s by the clock "
          f"while {os.getloadavg()[0]:.1f} processes ran")  # fmt: skip
    figures = {"submissions": len(kinds), "kills": KILLS, "graded_once": once, "right": right}
    print("figures:", json.dumps({**figures, "seconds_on_two_cores": round(seconds), "clock": round(clock)}))
    return int(not (once and right and seconds <= 60 * MINUTES))


if __name__ == "__main__":
    raise SystemExit(main())
