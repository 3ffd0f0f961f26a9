"""The sections of a lesson: a core of at most 45 minutes and "Deeper" sections, each with its counted minutes.

A section begins at a line ``## …``. One whose title starts with ``Deeper:`` is left out of the core; so are the
self-test and the reading list. Minutes are counted, not wished: words, lines of code that are read, guesses, and the
minutes that the exercises state.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass, field
from typing import Any

from course.authoring.guesses import QUESTION

WORDS, LINES, GUESS = 150, 10, 0.5  # words a minute, lines of code a minute, minutes for a guess
CORE_MINUTES, MOST_LINES, MOST_RECORDS, STEP = 45, 12, 2, 5
AFTER = ("Self-test", "Further reading")
FOOTER = ("Recap", *AFTER)
TIME = re.compile(r"\*\*Your time\*\*: (\d+) minutes for the core, (\d+) for the deeper sections")
IMPORT = re.compile(r"(import|from) \S+")  # lines that no rule counts
WORD = re.compile(r"\w[\w'’.,-]*")


@dataclass
class Section:
    """A part of a lesson with its text and its code cells, each code cell with its place in the notebook."""

    title: str
    text: list[str] = field(default_factory=list)
    code: list[tuple[int, Any]] = field(default_factory=list)
    minutes_of_exercises: int = 0

    @property
    def kind(self) -> str:
        """Core, deeper or after, by the title."""
        return "after" if self.title in AFTER else "deeper" if self.title.startswith("Deeper:") else "core"

    @property
    def minutes(self) -> float:
        """What a reader needs for it."""
        text = "\n".join(self.text)
        lines = sum(_read(cell.source) for _, cell in self.code if "check" not in cell.metadata)
        reading = len(WORD.findall(text)) / WORDS + lines / LINES + GUESS * text.count(QUESTION)
        return reading + self.minutes_of_exercises

    @property
    def label(self) -> str:
        """The visible line below the heading; empty for parts that need none."""
        if not self.title or self.title in FOOTER or self.title.startswith("Exercise"):
            return ""
        minutes = math.ceil(self.minutes)
        about = f"{self.kind} · about {minutes} minute{'s' if minutes > 1 else ''}"
        return f"*{about} · can be left out*" if self.kind == "deeper" else f"*{about}*"


def sections(cells: list[Any]) -> list[Section]:
    """Returns the sections in order; the first is what stands before the first ``## …``."""
    found, fenced = [Section("")], False
    for index, cell in enumerate(cells):
        exercise = cell.metadata.get("exercise")
        found[-1].minutes_of_exercises += exercise["minutes"] if exercise else 0
        if cell.cell_type == "code":
            found[-1].code.append((index, cell))
            continue
        if exercise:  # its text is the model answer
            continue
        for line in cell.source.split("\n"):
            fenced ^= line.startswith("```")
            if line.startswith("## ") and not fenced:
                found.append(Section(line[3:].strip()))
            found[-1].text.append(line)
    return found


def total(found: list[Section], kind: str) -> int:
    """Returns the minutes of all sections of a kind, as they add up to a learner, rounded up to five."""
    return STEP * math.ceil(sum(section.minutes for section in found if section.kind == kind) / STEP - 1e-9)


def label_sections(notebook: Any) -> None:
    """Writes kind and minutes below the heading of each section, in place."""
    labels = {f"## {section.title}": section.label for section in sections(notebook.cells) if section.label}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            lines = [f"{line}\n\n{labels[line.rstrip()]}" if line.rstrip() in labels else line
                     for line in cell.source.split("\n")]  # fmt: skip
            cell.source = "\n".join(lines)


def section_problem(cells: list[Any]) -> tuple[int, str] | None:
    """Returns the first cell that breaks a rule of the form, by its place, and what to do; None when all is well."""
    found = sections(cells)
    last = [section.title for section in found[-len(FOOTER):]]
    if last != list(FOOTER):
        parts = ", ".join(f"'## {title}'" for title in FOOTER)
        return len(cells) - 1, f"a lesson ends with {parts}, behind its deeper sections; this one with {last}"
    for section in found:
        for index, cell in section.code:
            problem = _cell_problem(cell, section.kind)
            if problem:
                return index, problem
        records = [index for index, cell in section.code if _shows_record(cell)]
        if len(records) > MOST_RECORDS:
            most = f"at most {MOST_RECORDS} recorded tables or figures a section"
            return records[MOST_RECORDS], f"{most}, and {section.title!r} has {len(records)}; join or drop some"
    core, deeper = total(found, "core"), total(found, "deeper")
    if core > CORE_MINUTES:
        longest = max((section for section in found if section.kind == "core"), key=lambda section: section.minutes)
        most = f"the core takes {core} minutes by count, and {CORE_MINUTES} are the most"
        return 0, f"{most}; the longest part is {longest.title!r}, {longest.minutes:.0f} minutes"
    said = TIME.search(cells[0].source)
    if not said or (int(said[1]), int(said[2])) != (core, deeper):
        return 0, f"write '**Your time**: {core} minutes for the core, {deeper} for the deeper sections'"
    return None


def _cell_problem(cell: Any, kind: str) -> str:
    exercise = cell.metadata.get("exercise")
    lines = sum(bool(line.strip()) and not IMPORT.match(line) for line in cell.source.split("\n"))
    if ".drive(" in cell.source:
        return "drive() is the tests'; show the explorer alone"
    if exercise and kind != "after" and (exercise["path"] == "core") != (kind == "core"):
        return f"an exercise of the path {exercise['path']!r} stands in a {kind} section; move it or change its path"
    if not exercise and not cell.metadata.get("point") and lines > MOST_LINES:
        most = f"{lines} lines, and {MOST_LINES} are the most"
        return f"{most}; move code to course/show, or say point=true if it is the point"
    return ""


def _read(source: str) -> int:
    """Counts the lines of code that a learner reads: no solution, import, comment alone on its line, or empty line."""
    source = re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "", source, flags=re.S)
    lines = (line for line in source.split("\n") if not IMPORT.match(line))
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines)


def _shows_record(cell: Any) -> bool:
    """Says whether a code cell draws or prints recorded results: such labels and lines say "recorded"."""
    code = "\n".join(line for line in cell.source.split("\n") if not line.lstrip().startswith(("%", "!")))
    tree = ast.parse(code)
    inside = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in inside)
    return any(isinstance(node.value, str) and re.search(r"\brecorded\b", node.value) for node in texts)
