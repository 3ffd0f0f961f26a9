"""Grade honest notebooks in many shapes: the grader's verdict must be the notebook's, and nobody loses a point.

Run: python tests/full/honest.py. Every shape of KINDS is made of every solved lesson (a learner who is right, with the
habits of learners); each must get all automatic points. Prints a row for each exercise that lost some.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[2]
sys.path[:0] = [str(REPOSITORY / "tests" / "support"), str(REPOSITORY)]

import real_lessons  # noqa: E402
from real_lessons import exercise_of  # noqa: E402

Book = dict[str, Any]
Cell = dict[str, Any]


def read(folder: str, lesson: str) -> Book:
    """Return a built notebook, the source of each cell as one text, without what its checks said."""
    book = real_lessons.read(folder, lesson)
    for cell in book["cells"]:
        cell["source"] = "".join(cell["source"])
        if "outputs" in cell:
            cell["outputs"] = []
    return book


def check_of(cell: Cell) -> str:
    return cell["metadata"].get("check", "")


def code(source: str, **more: Any) -> Cell:
    return {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source, **more}


def answers(book: Book) -> list[Cell]:
    return [cell for cell in book["cells"] if cell["cell_type"] == "code" and exercise_of(cell)]


def setup(book: Book) -> Cell:
    return next(cell for cell in book["cells"] if cell["metadata"].get("name") == "setup")


def defined(cell: Cell) -> str:
    """Return the function that an answer cell defines, or nothing."""
    return next((node.name for node in ast.parse(cell["source"]).body if isinstance(node, ast.FunctionDef)), "")


def put(book: Book, cell: Cell, before: Cell | None = None, after: Cell | None = None) -> None:
    near = before if before is not None else after
    place = next(number for number, other in enumerate(book["cells"]) if other is near)
    book["cells"].insert(place + (before is None), cell)


def each_answer(change: Callable[[Cell], str]) -> Callable[[Book], None]:
    def kind(book: Book) -> None:
        for cell in answers(book):
            cell["source"] = change(cell)

    return kind


def each_check(change: Callable[[str], str], bare: bool = False) -> Callable[[Book], None]:
    def kind(book: Book) -> None:
        for cell in book["cells"]:
            if check_of(cell):
                cell["source"] = change(cell["source"])
                cell |= {"metadata": {}, "id": f"new{id(cell)}"} if bare else {}

    return kind


def helper(source: str) -> Callable[[Book], None]:
    """A cell behind the setup that defines `as_it_was`, through which all answers of functions go."""

    def kind(book: Book) -> None:
        put(book, code(source), after=setup(book))
        for cell in answers(book):
            if name := defined(cell):
                lines = f"first_{name} = {name}\n\n\ndef {name}(*parts):\n    return as_it_was(first_{name}(*parts))\n"
                put(book, code(lines), after=cell)

    return kind


def scratch(source: str) -> Callable[[Book], None]:
    """A cell of one's own above every answer."""

    def kind(book: Book) -> None:
        for cell in answers(book):
            put(book, code(source), before=cell)

    return kind


def setup_with(change: Callable[[str], str]) -> Callable[[Book], None]:
    def kind(book: Book) -> None:
        cell = setup(book)
        cell["source"] = change(cell["source"])

    return kind


def uses_earlier(book: Book) -> None:
    before = ""
    for cell in answers(book):
        if name := defined(cell):
            if before:
                lines = f"first_{name} = {name}\n\n\ndef {name}(*parts):\n    assert callable({before})\n"
                put(book, code(f"{lines}    return first_{name}(*parts)\n"), after=cell)
            before = name


