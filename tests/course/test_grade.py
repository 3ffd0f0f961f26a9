"""Grading: right marks for right, wrong, broken and hostile submissions, in a sandbox, through kills."""

import copy
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import torch
import toy_exercises
from graded_lesson import RIGHT, answered, by, double, lesson, rows, submit
from sandboxed import needs_bubblewrap

from course import check
from course.authoring.learner import add_model_answers
from course.authoring.lesson import solved_notebook
from course.cli import main
from course.grading import sandbox
from course.grading.cells import Notebook, run_slice
from course.grading.grade import grade
from course.grading.judge import judge
from course.grading.marks import Item, Ledger, Mark, page, page_path, table
from course.grading.sandbox import BUBBLEWRAP, NONE, isolation, running
from course.grading.submission import BadSubmission, find_files, folder_notes, read_submission
from course.grading.wire import WireError, decode, encode

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = isolation()


def marks(root, folder, **options):
    done = grade(folder, folder.parent / "grades.csv", root=root, workers=1, **options)
    return {mark.file: mark for mark in done.marks}


# --- what is graded


@needs_bubblewrap
def test_solved_stub_and_half_get_their_points(root, book, tmp_path):
    for name, answers in {"solved": RIGHT, "stub": {}, "half": {"99-double": RIGHT["99-double"]}}.items():
        submit(tmp_path / "all", f"{name}/99_toy.ipynb", answered(book, answers))
    found = marks(root, tmp_path / "all")
    assert [found[f"{n}/99_toy.ipynb"].points for n in ("solved", "stub", "half")] == [4, 0, 2]
    assert {(mark.of, mark.by_hand, mark.lesson) for mark in found.values()} == {(4, 3, "99_toy")}
    half = by("learner", tmp_path / "grades.csv")["half"]
    assert (half["points"], half["99-double"], half["99-sum"]) == ("2", "2", "0")
    text = (tmp_path / "grades_feedback/stub/99_toy.html").read_text()
    assert "<strong>double a number:</strong> not attempted yet" in text
    assert "Your answer here" in text


WRONG = {
    "stderr": (2, "import sys\nprint('a warning', file=sys.stderr)\nreturn 2 * number"),
    "wrong": (0, "return number"),
    "detached": (0, "return 2 * number.detach()"),
    "changes": (0, "with torch.no_grad():\n    return number.mul_(2).clone()"),
    "raises": (0, "raise KeyError('<b>bold</b>')"),
    "exits": (0, "raise SystemExit"),
    "dies": (0, "import os\nos._exit(1)"),
    "huge": (0, "return torch.ones(2**33)"),
    "library": (0, "from vpcore.prompts.multiscale import average_maps\nreturn average_maps([number], (1, 1))"),
    "long": (0, "return torch.ones(2**25)"),
    "equal": (0, "class Equal:\n    def __eq__(self, other): return True\nreturn Equal()"),
}
SAYS = {
    "wrong": "not yet",
    "detached": "no gradient reaches `number`",
    "changes": "your code changed its input",
    "raises": "your code raised KeyError: '<b>bold</b>' (line `raise KeyError('<b>bold</b>')`), with number ",
    "exits": "your code called exit",
    "dies": "your code ended its process",
    "huge": "more memory than there is",
    "library": "you called the library (vpcore.prompts.multiscale.average_maps)",
    "long": "sent something that no check can read (the message is larger than 64 MB)",
    "equal": "an object of type Equal",
}


def verdicts(exercise, answer, sources, seconds=30.0):
    """Judge several answers to one exercise, each in a process of its own in one sandbox."""
    common = {"answer": answer, "forbids": exercise.forbids, "methods": getattr(exercise, "methods", ()), "place": 0}
    tasks = [{"id": name, "cells": [source], "seconds": seconds, **common} for name, source in sources.items()]
    prepared, found = exercise.prepare(), {}
    with running({"preload": [], "cells": [], "lesson": [], "tasks": tasks}) as sockets:
        for name in sources:
            found[name] = judge(exercise, prepared, sockets[name], seconds, used=sockets.used).verdict
            sockets[name].close()
    return found


