"""Writes the lessons in the version of one class, so that another class's answers do not fit.

In each lesson the exercises that have a variant change, and the choices of every quiz change places. Ids get the seed:
"01-count-v7". Learner notebooks go to release/; source/ holds the solved lessons, by which `course grade` grades.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from course.authoring.cells import LessonError
from course.authoring.learner import learner_notebook, plain_values
from course.authoring.lesson import solved_notebook
from course.authoring.lesson_names import ROOT, lesson_paths
from course.authoring.notebook_file import notebook_text, write_text
from course.check import FunctionExercise, QuizExercise, Variant, lesson_exercises

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
CHOICE = re.compile(r"^# - \*\*(\w)\*\* .*\n(?:#   .*\n)*", re.MULTILINE)
README = """# The course in the version of seed {seed}

`release/` holds what learners get. `source/` holds the same lessons solved: keep it to yourself.
These exercises differ from the published ones, and from those of the seeds before and after:

{notes}

The choices of all quizzes have changed places. Checks, hints and later cells know this version by the ids, which end
in `-v{seed}`. Grade with

    python -m course grade SUBMISSIONS --out grades.csv --root {source}

An answer to the published exercise, or to another seed's, earns nothing here. Choose another seed next time.
"""


def export_variant(folder: Path, seed: int, names: tuple[str, ...] = (), root: Path = ROOT) -> list[Path]:
    """Write lessons in the version of a class; returns the files.

    Args:
        folder: where to.
        seed: chooses the version; seeds in a row give different ones.
        names: lessons, by the start of their name; all when empty.
        root: the clone.

    Raises:
        LessonError: a lesson breaks a rule, or an exercise does not look as its variant says.
        ValueError: there is no such lesson.
        OSError: a file cannot be written.
    """
    paths = lesson_paths(root, names)
    if not paths:
        raise ValueError("no lesson is there to export: work in a clone of the course")
    notes: list[str] = []
    written: dict[Path, str] = {}
    for path in paths:
        text = varied_lesson(path, seed)
        source = folder / "source" / "course" / "lessons" / path.name
        write_text(source, text)
        release = plain_values(learner_notebook(solved_notebook(source)))
        written[folder / "release" / f"{path.stem}.ipynb"] = notebook_text(release)
        notes += [f"- {name}: {variant.words(seed)}" for name, variant in _variants(path.stem[:2]).items()]
    readme = README.format(seed=seed, notes="\n".join(notes), source=shlex.quote(str(folder / "source")))
    written[folder / "README.md"] = readme
    for path, text in written.items():
        write_text(path, text)
    return [*written, *(folder / "source" / "course" / "lessons" / path.name for path in paths)]


def varied_lesson(path: Path, seed: int) -> str:
    """Return the source of a lesson in the version of a class."""
    text = path.read_text(encoding="utf-8")
    for name, exercise in lesson_exercises(path.stem[:2]).items():
        if isinstance(exercise, FunctionExercise) and exercise.variant:
            text = _edited(path.stem, text, name, seed, exercise.variant)
        elif isinstance(exercise, QuizExercise):
            text = _edited(path.stem, text, name, seed, exercise)
    return text


def _variants(number: str) -> dict[str, Variant]:
    exercises = lesson_exercises(number).items()
    return {name: e.variant for name, e in exercises if isinstance(e, FunctionExercise) and e.variant}


def _edited(lesson: str, text: str, name: str, seed: int, kind: Variant | QuizExercise) -> str:
    cell = re.search(rf'^# %% exercise={{"id": "{name}".*?(?=^# %% check)', text, re.MULTILINE | re.DOTALL)
    if cell is None:
        raise LessonError(f"lesson {lesson}: the exercise {name} has no code cell with a check; a variant needs both")
    above = text.rindex("# %% [markdown]", 0, cell.start())
    words, code = text[above : cell.start()], cell.group()
    if isinstance(kind, Variant):
        words = f"{words.rstrip()}\n#\n# **{kind.words(seed)}**\n\n"
        code = _function(lesson, name, code, kind, seed)
    else:
        words, code = _quiz(lesson, name, words, code, kind.moved(seed))
    changed = text[:above] + words + code + text[cell.end() :]
    return changed.replace(f'"{name}"', f'"{name}-v{seed}"')


def _function(lesson: str, name: str, code: str, variant: Variant, seed: int) -> str:
    """Put a function's solution into a function `plain` of its own, and the lines of the version behind it."""
    found = re.search(rf"^    {BEGIN}\n(.*?)^    {END}\n", code, re.MULTILINE | re.DOTALL)
    if found is None or f"({variant.args}):\n" not in code:
        raise LessonError(f"lesson {lesson}: the variant of {name} asks for one function with ({variant.args})")
    inside = "".join(f"    {line}" if line.strip() else line for line in found[1].splitlines(keepends=True))
    lines = "".join(f"    {line}\n" for line in variant.body(seed))
    solution = f"    {BEGIN}\n    def plain({variant.args}):\n{inside}\n{lines}    {END}\n"
    return f"{code[: found.start()]}    # {variant.words(seed)}\n{solution}{code[found.end() :]}"


def _quiz(lesson: str, name: str, words: str, code: str, moved: dict[str, str]) -> tuple[str, str]:
    listed = list(CHOICE.finditer(words))
    if [choice[1] for choice in listed] != list(moved):
        raise LessonError(f"lesson {lesson}: the quiz {name} must list its choices as '- **a** …', one after another")
    texts = {moved[choice[1]]: choice[0].replace(f"**{choice[1]}**", f"**{moved[choice[1]]}**") for choice in listed}
    words = words[: listed[0].start()] + "".join(texts[key] for key in sorted(texts)) + words[listed[-1].end() :]
    begin, end = code.index(BEGIN), code.index(END)
    right = re.sub(r'"([\w, ]+)"', lambda m: f'"{_renamed(m[1], moved)}"', code[begin:end])
    return words, code[:begin] + right + code[end:]


def _renamed(answer: str, moved: dict[str, str]) -> str:
    return ", ".join(sorted(moved[choice.strip()] for choice in answer.split(",")))
