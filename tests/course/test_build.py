"""The lesson builder: one source gives two notebooks, the same bytes each time, and nothing half-written."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from toy_lesson import ANSWER, HEADER, TOY, contents, copied, write

from course.authoring import build as builder
from course.authoring import execute
from course.authoring.build import build, check
from course.authoring.cells import LessonError
from course.authoring.execute import LessonFailed

REPOSITORY = Path(__file__).resolve().parents[2]
RICH = """
# %% name="figure"
import inspect
import matplotlib.pyplot as plt
import ipywidgets
plt.plot([0, 1, 4])
plt.show()

# %%
print(inspect.getfile(lambda: 0))

# %%
_ = ipywidgets.interact(lambda x: print("x is", x), x=(0, 3))

# %%
ipywidgets.IntSlider(value=2)

# %%
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
except OSError as error:
    print(type(error).__name__)

# %%
import os, subprocess, time
names = ["VPCOURSE_PROFILE", "VPCOURSE_PROGRESS", "OMP_NUM_THREADS", "PYTHONHASHSEED"]
print([os.environ[name] for name in names], "VPCORE_DATA" in os.environ)
_ = subprocess.run(["echo", "from a child process"])
time.sleep(0.5)  # ipykernel reads what a child prints in a thread of its own
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("toy")
    write(root)
    assert [entry.action for entry in build(root=root)] == ["executed", "executed"]
    return root


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    root = tmp_path_factory.mktemp("rich")
    write(root, TOY + RICH)
    list(build(root=root))
    return root