@needs_bubblewrap
def test_each_way_to_fail_costs_only_its_exercise_and_is_named(root):
    lesson(root)
    sources = {name: f"import torch\n{double(body)['99-double']}" for name, (_, body) in WRONG.items()}
    found = verdicts(check.find("99-double"), "double", sources)
    assert {name: verdict.points for name, verdict in found.items()} == {n: points for n, (points, _) in WRONG.items()}
    for name, words in SAYS.items():
        assert words in found[name].sentence, name


MODULE = """import torch
from torch import nn
class Shift(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        {init}
    def forward(self, images):
        return {forward}
"""
ROW, GAIN = "self.row = nn.Parameter(torch.zeros(width))", "self.gain = nn.Parameter(torch.ones(1))"
MODULES = {
    "right": (f"{ROW}; {GAIN}", "images * self.gain + self.row", "passed"),
    "renamed": (f"{GAIN.replace('gain', 'g')}; {ROW}", "images * self.g + self.row", "passed"),
    "inside": (f"self.inner = nn.Linear(1, 4); {GAIN.replace('gain', 'bias')}", "images", "your module learns 9"),
    "without": (f"{ROW}; {GAIN}", "images + self.row", "your module never uses its gain"),
    "detached": (f"{ROW}; {GAIN}", "images * self.gain + self.row.detach()", "no gradient reaches `row`"),
    "plain": (f"self.row = torch.zeros(width); {GAIN}", "images * self.gain + self.row", "`row` is a plain tensor"),
    "raises": (f"{ROW}; {GAIN}", "images @ 3", "your code raised TypeError"),
}


@needs_bubblewrap
def test_a_module_class_runs_in_the_sandbox_and_is_judged_here():
    sources = {name: MODULE.format(init=init, forward=forward) for name, (init, forward, _) in MODULES.items()}
    sources["stub"] = "class Shift:\n    def __init__(self):\n        # your code here\n        ..."
    sources["number"] = "def Shift(width=4):\n    return 3"
    found = verdicts(toy_exercises.SHIFT, "Shift", sources)
    says = {name: words for name, (_, _, words) in MODULES.items()}
    for name, words in {**says, "stub": "not attempted yet", "number": "your class makes"}.items():
        assert words in found[name].sentence, name
    assert found["raises"].sentence.endswith(", with images (2, 3, 4)")


@needs_bubblewrap
def test_a_loop_costs_only_itself(root, book, tmp_path):
    submit(tmp_path / "all", "loops.ipynb", answered(book, double("while True:\n    pass")))
    submit(tmp_path / "all", "at_top.ipynb", answered(book, {**RIGHT, "99-quiz": "while True:\n    pass"}))
    start = time.monotonic()
    found = marks(root, tmp_path / "all", seconds=6.0)  # right answers take a second, on a busy machine four
    assert (found["loops.ipynb"].points, found["at_top.ipynb"].points) == (2, 3)
    assert "ran longer than 6 s" in found["loops.ipynb"].items[0].sentence
    assert time.monotonic() - start < 400  # a busy machine takes its time


@needs_bubblewrap
def test_training_cells_are_skipped_and_helpers_of_the_learner_count(root, book, tmp_path):
    slow = answered(book, double("return twice(number)"))
    for cell in slow.cells:
        if cell.metadata.get("name") == "train":
            cell.source = "import time; time.sleep(1000)"
    helper = nbformat.v4.new_code_cell("def twice(number):\n    return 2 * number")
    slow.cells[1:1] = [helper, nbformat.v4.new_code_cell("import time; time.sleep(1000)")]
    submit(tmp_path / "all", "ann.ipynb", slow)
    assert marks(root, tmp_path / "all")["ann.ipynb"].points == 4


