"""Compares a committed notebook with what its lesson gives; looks for leaks, unstable outputs and stumbling blocks."""

from __future__ import annotations

import re
from typing import Any

from course.authoring.cells import cell_name, where
from course.authoring.lesson_rules import REGIONS

TELLING = 30  # characters; a shorter line of a solution may well stand elsewhere by chance
VERDICTS = "✓✗○!"
MOST_LINES = 20  # of a code cell
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
ADDRESS = re.compile(r"\b0x[0-9a-f]{8,}\b")


def hand_edits(place: str, notebook: Any, old: Any) -> list[str]:
    """Returns a line for each cell in which a committed notebook differs from the one its lesson gives."""
    remedy = "edit the lesson, not the notebook, and build it again"
    problems, ids = [], {cell.id for cell in notebook.cells}
    stored = {cell.get("id"): cell for cell in old.cells}
    for index, cell in enumerate(notebook.cells):
        twin = stored.get(cell.id)
        if twin is None:
            problems.append(f"{where(place, index, cell)} is missing or older than the lesson; {remedy}")
        else:
            part = next((p for p in ("cell_type", "source", "metadata") if twin[p] != cell[p]), None)
            if part:
                problems.append(f"{where(place, index, twin)} was edited by hand or is stale ({part}); {remedy}")
    for index, cell in enumerate(old.cells):
        if cell.get("id") not in ids:
            problems.append(f"{where(place, index, cell)} is not in the lesson; {remedy}")
    if not problems and [cell.id for cell in notebook.cells] != [cell.id for cell in old.cells]:
        problems.append(f"{place}: the cells are in another order than in the lesson; {remedy}")
    if not problems and _fixed(notebook) != _fixed(old):
        problems.append(f"{place}: the notebook metadata was edited by hand; {remedy}")
    return problems


def leaks(place: str, solved: Any, learner: Any) -> list[str]:
    """Returns a line for each cell of a learner notebook that shows a solution, hidden test or rubric.

    Below a written exercise its model answer stands folded, and nothing else of it.
    """
    secrets = [secret for cell in solved.cells for secret in _secrets(cell)]
    models = {cell_name(cell): _secrets(cell, ("SOLUTION",)) for cell in solved.cells if cell.cell_type == "markdown"}
    problems = []
    for index, cell in enumerate(learner.cells):
        text, known = _visible(cell), models.get(cell.metadata.get("model_answer", ""), [])
        marker = next((region for region in REGIONS if re.search(rf"(BEGIN|END) {region}", text)), None)
        if marker or any(secret in text for secret in secrets if secret not in known):
            what = f"a {marker} marker" if marker else "text of a solution, hidden test or rubric"
            problems.append(f"{where(place, index, cell)} leaks {what} to learners; remove it there")
    return problems


def output_problems(place: str, notebook: Any) -> list[str]:
    """Returns a line for each code cell that was not run, failed, or would not give the same output again."""
    problems, count, learner = [], 0, notebook.metadata.get("course", {}).get("kind") == "learner"
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            count += 1
            problem = _cell_problem(cell, count)
            if learner and cell.metadata.get("answers") and cell.outputs:
                problem = "shows the answer to the question above it; build the notebook again"
            problems += [f"{where(place, index, cell)} {problem}"] if problem else []
    if "widgets" in notebook.metadata:
        problems.append(f"{place}: metadata.widgets is stored; build the notebook again")
    return problems


def verdict_problems(place: str, notebook: Any, wanted: str) -> list[str]:
    """Returns a line for each check cell whose outcome does not start with the wanted symbol."""
    found = [(index, cell, verdict(cell)) for index, cell in enumerate(notebook.cells) if "check" in cell.metadata]
    lost = [entry for entry in found if not entry[2].startswith(wanted)]
    return [f"{where(place, index, cell)} must give {wanted}, got {text or 'no verdict'}" for index, cell, text in lost]


def verdict(cell: Any) -> str:
    """Returns the line in which a check cell says its outcome; empty when there is none."""
    for output in cell.get("outputs", []):
        text = output.get("text", "") or output.get("data", {}).get("text/plain", "")
        for line in str(text).split("\n"):
            if line[:1] and line[0] in VERDICTS:
                return line.strip()
    return ""


def lint(place: str, notebook: Any) -> list[str]:
    """Returns a line for each finding: a code cell over 20 lines, a second title, a skipped heading level."""
    problems, level = [], 0
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            lines = len(cell.source.split("\n"))
            if lines > MOST_LINES:
                problems.append(f"{where(place, index, cell)} has {lines} lines; split it at {MOST_LINES}")
            continue
        for marks in re.findall(r"^(#{1,6}) ", FENCE.sub("", cell.source), re.M):
            if len(marks) == 1 and level:
                problems.append(f"{where(place, index, cell)} has a second '# Title'; use '##'")
            elif len(marks) > level + 1:
                problems.append(f"{where(place, index, cell)} skips from heading level {level} to {len(marks)}")
            level = len(marks)
    return problems


def _cell_problem(cell: Any, count: int) -> str:
    if cell.execution_count != count:
        return f"has execution count {cell.execution_count}, not {count}; build the notebook again"
    for output in cell.outputs:
        kinds = output.get("data", {})
        text = f"{output.get('text', '')} {kinds.get('text/plain', '')}"
        if output.output_type == "error":
            return f"raised {output.ename}: {output.evalue}; a lesson runs without errors"
        if output.get("name") == "stderr":
            return f"wrote to stderr: {' '.join(output.text.split())[:80]!r}; print to stdout or silence it"
        if "image/svg+xml" in kinds:
            return "stores an SVG, which holds a date; show a PNG"
        if ADDRESS.search(text):
            return f"prints a memory address ({ADDRESS.findall(text)[0]}); assign the value to _ or print a fact"
    return ""


def _visible(cell: Any) -> str:
    parts = [cell.source]
    for output in cell.get("outputs", []):
        parts += [str(output.get("text", "")), *map(str, output.get("data", {}).values())]
    return "\n".join(line.strip() for line in "\n".join(parts).split("\n"))


def _secrets(cell: Any, regions: tuple[str, ...] = REGIONS) -> list[str]:
    found: list[str] = []
    for region in regions:
        for body in re.findall(rf"### BEGIN {region}\n(.*?)\n[^\n]*### END {region}", cell.source, flags=re.S):
            lines = [line.strip() for line in body.split("\n") if line.strip()]
            whole = "\n".join(lines)
            found += [line for line in lines if len(line) >= TELLING]
            found += [whole] if len(whole) >= TELLING // 2 and len(lines) > 1 else []
    return found


def _fixed(notebook: Any) -> dict[str, Any]:
    course = notebook.metadata.get("course", {})
    rest = {key: value for key, value in notebook.metadata.items() if key not in ("course", "widgets")}
    return {**rest, "lesson": course.get("lesson"), "kind": course.get("kind")}