@pytest.fixture
def no_execution(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a kernel was started")

    monkeypatch.setattr(execute, "execute", refuse)


def notebook(root, folder="notebooks"):
    return nbformat.read(root / folder / "99_toy.ipynb", as_version=4)


def spoil(root, change, folder="notebooks"):
    book = notebook(root, folder)
    change(book)
    nbformat.write(book, root / folder / "99_toy.ipynb")
    return check(root=root)


# --- what a build gives


def test_one_file_of_three_cells_gives_both_notebooks(built):
    learner, solved = notebook(built), notebook(built, "solutions")
    nbformat.validate(learner)
    assert learner.cells[1].source == "def double(number):\n    # your code here\n    ..."
    assert "### BEGIN SOLUTION" in solved.cells[1].source
    assert "assert" not in learner.cells[2].source
    assert learner.cells[2].outputs[0].text.startswith("○ 99-double")
    assert solved.cells[2].outputs[0].text.startswith("✓ 99-double")


def test_the_exercise_is_labelled_and_graded(built):
    learner, solved = notebook(built), notebook(built, "solutions")
    assert "## Exercise: double a number\n\n*gentle · 1 minute · core · 2 points*\n\nWrite" in learner.cells[0].source
    for book in (learner, solved):
        assert [cell.id for cell in book.cells] == [cell.id for cell in learner.cells]
        answer, test = (cell.metadata.nbgrader for cell in book.cells[1:])
        assert (answer.solution, answer.grade, answer.grade_id) == (True, False, "99-double")
        assert (test.grade, test.locked, test.points, test.grade_id) == (True, True, 2, "99-double-check")


WRITTEN = """
# %% [markdown] exercise={"id": "99-why", "points": 3, "minutes": 5, "difficulty": 3, "path": "extra"}
# ### BEGIN SOLUTION
# Because two times a number is the number added to itself.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3: says why the two are one number. 0: does not.
# ### END MARK SCHEME
"""


def test_a_written_exercise_hides_answer_and_rubric(tmp_path):
    path = write(tmp_path, HEADER + WRITTEN)
    solved = builder.solved_notebook(path)
    learner = builder.learner_notebook(solved)
    assert learner.cells[1].source == builder.learner_notebook(learner).cells[1].source == "*Your answer here.*"
    assert "3: says why" in solved.cells[1].source
    grade = learner.cells[1].metadata.nbgrader
    assert (grade.solution, grade.grade, grade.points) == (True, True, 3)


def test_who_learns_alone_finds_a_model_answer_folded_and_no_rubric(tmp_path):
    path = write(tmp_path, HEADER + WRITTEN)
    list(build(root=tmp_path))
    learner = notebook(tmp_path)
    answer, model = learner.cells[1:]
    assert answer.source == "*Your answer here.*"
    assert model.source.startswith("<details>\n<summary>A model answer: write yours first</summary>\n\nBecause two")
    assert "says why" not in str(learner)
    assert check(root=tmp_path) == []
    assert len(builder.learner_notebook(builder.solved_notebook(path)).cells) == 2  # what a class gets holds none
    problems = spoil(
        tmp_path,
        lambda book: book.cells[2].update(source=model.source + "\n3: says why the two are one number. 0: does not."),
    )
    assert any("leaks text of a solution, hidden test or rubric" in problem for problem in problems)
    problems = spoil(tmp_path, lambda book: book.cells[0].update(source=model.source))
    assert any("cell 1" in problem and "leaks text" in problem for problem in problems)


def test_building_twice_gives_the_same_bytes(rich, tmp_path, monkeypatch):
    root, first = copied(rich, tmp_path), contents(rich)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("VPCORE_DATA", str(tmp_path))
    assert {entry.action for entry in build(root=root, force=True)} == {"unchanged"}
    assert contents(root) == first
    assert check(root=root) == []
    text = first["notebooks/99_toy.ipynb"].decode()
    assert "image/png" in text
    assert '"x is 1\\n"' in text  # an Output area is stored as nbval will see it
    assert "<cell>" in text
    assert "ipykernel_" not in text
    assert f'"model_id": "{1:032x}"' in text
    assert "OfflineError" in text
    assert "['quick', 'off', '2', '0'] False" in text
    assert "from a child process" in text
    assert "widgets" not in json.loads(text)["metadata"]
    assert not {"date", "iopub.execute_input"} & set(text.split('"'))


def test_an_unchanged_lesson_is_not_executed(built, tmp_path, no_execution):
    root = copied(built, tmp_path)
    assert {entry.action for entry in build(root=root)} == {"unchanged"}
    write(root, TOY.replace("Write the line.", "Write one line."))
    assert {entry.action for entry in build(root=root)} == {"reused"}
    assert check(root=root) == []
    assert notebook(root).cells[2].outputs[0].text.startswith("○ 99-double")


# --- check, which never executes


def test_check_passes_on_a_build_and_is_quick(built, no_execution):
    start = time.perf_counter()
    assert check(root=built) == []
    assert time.perf_counter() - start < 5


def test_check_finds_a_stale_lesson(built, tmp_path):
    root = copied(built, tmp_path)
    write(root, TOY.replace("number + number  #", "2 * number  #"))
    problems = check(root=root)
    assert len(problems) == 1, problems  # the learner's stub is the same
    assert "solutions/99_toy.ipynb, cell 2 (99-double) was edited by hand or is stale (source)" in problems[0]


def test_check_finds_changed_library_code(built, monkeypatch):
    monkeypatch.setattr(builder, "source_hash", lambda _notebook: "other")
    assert all("is stale: its code, or code it runs, changed" in problem for problem in check(root=built))
    assert len(check(root=built)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.cells[1].update(source="x = 1"), r"cell 2 \(99-double\) was edited by hand or .* \(source\)"),
        (lambda b: b.cells[2].metadata.update(editable=True), r"cell 3 \(99-double-check\) .* \(metadata\)"),
        (lambda b: b.cells.append(nbformat.v4.new_code_cell("1", execution_count=3)), r"cell 4 \('1'\) is not in"),
        (lambda b: b.cells.pop(), r"cell 3 \(99-double-check\) is missing"),
        (lambda b: b.cells.insert(0, b.cells.pop()), "the cells are in another order"),
        (lambda b: b.cells[2].outputs.clear(), "has outputs that were edited or run by hand"),
        (lambda b: b.cells[2].update(execution_count=None), r"cell 3 \(99-double-check\) has execution count None"),
        (lambda b: b.metadata.update(widgets={}), "metadata.widgets is stored"),
        (lambda b: b.metadata.kernelspec.update(name="mine"), "the notebook metadata was edited"),
        (lambda b: b.cells[0].update(source=ANSWER), r"cell 1 .* leaks a SOLUTION marker to learners"),
        (lambda b: b.cells[2].outputs[0].update(text="twice_the_number = number + number  # a line that is telling"),
         r"cell 3 \(99-double-check\) leaks text of a solution"),
    ],
)  # fmt: skip
def test_check_names_the_cell_that_was_changed(built, tmp_path, change, message):
    problems = spoil(copied(built, tmp_path), change)
    assert any(re.search(message, problem) for problem in problems), problems
    assert all("notebooks/99_toy.ipynb" in problem and "\n" not in problem for problem in problems)


def test_check_finds_a_missing_a_broken_and_a_stray_notebook(built, tmp_path):
    root = copied(built, tmp_path)
    (root / "notebooks" / "99_toy.ipynb").write_text("{not json")
    (root / "solutions" / "99_toy.ipynb").rename(root / "solutions" / "97_old.ipynb")
    problems = "\n".join(check(root=root))
    assert "notebooks/99_toy.ipynb is not a readable notebook; run: python -m course build 99_toy" in problems
    assert "solutions/99_toy.ipynb is missing" in problems
    assert "solutions/97_old.ipynb: its lesson 97_old.py is gone" in problems


# --- what stops a build leaves the old files


def test_a_solution_repeated_in_another_cell_is_a_leak(tmp_path):
    write(tmp_path, TOY + "\n# %%\nnumber = 1\ntwice_the_number = number + number  # a line that is telling\n")
    with pytest.raises(LessonError, match=r"lesson 99_toy, cell 4 .* leaks text of a solution"):
        list(build(root=tmp_path))