RULES = "return rules[-1](number)"
FILLED = {
    "a comprehension": ("rules = []\n[rules.append(rule) for rule in (twice,)]", RULES),
    "a helper": ("rules = []\ndef add(rule):\n    rules.append(rule)\nadd(twice)", RULES),
    "a helper in a loop": ("rules = []\ndef add(rule):\n    rules.append(rule)\nfor _ in 'ab':\n    add(twice)", RULES),
    "an argument": ("def fill(into):\n    into.append(twice)\nrules = []\nfill(rules)", RULES),
    "a decorator": ("rules = []\ndef rule(made):\n    rules.append(made)\n@rule\ndef two(n):\n    return 2 * n", RULES),
    "a value taken out": ("rules = [twice, abs]\nlast = rules.pop()", RULES),
    "a printed call": ("rules = [twice, abs]\nprint(rules.pop())", RULES),
    "two calls": ("rules = []\nrules.append(twice), rules.append(twice)", RULES),
    "another name": ("rules = []\nmine = rules\nmine.append(twice)", RULES),
    "setattr in a loop": ("class Rules: ...\nfor n in 'ab':\n    setattr(Rules, n, twice)", "return Rules.b(number)"),
    "a global": ("def start():\n    global rule\n    rule = twice\nstart()", "return rule(number)"),
}
INSIDE = {
    "a comprehension": FILLED["a comprehension"],
    "a wrong call": ("rules = []\n[rules.append(abs)]", RULES),
    "a file that is not there": ("rules = []\n[rules.append(open(name)) for name in ('mine.csv',)]", RULES),
    "a cell of the lesson": ("rules = []\nend(rules)", RULES),
}


@pytest.mark.parametrize("how", FILLED)
def test_all_that_may_fill_an_object_is_found_on_a_second_look(how):
    above, body = FILLED[how]
    twice, double = "def twice(n):\n    return 2 * n\n", f"def double(number):\n    {body}"
    book, space = Notebook([twice + above, double, 'check("99-double", double)'], []), {}
    part = book.slice("99-double", "double", whole=True)
    assert run_slice(book, part, space, lambda said: None) == ""
    assert space["double"](4) == 8


@needs_bubblewrap
def test_an_answer_that_is_not_right_is_looked_at_once_more_with_all_that_may_touch_it(root):
    lesson(root)
    exercise, prepared = check.find("99-double"), check.find("99-double").prepare()
    common = {"answer": "double", "forbids": (), "methods": (), "place": 1, "seconds": 30.0}
    twice = "def twice(n):\n    return 2 * n\n"
    tasks = [
        {"id": "99-double", "key": key, "cells": [twice + above, f"def double(number):\n    {body}"], **common}
        for key, (above, body) in INSIDE.items()
    ]
    job = {"preload": [], "cells": [], "lesson": ["end(rules)"], "tasks": tasks}
    with running(job) as sockets:
        found = {}
        for key in INSIDE:
            found[key] = judge(exercise, prepared, sockets[key], 30.0, used=sockets.used)
            sockets[key].close()  # else the sandbox waits for another question
    passed = [key for key, judged in found.items() if judged.verdict.passed and not judged.doubt]
    assert passed == ["a comprehension"]
    assert "FileNotFoundError" in found["a file that is not there"].doubt
    assert [found[key].doubt for key in ("a wrong call", "a cell of the lesson")] == ["", ""]


def markdown(source, **metadata):
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


