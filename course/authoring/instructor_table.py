"""The lesson table of the instructor's guide; `python -m course.authoring.instructor_table` rewrites it in place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from course.authoring.lesson import read_lesson

GUIDE = Path(__file__).parents[1] / "instructor.md"
LESSONS = Path(__file__).parents[1] / "lessons"


def rows(paths: Sequence[Path]) -> list[str]:
    """Return one row a lesson: exercises, points, core points, core minutes, all minutes."""
    table = []
    for path in paths:
        cells = read_lesson(path).cells
        every = [cell.metadata["exercise"] for cell in cells if "exercise" in cell.metadata]
        core = [exercise for exercise in every if exercise["path"] == "core"]
        title = cells[0].source.splitlines()[0].lstrip("# ")
        sums = (sum(exercise[key] for exercise in part) for part, key in (
            (every, "points"), (core, "points"), (core, "minutes"), (every, "minutes"),
        ))  # fmt: skip
        table.append(f"| {path.stem[:2]} {title} | {len(every)} | {' | '.join(map(str, sums))} |")
    return table


def main() -> None:
    """Rewrite the rows of the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    table = "\n".join(rows(sorted(LESSONS.glob("[0-9][0-9]_*.py"))))
    GUIDE.write_text(re.sub(r"(?:^\| \d\d .*\n)+", lambda _: table + "\n", text, flags=re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    main()
