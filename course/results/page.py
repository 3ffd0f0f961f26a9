"""Write course/results/README.md from the recorded tables: `python -m course.results.page`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course.authoring.notebook_file import write_text
from course.recorded import RESULTS, Recorded, names, recorded
from course.results import curves
from course.results.claims import Claim, difference, points
from course.results.questions import CHANGED, EARLIER, FILES, HEAD, NEGATIVE, QUESTIONS, TAIL

VARIES = ("seed", "lr", "rate")  # within a condition

SETTINGS = ((1000, curves.EPOCHS), (16_000, curves.EPOCHS))  # training images and epochs, beside an earlier table


def about(table: Recorded, question: str) -> list[str]:
    """Return the lines on a file: its question, runs and machine, and the commands that made it, folded."""
    seeds = sorted({len({run["cell"]["seed"] for run in runs}) for runs in _conditions(table.runs)})
    tests = sorted({run["num_test"] for run in table.runs})
    used = " and ".join(
        dict.fromkeys(machine["gpu"] or machine["processor"] for machine in table.machines or (table.hardware,))
    )
    many = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
    return [
        f"**`{table.name}.json`**: {question} {len(table.runs):,} runs, {many} seed{'s' * (many != '1')} a condition, "
        f"{' or '.join(f'{count:,}' for count in tests)} test images; {used}, torch {table.versions['torch']}.",
        "",
        f"<details><summary>made by {len(table.commands)} command{'s' * (len(table.commands) > 1)}</summary>",
        "",
        *(f"    {command}" for command in table.commands),
        "",
        "</details>",
        "",
    ]


def _conditions(runs: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        cell = {key: value for key, value in run["cell"].items() if value is not None and key not in VARIES}
        found.setdefault(json.dumps(cell, sort_keys=True), []).append(run)
    return list(found.values())


def page(folder: Path = RESULTS) -> str:
    """Return the text of the page.

    Raises:
        ValueError: a results file whose question is not written down.
        OSError: a file that the page speaks of is missing.
    """
    found = names(folder)
    unknown = [name for name in found if name not in QUESTIONS]
    if unknown:
        raise ValueError(f"{unknown[0]}.json has no question: write it into course/results/questions.py")
    parts = [HEAD]
    if curves.SETS.keys() & set(found):
        parts += curves.lines(folder)
    if curves.NAME in found:
        parts += changed(folder)
    parts += ["## What held here, what did not, and what these runs cannot tell", ""]
    for title, lines in NEGATIVE.items():
        parts += [f"### {title}", *(line(folder) for line in lines), ""]
    parts += [TAIL, *speed(folder), "", FILES]
    for name in found:
        parts += about(recorded(name, folder), QUESTIONS[name])
    return "\n".join(parts)


def changed(folder: Path) -> list[str]:
    """Return what the curves changed against the lessons' tables: the gain of the same methods in both."""
    sizes = recorded(curves.NAME, folder)
    head = ["1,000 images, a lesson's table", *(f"{limit:,} images, {epochs} epochs" for limit, epochs in SETTINGS)]
    rows = []
    for earlier, prompt in EARLIER:
        if not set(SETTINGS) <= curves.curves(sizes, earlier.backbone).get(prompt, {}).keys():
            continue
        table = recorded(earlier.file, folder)
        mine = {"prompt": earlier.arm, "backbone": earlier.backbone, "data": earlier.data}
        epochs = min(run["cell"]["epochs"] for run in table.runs if mine.items() <= run["cell"].items())
        cells = [f"{_gain(table, earlier)}, {epochs} epochs"]
        for limit, epochs in SETTINGS:
            settings = {"limit": limit, "epochs": epochs}
            cells.append(_gain(sizes, Claim("", "", curves.DATA, earlier.backbone, prompt, settings=settings)))
        rows.append(f"| {earlier.what} ({earlier.file}) | {' | '.join(cells)} |")
    first = f"| against the linear probe | {' | '.join(head)} |"
    return [CHANGED, first, "|---|---|---|---|", *rows, ""] if rows else []


def _gain(table: Recorded, claim: Claim) -> str:
    probe, method = (
        table.accuracies(claim.data, arm, claim.backbone, **claim.settings).mean() for arm in (claim.base, claim.arm)
    )
    return f"{probe:.1f} → {method:.1f}, {points(difference(table, claim)[0]).replace(' points', '')}"


def speed(folder: Path) -> list[str]:
    """Return the table of times that `.ci/full speed` measured last, or that there is none.

    Raises:
        OSError: ci.json is missing.
    """
    step = json.loads((folder / "ci.json").read_text(encoding="utf-8"))["steps"].get("speed")
    if step is None:
        return ["## Times", "", "Not measured yet: `.ci/full speed`."]
    made = f"`.ci/full speed`, {step['date']}, {step['hardware']}, torch {step['versions']['torch']}."
    means = "The ratio is how many times as long the other way took in the same run: the median of the rounds, and"
    lines = ["## Times", "", f"{made} {means} behind it the least and the largest.", ""]
    lines += ["| what | threads | seconds | ratio | the other way | asked for |", "|---|---|---|---|---|---|"]
    for row in step["figures"]["rows"]:
        spread = "" if row["spread"] is None else f" ({row['spread'][0]} … {row['spread'][1]})"
        ratio = "" if row["ratio"] is None else f"{row['ratio']}{spread}"
        asked = f"{row['bar']}{', missed' * (row['ratio'] < row['bar'])}" if row["bar"] else ""
        cells = [row["what"], row["threads"], row["seconds"], ratio, row["against"], asked]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def main() -> None:
    """Write the page and its figures."""
    curves.write(RESULTS)
    write_text(RESULTS / "README.md", page())


if __name__ == "__main__":
    main()