def test_a_written_answer_is_shown_wherever_it_stands_below_its_cell(root, book, tmp_path):
    whole = add_model_answers(copy.deepcopy(book), solved_notebook(root / "course" / "lessons" / "99_toy.py"))
    place = next(i for i, cell in enumerate(whole.cells) if cell.metadata.get("exercise", {}).get("id") == "99-why")
    assert whole.cells[place + 1].metadata["model_answer"] == "99-why"
    below, split = copy.deepcopy(whole), copy.deepcopy(whole)
    below.cells[place + 1 : place + 1] = [markdown("## My reasons"), nbformat.v4.new_code_cell("1"), markdown("Two.")]
    below.cells.append(markdown("not an answer"))
    split.cells[place].source = "First half."
    split.cells.insert(place + 1, markdown("Second half.", **split.cells[place].metadata))
    submit(tmp_path / "all", "below.ipynb", below)
    submit(tmp_path / "all", "split.ipynb", split)
    found = marks(root, tmp_path / "all", mode=NONE)
    texts = {name: mark.items[-1].text for name, mark in found.items()}
    assert texts["below.ipynb"] == "*Your answer here.*\n\n## My reasons\n\nTwo."
    assert texts["split.ipynb"] == "First half.\n\nSecond half."


# --- bad files


def cells(book, change):
    book = answered(book, RIGHT)
    change(book.cells)
    return book


@needs_bubblewrap
def test_bad_submissions_get_one_line_and_others_go_on(root, book, tmp_path):
    folder = tmp_path / "all"
    submit(folder, "good.ipynb", answered(book, RIGHT))
    submit(folder, "missing.ipynb", cells(book, lambda c: c.pop(2)))
    submit(folder, "twice.ipynb", cells(book, lambda c: c.insert(3, c[2])))
    (folder / "text.ipynb").write_text("{no")
    (folder / "list.ipynb").write_text("[1]")
    (folder / "deep.ipynb").write_text("[" * 100_000)
    (folder / "odd.ipynb").write_text('{"cells": [3]}')
    (folder / "link.ipynb").symlink_to(folder / "good.ipynb")
    with (folder / "large.ipynb").open("wb") as file:
        file.truncate(100 * 2**20)
    found = marks(root, folder)
    points = {name: mark.points for name, mark in found.items() if mark.points}
    assert points == {"good.ipynb": 4, "missing.ipynb": 2, "twice.ipynb": 4}  # each answer stands for itself
    problems = {name.removesuffix(".ipynb"): mark.problem for name, mark in found.items()}
    assert all("\n" not in problem for problem in problems.values())
    assert problems["missing"] == "missing.ipynb: no cell gives the answer of 99-double; 0 points for it"
    assert problems["twice"].startswith("twice.ipynb: cells 3 and 4 give the answer of 99-double; the last one above")
    assert problems["text"] == "text.ipynb: is not JSON (line 1); ask for the notebook file itself; grade 0"
    assert "large.ipynb: has 100 MB, at most 20 are read" in problems["large"]
    assert "deep.ipynb: is not JSON" in problems["deep"]
    assert "list.ipynb: has no list of cells" in problems["list"]
    assert "odd.ipynb: cell 1 is no notebook cell" in problems["odd"]
    assert "link.ipynb: is a link" in problems["link"]


def test_no_submissions_and_a_table_named_as_its_ledger_are_refused(root, book, tmp_path):
    with pytest.raises(ValueError, match=r"no notebook \(\*\.ipynb\) lies below"):
        find_files(tmp_path)
    with pytest.raises(ValueError, match="SUBMISSIONS must be a folder"):
        find_files(tmp_path / "none")
    submit(tmp_path / "all", "a.ipynb", book)
    with pytest.raises(ValueError, match=r"the name of its ledger: end it with \.csv"):
        grade(tmp_path / "all", tmp_path / "grades.jsonl", root=root)
    with pytest.raises(BadSubmission, match=r"a\.ipynb: is a link or no plain file"):
        read_submission(tmp_path / "gone" / "a.ipynb", tmp_path / "gone")
    with pytest.raises(ValueError, match="no lesson is there to grade"):
        grade(tmp_path / "all", tmp_path / "grades.csv", root=tmp_path)