def split_setup(book: Book) -> None:
    cell = setup(book)
    nodes = ast.parse(cell["source"]).body
    line = nodes[len(nodes) // 2].lineno - 1
    lines = cell["source"].split("\n")
    second = {**copy.deepcopy(cell), "source": "\n".join(lines[line:])}
    cell["source"] = "\n".join(lines[:line])
    put(book, second, after=cell)


def split_answers(book: Book) -> None:
    for cell in answers(book):
        nodes = ast.parse(cell["source"]).body
        if len(nodes) > 1:
            line = nodes[1].lineno - 1 - len(getattr(nodes[1], "decorator_list", ()))
            lines = cell["source"].split("\n")
            put(book, {**copy.deepcopy(cell), "source": "\n".join(lines[line:])}, after=cell)
            cell["source"] = "\n".join(lines[:line])


def backup_below(book: Book) -> None:
    book["cells"] += [{**copy.deepcopy(cell), "source": cell["source"] + "\n# my backup"} for cell in answers(book)]


def old_attempt_above(book: Book) -> None:
    for cell in answers(book):
        old = f"def {defined(cell)}(*parts):\n    return 3\n" if defined(cell) else cell["source"]
        put(book, {**copy.deepcopy(cell), "source": old}, before=cell)


def copied_with_its_check(book: Book) -> None:
    """The answer and its check once more at the end; the first attempt was wrong."""
    for cell in answers(book):
        check = next(other for other in book["cells"] if check_of(other) == exercise_of(cell))
        book["cells"] += [copy.deepcopy(cell), copy.deepcopy(check)]
        cell["source"] = f"def {defined(cell)}(*parts):\n    return 3\n" if defined(cell) else cell["source"]


def recreated(book: Book) -> None:
    for place, cell in enumerate(book["cells"]):
        if cell["cell_type"] == "code" and exercise_of(cell):
            book["cells"][place] = code(cell["source"], id=f"again{place}")


def without(matches: Callable[[Cell], object]) -> Callable[[Book], None]:
    def kind(book: Book) -> None:
        book["cells"] = [cell for cell in book["cells"] if not matches(cell)]

    return kind


def at_the_end(matches: Callable[[Cell], object]) -> Callable[[Book], None]:
    def kind(book: Book) -> None:
        moved = [cell for cell in book["cells"] if matches(cell)]
        book["cells"] = [cell for cell in book["cells"] if not matches(cell)] + moved

    return kind


def colab(book: Book) -> None:
    book |= {"nbformat": 4, "nbformat_minor": 0}
    book["metadata"] = {"colab": {"provenance": []}, "kernelspec": {"name": "python3"}, **book["metadata"]}
    for place, cell in enumerate(book["cells"]):
        cell["metadata"] = {**cell["metadata"], "id": cell.pop("id"), "outputId": f"o{place}", "colab": {}}


def vs_code(book: Book) -> None:
    book["metadata"]["language_info"] = {"name": "python", "version": "3.11.7"}
    for place, cell in enumerate(book["cells"]):
        cell |= {"id": f"{place:08x}"}
        cell["metadata"] = {**cell["metadata"], "vscode": {"languageId": "python"}}


def bare_metadata(book: Book) -> None:
    for place, cell in enumerate(book["cells"]):
        cell |= {"metadata": {}, "id": f"bare{place}"}


def format_4_4(book: Book) -> None:
    book["nbformat_minor"] = 4
    for cell in book["cells"]:
        cell.pop("id", None)


def in_lines(book: Book) -> None:
    for cell in book["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)


def renamed_answers(book: Book) -> None:
    for cell in answers(book):
        if name := defined(cell):
            cell["source"] += f"\n\n\nmeine_lösung_答案 = {name}\n"
            check = next(other for other in book["cells"] if check_of(other) == exercise_of(cell))
            check["source"] = re.sub(rf", {name}\)", ", meine_lösung_答案)", check["source"])


def checks(book: Book) -> list[Cell]:
    return [cell for cell in book["cells"] if check_of(cell)]


def in_the_check_cell(book: Book) -> None:
    """The answer written above its check, the answer's own cell left as it was given."""
    untouched = read("notebooks", book["metadata"]["course"]["lesson"])
    given = {exercise_of(cell): cell["source"] for cell in answers(untouched)}
    for cell in answers(book):
        check = next(other for other in checks(book) if check_of(other) == exercise_of(cell))
        check["source"], cell["source"] = f"{cell['source']}\n\n\n{check['source']}", given[exercise_of(cell)]


def placeholder_left(book: Book) -> None:
    """The answer begins below the two lines that are to be replaced."""
    for cell in answers(book):
        for node in reversed(list(ast.walk(ast.parse(cell["source"])))):
            if isinstance(node, ast.FunctionDef):
                body = [part for part in node.body if not isinstance(getattr(part, "value", None), ast.Constant)]
                lines, space = cell["source"].split("\n"), " " * node.body[0].col_offset
                line = (body or node.body)[0].lineno - 1
                lines[line:line] = [f"{space}# your code here", f"{space}..."]
                cell["source"] = "\n".join(lines)


def name_of_the_lesson(book: Book) -> None:
    """All answers that are functions read what a cell of the lesson loads, or computes."""
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code" and not exercise_of(cell)]
    nodes = [node for cell in cells for node in ast.parse(cell["source"]).body if isinstance(node, ast.Assign)]
    named = {node.targets[0].id: ast.unparse(node.value) for node in nodes if isinstance(node.targets[0], ast.Name)}
    loaded = next((name for name in named if named[name].startswith("vpcore.load_")), next(iter(named)))
    for cell in answers(book):
        if name := defined(cell):
            lines = f"first_{name} = {name}\n\n\ndef {name}(*parts):\n    assert {loaded} is not None\n"
            put(book, code(f"{lines}    return first_{name}(*parts)\n"), after=cell)


CLASS = "class Same:\n    def __call__(self, value):\n        return value\n\n\nas_it_was = Same()"
ATTRIBUTE = """class Tools:
    pass


Tools.as_it_was = staticmethod(lambda value: value)


def as_it_was(value):
    return Tools.as_it_was(value)
"""
DICTIONARY = """tools = {}
tools["as_it_was"] = lambda value: value


def as_it_was(value):
    return tools["as_it_was"](value)
"""
CONDITION = """import sys
if sys.version_info > (3,):
    def as_it_was(value):
        return value
else:
    as_it_was = None
"""
TRIED = """try:
    from functools import lru_cache
except ImportError:
    lru_cache = None
else:
    def as_it_was(value):
        return value if lru_cache else None
"""
COUNTED = """my_calls = 0


def as_it_was(value):
    global my_calls
    my_calls += 1
    return value
"""
LOOPED = """my_table = []
for my_number in range(3):
    my_table.append(my_number)


def as_it_was(value):
    return value if len(my_table) == 3 else None
"""
SAME = "def as_it_was(value):\n    return value\n"
KINDS: dict[str, Callable[[Book], None]] = {
    "as it is": lambda book: None,
    "an import added to the setup": setup_with(lambda text: f"{text}\nimport collections, os\nfrom math import *\n"),
    "an import that is missing here": setup_with(lambda text: f"import seaborn_of_mine\n{text}"),
    "a setup in another order": setup_with(lambda text: f"import os\nprint(os.getcwd())\n{text}\nprint('ready')"),
    "a setup cut in two, its id doubled": split_setup,
    "no setup cell": without(lambda cell: cell["metadata"].get("name") == "setup"),
    "a helper with a constant": helper(
        "ZERO = 0\n\n\ndef as_it_was(value):\n    return value if ZERO == 0 else ZERO\n"
    ),
    "a helper with a print": helper(f"print('helper')\n{SAME}print(as_it_was(3))"),
    "a helper with an assert": helper(f"{SAME}\nassert as_it_was(3) == 3"),
    "a helper with a docstring": helper(f'"""My helpers."""\n{SAME}'),
    "a helper that is a lambda": helper("as_it_was = lambda value: value"),
    "a helper behind a decorator": helper(
        f"import functools\n\n\ndef loud(function):\n    @functools.wraps(function)\n    def called(*parts):\n"
        f"        return function(*parts)\n    return called\n\n\n@loud\n{SAME}"
    ),
    "a helper that is a class": helper(CLASS),
    "a helper with an attribute put on": helper(ATTRIBUTE),
    "a helper in a dictionary": helper(DICTIONARY),
    "a helper under an if": helper(CONDITION),
    "a helper in other scripts": helper("def größe_数(wert):\n    return wert\nas_it_was = größe_数"),
    "annotations from the future": helper(
        "from __future__ import annotations\ndef as_it_was(value: Unknown):\n    return value"
    ),
    "a helper under a try": helper(TRIED),
    "a helper that counts": helper(COUNTED),
    "a helper with a table filled by a loop": helper(LOOPED),
    "a helper in a file of one's own": helper("from my_helpers import as_it_was"),
    "a call of an earlier answer": uses_earlier,
    "a call of the lesson's own name": name_of_the_lesson,
    "a line that looks at data": each_answer(lambda cell: f"{cell['source']}\nprint(data.train[0], images.shape)"),
    "a line that looks at the answer": each_answer(lambda cell: f"{cell['source']}\ndisplay({defined(cell) or 3})"),
    "a question about torch": each_answer(lambda cell: f"{cell['source']}\ntorch.cat?"),
    "a timed cell": each_answer(lambda cell: f"%%time\n{cell['source']}"),
    "a line magic and a command": each_answer(lambda cell: f"%matplotlib inline\n!ls\n{cell['source']}\n%timeit 1 + 1"),
    "the output of a command": each_answer(lambda cell: f"files = !ls\n{cell['source']}\nfiles[:3]"),
    "Windows line ends": each_answer(lambda cell: cell["source"].replace("\n", "\r\n")),
    "an answer cut in two": split_answers,
    "a backup below": backup_below,
    "an old attempt above, its id doubled": old_attempt_above,
    "copied with its check": copied_with_its_check,
    "recreated answer cells": recreated,
    "recreated check cells": each_check(lambda text: text, bare=True),
    "a check whose verdict is kept": each_check(lambda text: re.sub(r"^check", "said = check", text, flags=re.M)),
    "a check of another name": renamed_answers,
    "a check inside a print": each_check(lambda text: re.sub(r"^(check.*\))$", r"print(\1)", text, flags=re.M)),
    "a check with keywords": each_check(
        lambda text: re.sub(r'^check(?:\.quiz)?\((".*?"), (.*)\)$', r"check(mine=\2, exercise_id=\1)", text, flags=re.M)
    ),
    "a check under another name": each_check(
        lambda text: re.sub(r"^check\b", "pruefe", f"from course import check as pruefe\n{text}", flags=re.M)
    ),
    "an answer in the cell of its check": in_the_check_cell,
    "the placeholder left above the answer": placeholder_left,
    "no checks": without(check_of),
    "answers below their checks": at_the_end(lambda cell: cell["cell_type"] == "code" and exercise_of(cell)),
    "the setup at the end": at_the_end(lambda cell: cell["metadata"].get("name") == "setup"),
    "Colab": colab,
    "VS Code": vs_code,
    "no metadata at all": bare_metadata,
    "format 4.4": format_4_4,
    "sources as lines": in_lines,
    "a scratch cell that raises": scratch("raise RuntimeError('later')"),
    "a scratch cell that never ends": scratch("while True:\n    pass"),
    "a scratch cell that is no Python": scratch("def unfinished(:\n"),
    "a scratch cell in another language": scratch("%%bash\nls | wc -l"),
    "a scratch cell that waits": scratch("import asyncio\nawait asyncio.sleep(0)"),
    "a scratch cell that seeds": scratch("import torch\ntorch.manual_seed(7)"),
}


HAND = {"a helper in a file of one's own"}  # what is not there cannot be run: an instructor grades it


def shapes(book: Book, kinds: tuple[str, ...] = ()) -> Iterator[tuple[str, bytes]]:
    """Yield name and file of each shape of a notebook."""
    for name in kinds or KINDS:
        changed = copy.deepcopy(book)
        KINDS[name](changed)
        yield name, json.dumps(changed, ensure_ascii=False).encode()
    yield "a mark of byte order", b"\xef\xbb\xbf" + json.dumps(book).encode()
    yield "a file with Windows line ends", json.dumps(book, indent=1).replace("\n", "\r\n").encode()


def write_all(folder: Path, lesson: str, kinds: tuple[str, ...]) -> dict[str, str]:
    """Write every shape of a solved lesson below a folder; returns {file: name of the shape}."""
    names: dict[str, str] = {}
    for number, (name, data) in enumerate(shapes(read("solutions", lesson), kinds)):
        file = folder / f"{number:02}" / f"{lesson}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        names[f"{number:02}/{lesson}.ipynb"] = name
    return names


def together(folder: Path, lesson: str, names: dict[str, str]) -> list[tuple[str, float]]:
    """Judge every shape as the command does, but ten of them in one sandbox; returns what lost points, and how many."""
    from course.grading.judge import judge
    from course.grading.plan import make_plan
    from course.grading.sandbox import running
    from course.grading.worker import SECONDS, _item, _job, open_submission

    plan = make_plan(REPOSITORY / "course" / "lessons" / f"{lesson}.py")
    lost: list[tuple[str, float]] = []
    tasks = [task for task in plan.tasks if task.automatic]
    files = list(names)
    for start in range(0, len(files), 10):
        opened = {file: open_submission(folder / file, folder, {lesson: plan}) for file in files[start : start + 10]}
        jobs = []
        for file, one in opened.items():
            assert one.submission is not None
            cells = [cell["source"] if cell["type"] == "code" else None for cell in one.submission.cells]
            jobs += [
                {**_job(one.submission, task, SECONDS), "key": f"{file} {task.id}", "cells": cells} for task in tasks
            ]
        job = {"preload": plan.preload, "cells": [], "lesson": list(plan.cells.values()), "tasks": jobs}
        with running(job) as sockets:
            for file, one in opened.items():
                for task in tasks:
                    socket = sockets[f"{file} {task.id}"]
                    assert task.exercise is not None
                    assert one.submission is not None
                    judged = judge(task.exercise, task.prepared, socket, SECONDS, 600.0, sockets.used)
                    lost += lost_of(names[file], _item(one.submission, task, judged))
                    socket.close()
    return lost


def lost_of(kind: str, item: Any) -> list[tuple[str, float]]:
    """Return what an exercise lost, and how many points; one of HAND may wait for an instructor instead."""
    if item.points == item.of or not item.automatic or (kind in HAND and item.outcome == "hand"):
        return []
    return [(f"{kind}, {item.id}: {item.sentence}", item.of - item.points)]


def main() -> int:
    from course.grading.grade import grade

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lesson", action="append", help="only these, like 02")
    parser.add_argument("--kind", action="append", help="only these shapes")
    parser.add_argument("--together", action="store_true", help="judge ten shapes in each sandbox, which is faster")
    parser.add_argument(
        "--keep", type=Path, help="a folder for files and ledgers: a run that was stopped goes on there"
    )
    chosen = parser.parse_args()
    lessons = [name for name in real_lessons.LESSONS if not chosen.lesson or name[:2] in chosen.lesson]
    lost: list[tuple[str, float]] = []
    notebooks, kinds = 0, set()
    with tempfile.TemporaryDirectory() as place:
        kept = chosen.keep or Path(place)
        for lesson in lessons:
            names = write_all(kept / lesson, lesson, tuple(chosen.kind or ()))
            began = time.perf_counter()
            if chosen.together:
                found = together(kept / lesson, lesson, names)
            else:
                marks = grade(kept / lesson, kept / f"{lesson}.csv").marks
                found = [line for mark in marks for item in mark.items for line in lost_of(names[mark.file], item)]
                found += [(f"{names[mark.file]}: {mark.problem}", mark.of) for mark in marks if not mark.items]
            lost += found
            notebooks, kinds = notebooks + len(names), kinds | set(names.values())
            print("\n".join(line for line, _ in found) or f"{lesson}: no point lost")
            print(f"{lesson}: {len(names)} honest notebooks in {time.perf_counter() - began:.0f} s", flush=True)
    points = sum(worth for _, worth in lost)
    print(f"{notebooks} honest notebooks of {len(kinds)} kinds, {points:g} points lost in {len(lost)} exercises")
    figures = {"notebooks": notebooks, "lost": len(lost), "points": points, "kinds": len(kinds)}
    print("figures:", json.dumps(figures))
    return int(bool(lost))


if __name__ == "__main__":
    raise SystemExit(main())