@pytest.mark.parametrize(
    ("cell", "error", "message"),
    [
        ("1 / 0", LessonFailed, r"cell 4 \('1 / 0'\) raised ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", LessonFailed, "cell 4 .* killed the kernel"),
        ("import sys; print('x', file=sys.stderr)", LessonError, "cell 4 .* wrote to stderr: 'x'"),
        ("object()", LessonError, "cell 4 .* prints a memory address"),
    ],
)
def test_a_cell_that_fails_is_named_and_nothing_is_written(built, tmp_path, cell, error, message):
    root = copied(built, tmp_path)
    before = contents(root)
    write(root, TOY + f"\n# %%\n{cell}\n")
    with pytest.raises(error, match=message):
        list(build(root=root))
    assert contents(root) == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("double(3) == 6", "double(3) == 7", "solutions/99_toy.ipynb, cell 3 .* must give ✓, got ○ 99-double: not att"),
        ("○ 99-double: not", "✗ 99-double: not", "notebooks/99_toy.ipynb, cell 3 .* must give ○, got ✗ 99-double"),
        ("print(", "str(", "solutions/99_toy.ipynb, cell 3 .* must give ✓, got no verdict"),
    ],
)
def test_a_check_with_the_wrong_outcome_is_refused(tmp_path, old, new, message):
    write(tmp_path, TOY.replace(old, new))
    with pytest.raises(LessonError, match=message):
        list(build(root=tmp_path))


def test_a_cell_that_takes_too_long_is_named(tmp_path):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import time\ntime.sleep(60)")])
    with pytest.raises(LessonFailed, match=r"toy, cell 1 \('import time'\) took longer than 1 seconds"):
        execute.execute("toy", book, tmp_path, timeout=1)


def test_a_build_killed_while_it_runs_leaves_the_old_files(built, tmp_path):
    root = copied(built, tmp_path)
    before = contents(root)
    write(root, TOY + "\n# %%\nimport pathlib, time\npathlib.Path('started').touch()\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "course", "build", "--root", str(root)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    running = subprocess.Popen(command, cwd=REPOSITORY, env=environment, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(root.glob("*/started")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert list(root.glob("*/started")), "the build never came to the slow cell"
    assert contents(root) == before
    assert not list(root.glob("*/*.part"))


def test_a_full_disk_leaves_the_old_file_and_no_rest(built, tmp_path, monkeypatch):
    root = copied(built, tmp_path)
    before = contents(root)
    write(root, TOY.replace("Write the line.", "Write one line."))

    def full(_source, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match=r"^cannot write .*solutions/99_toy.ipynb: No space left on device; free space"):
        list(build(root=root))
    assert contents(root) == before
    assert not list(root.glob("*/*.part"))


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "solutions").write_text("")
    with pytest.raises(OSError, match=r"^cannot make the folder solutions: File exists; move what is in"):
        list(build(root=tmp_path))


def test_an_unknown_lesson_is_refused(built):
    with pytest.raises(ValueError, match="no lesson '55'; lessons: 99_toy"):
        list(build(("55",), built))


def test_authors_without_the_tools_are_told(built, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(ImportError, match=r"needs jupytext and nbgrader; run: python -m pip install -e '\.\[dev\]'"):
        check(root=built)


# --- strict nbval, as the bare command runs it


def nbval(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs nbval without the last item of each notebook, since none of these has a budget."""
    for folder in ("notebooks", "solutions"):
        text = (REPOSITORY / folder / "conftest.py").read_text()
        (root / folder / "conftest.py").write_text(text)
    (root / "pytest.ini").write_text("[pytest]\n")
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    environment = {**os.environ, "PYTHONPATH": path, "VPCORE_DATA": "elsewhere"}
    folders = [str(root / folder) for folder in ("notebooks", "solutions")]
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "-k", "not budget", "--rootdir", str(root), *folders]
    return subprocess.run(command, cwd=folders[0], env=environment, capture_output=True, text=True, check=False)


def test_strict_nbval_passes_on_what_was_built(rich, tmp_path):
    done = nbval(copied(rich, tmp_path))
    assert "16 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_strict_nbval_starts_a_kernel_again_that_died_at_its_start(built, tmp_path, monkeypatch):
    launcher = "import pathlib, sys\nseen = pathlib.Path(__file__).with_name('seen')\nif not seen.exists():\n"
    launcher += "    seen.touch()\n    sys.exit(1)\n"
    launcher += "from ipykernel.kernelapp import launch_new_instance\nlaunch_new_instance()\n"
    (tmp_path / "ipykernel_launcher.py").write_text(launcher)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = nbval(copied(built, tmp_path / "copy"))
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "seen").exists()


def test_strict_nbval_fails_on_a_wrong_stored_output(built, tmp_path):
    root = copied(built, tmp_path)
    spoil(root, lambda book: book.cells[2].outputs[0].update(text="✓ 99-double: passed (2 points)\n"))
    done = nbval(root)
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr


def test_the_stub_of_a_value_is_one_line():
    from course.authoring.learner import plain_values

    function = "def double(number):\n    # your code here\n    ..."
    sources = ['choice = ...  # "a" or "b"\n# your code here\n...', function]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    assert [cell.source for cell in plain_values(book).cells] == ['choice = ...  # "a" or "b"', function]