def test_files_of_another_lesson_of_the_course_are_skipped_with_a_note(book, tmp_path):
    lesson(tmp_path)
    other = copy.deepcopy(book)
    other.metadata["course"]["lesson"] = "98_other"
    (tmp_path / "course" / "lessons" / "98_other.py").touch()
    submit(tmp_path / "all", "ana/99_toy.ipynb", book)
    submit(tmp_path / "all", "ana/98_other.ipynb", other)
    del (unnamed := copy.deepcopy(book)).metadata["course"]
    submit(tmp_path / "all", "bob/homework.ipynb", unnamed)
    done = grade(tmp_path / "all", tmp_path / "grades.csv", root=tmp_path, lessons=("99",), mode=NONE)
    assert [mark.file for mark in done.marks] == ["ana/99_toy.ipynb", "bob/homework.ipynb"]
    assert done.notes == (
        "files of other lessons were skipped, 1 here (ana/98_other.ipynb): name their lessons with --lesson, too",
    )


def test_files_that_only_look_like_notebooks_are_named(book, tmp_path):
    folder = tmp_path / "all"
    for file in ("ann/a.ipynb", "bob/a.IPYNB", "cem/a.ipynb.txt", "dora/a.json", "eva/a.ipynb (1)"):
        submit(folder, file, book)
    submit(folder, "ann/data.json", {"cells": 3})
    (folder / "fritz" / "inside").mkdir(parents=True)
    assert [path.name for path in find_files(folder)] == ["a.ipynb", "a.IPYNB"]
    assert folder_notes(folder) == [
        "note: notebooks whose name does not end in .ipynb are not read, 3 here "
        "(cem/a.ipynb.txt, dora/a.json, eva/a.ipynb (1)): rename them and run again",
        "note: no notebook lies in these folders, 1 here (fritz): ask for the notebooks",
    ]
    assert page_path("a.IPYNB") != page_path("a.ipynb")


# --- the sandbox


@needs_bubblewrap
def test_packages_of_the_account_are_there_inside(root, book, tmp_path, monkeypatch):
    site = tmp_path / "elsewhere" / "site-packages"
    site.mkdir(parents=True)
    (site / "of_the_account.py").write_text("TWO = 2\n")
    monkeypatch.syspath_prepend(str(site))
    body = "import of_the_account\nreturn of_the_account.TWO * number"
    submit(tmp_path / "all", "ann.ipynb", answered(book, double(body)))
    assert marks(root, tmp_path / "all")["ann.ipynb"].points == 4


@needs_bubblewrap
def test_a_sandbox_without_the_course_grades_nobody(monkeypatch):
    monkeypatch.setattr(sandbox, "_packages", lambda: [])
    with pytest.raises(OSError, match=r"cannot import the course, so nobody is graded: .*No module named"):
        sandbox.isolation.__wrapped__()


@needs_bubblewrap
def test_a_submission_sees_no_solution_no_network_and_no_other_process(root, book, tmp_path):
    body = """import os, socket, course, vpcore
found = [os.path.exists(path) for path in PATHS]
found += [bool(os.listdir(os.path.dirname(course.__file__) + "/" + name)) for name in ("exercises", "lessons")]
for write in (os.path.dirname(vpcore.__file__) + "/x", "/usr/x", "/etc/x"):
    try:
        open(write, "w")
        found.append(True)
    except OSError:
        found.append(False)
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
    found.append(True)
except OSError as error:
    found.append(error.errno != 101)
found.append(any(int(name) > 100 for name in os.listdir("/proc") if name.isdigit()))
raise ValueError("".join(str(int(value)) for value in found))"""
    paths = [str(tmp_path), *(str(REPOSITORY / name) for name in ("solutions", "tests", "notebooks", ".git"))]
    submit(tmp_path / "all", "spy.ipynb", answered(book, double(body, f"PATHS = {paths!r}")))
    assert "ValueError: 000000000000 " in marks(root, tmp_path / "all")["spy.ipynb"].items[0].sentence


def test_without_bubblewrap_nothing_runs_and_all_is_graded_by_hand(root, book, tmp_path):
    ran = f"open({str(tmp_path / 'ran')!r}, 'w')"
    submit(tmp_path / "all", "ann.ipynb", answered(book, {**RIGHT, "99-double": f"{ran}\n{RIGHT['99-double']}"}))
    done = grade(tmp_path / "all", tmp_path / "grades.csv", root=root, mode=NONE)
    assert (done.marks[0].points, done.marks[0].of, done.marks[0].by_hand) == (0, 4, 7)
    assert "no submission is run" in done.isolation
    assert "no code was run" in (tmp_path / "grades_feedback" / "ann.html").read_text()
    assert not (tmp_path / "ran").exists()


ATTACKS = {
    "prints": "for _ in range(300_000):\n    print('x' * 40)\nreturn number",
    "writes": "file = open('/tmp/large', 'wb')\nfor _ in range(1024):\n    file.write(bytes(2**20))\nreturn number",
    "forks": "import os\nfor _ in range(30):\n    if not os.fork():\n        while 1: pass\nreturn number",
    "patches": "import course.check.compare as compare, course.check.engine as engine\n"
    "compare.compare = engine.verdict = lambda *a, **k: None\nreturn number",
    "sends": "import os\nfor number in range(3, 20):\n    try:\n        os.write(number, b'passed' * 99)\n"
    "    except OSError: pass\nreturn 1",
}


@needs_bubblewrap
def test_code_that_meddles_with_the_sandbox_gains_nothing(root):
    lesson(root)
    sources = {name: f"import torch\n{double(body)['99-double']}" for name, body in ATTACKS.items()}
    found = verdicts(check.find("99-double"), "double", {**sources, "right": RIGHT["99-double"]}, seconds=6.0)
    assert {name: verdict.points for name, verdict in found.items()} == dict.fromkeys(ATTACKS, 0) | {"right": 2}


@needs_bubblewrap
def test_a_submission_that_ends_its_sandbox_costs_only_itself(root, book, tmp_path):
    body = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nwhile True:\n    pass"
    submit(tmp_path / "all", "a.ipynb", answered(book, double(body)))
    submit(tmp_path / "all", "b.ipynb", answered(book, RIGHT))
    found = marks(root, tmp_path / "all", seconds=4.0)
    assert {name: mark.points for name, mark in found.items()} == {"a.ipynb": 0, "b.ipynb": 4}
    assert "an earlier exercise ended the whole process" in found["a.ipynb"].items[1].sentence


# --- a kill loses nothing

RUN = """import sys
from pathlib import Path
from graded_lesson import lesson
from course.grading.grade import grade
root, folder, out = map(Path, sys.argv[1:])
lesson(root)
done = grade(folder, out, root=root, workers=2, on_mark=lambda mark: print(mark.file, flush=True))
print("new", done.new)
"""


@needs_bubblewrap
def test_a_killed_run_continues_and_grades_each_submission_once(root, book, tmp_path):
    for number in range(5):
        submit(tmp_path / "all", f"s{number}.ipynb", answered(book, RIGHT if number % 2 else {}))
    out = tmp_path / "grades.csv"
    command = [sys.executable, "-c", RUN, str(root), str(tmp_path / "all"), str(out)]
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests" / "support")])
    options = {"env": {**os.environ, "PYTHONPATH": path}, "text": True, "stdout": subprocess.PIPE}
    first = subprocess.Popen(command, start_new_session=True, **options)
    before = [first.stdout.readline() for _ in range(2)]
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert not out.exists()
    with (tmp_path / "grades.jsonl").open("a") as file:
        file.write('{"file": "s4.ip')  # as if the kill had torn a line
    again = subprocess.run(command, check=True, timeout=600, **options)
    lines = [
        json.loads(line)["file"] for line in (tmp_path / "grades.jsonl").read_text().split("\n") if line[-1:] == "}"
    ]
    assert sorted(lines) == [f"s{number}.ipynb" for number in range(5)]
    assert not {line.strip() for line in before} & set(again.stdout.split())
    assert [row["points"] for row in rows(out)] == ["0", "4", "0", "4", "0"]


def test_two_runs_do_not_write_one_ledger(tmp_path):
    ledger = Ledger(tmp_path / "grades.jsonl")
    with pytest.raises(OSError, match=r"another run is writing grades\.jsonl; wait for it"):
        Ledger(tmp_path / "grades.jsonl")
    ledger.close()
    Ledger(tmp_path / "grades.jsonl").close()
    with pytest.raises(OSError, match=r"cannot write grades\.jsonl: .*; choose another --out"):
        Ledger(tmp_path / "grades.jsonl" / "grades.jsonl")


def test_a_ledger_keeps_any_text_and_reads_past_damage(tmp_path):
    path = tmp_path / "grades.jsonl"
    path.write_text('{"file": "torn by an earlier\n{"key": "of another release"}\n')
    mark = Mark("a.ipynb", "\ud800", "99_toy", "k", "", problem="größer")
    ledger = Ledger(path)
    ledger.add(mark)
    ledger.close()
    with path.open("ab") as file:
        file.write(b'{"file": "s4.ip')
    again = Ledger(path)
    again.close()
    assert again.marks == {"k": mark}
    assert Path(f"{path}.damaged").read_bytes() == b'{"file": "s4.ip\n'


# --- words and bytes


def test_the_table_runs_nothing_in_a_spreadsheet_and_the_page_runs_nothing_in_a_browser():
    items = (Item("99-a", "wrong", "<script>1</script>", 0, 1, "<img>"), Item("99-b", "hand", "later", 0, 3))
    mark = Mark("=cmd.ipynb", "=cmd", "99_toy", "k", BUBBLEWRAP, items, "@a\n<b>")
    text, rows = page(mark), list(csv.reader(table([mark]).splitlines()))
    assert not {"<script", "<img", "<b>"} & set(text.replace(">", "> ").replace("<", " <").split())
    assert rows[1][:2] == ["'=cmd.ipynb", "'=cmd"]
    assert rows[1][7] == "'@a | <b>"


@pytest.mark.parametrize("value", [None, 1.5, "x", (1, [2, {"a": True}]), ..., {1, 2}, float("inf")])
def test_plain_values_cross_unchanged(value):
    assert decode(*_parts(encode(value))) == value


def test_tensors_arrays_and_numbers_cross_with_their_type():
    back = decode(
        *_parts(encode([torch.ones(2, requires_grad=True), torch.arange(3).numpy()[1], torch.ones(1).numpy()]))
    )
    assert back[0].requires_grad
    assert type(back[1]).__name__ == "int64"
    assert back[2].dtype == "float32"


@pytest.mark.parametrize(
    "parts",
    [
        (b"{", b""),
        (b'{"tensor": "0"}', b"xx"),
        (b'{"size": ["a"]}', b""),
        (b"[" * 9999, b""),
        (b'{"a": 1, "b": 2}', b""),
    ],
)
def test_broken_messages_are_refused(parts):
    with pytest.raises(WireError, match="the message cannot be read"):
        decode(*parts)


def test_an_input_that_cannot_be_sent_is_named():
    with pytest.raises(TypeError, match="an input of type object cannot be sent"):
        encode(object(), strict=True)


def _parts(frame):
    size = int.from_bytes(frame[:4], "big")
    return frame[8 : 8 + size], frame[8 + size :]


def test_the_command_prints_marks_and_isolation(root, book, tmp_path, capsys):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "a.ipynb").write_text("{no")
    command = ["grade", str(tmp_path / "all"), "--out", str(tmp_path / "grades.csv"), "--root", str(root)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "a.ipynb: 0 of 0 points (a.ipynb: is not JSON (line 1)" in said
    assert "1 graded now, 0 before; isolation: " in said
    (tmp_path / "all" / "evil.zip").write_bytes(b"PK")
    before = sorted(tmp_path.rglob("*"))
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "0 graded now, 1 before" in captured.out
    assert captured.err == "note: archives are not opened, 1 here (evil.zip): unpack them and run again\n"
    assert sorted(tmp_path.rglob("*")) == before
