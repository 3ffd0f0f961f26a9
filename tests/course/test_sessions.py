"""The labs: whole notebooks that need no lesson, planned to the minute, run as they are, and graded."""

import re
from itertools import pairwise

import nbformat
import pytest
from graded_lesson import LESSON, REPOSITORY, by, lesson, submit
from sandboxed import needs_bubblewrap

from course.authoring.cells import LessonError, cell_name
from course.authoring.execute import execute
from course.authoring.lesson import solved_notebook
from course.authoring.lesson_names import lesson_paths
from course.cli import main
from course.handout.export import export_path
from course.handout.sessions import LABS, export_sessions, session_source, spans

NAMES = ("91_lab_one_picture", "92_lab_each_image")
TOY_LAB = """# %% [markdown]
# # Toy lab
# **You will be able to** add. **Before you start** nothing. **Your time**: 3 minutes. **Machine time**: 1 second.

# %% name="setup"
import sys
from course import check

# %% [markdown]
# ## 1. Add (0:00 – 0:03)

# %% take="99-sum"

# %% [markdown]
# ## Recap
# ## Self-test
# ## Further reading
"""


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labs")
    return folder, export_path(folder, "lab2x90")


def exercises(book):
    return [cell.metadata["exercise"] for cell in book.cells if "exercise" in cell.metadata]


def test_a_session_takes_an_exercise_with_its_words_answer_and_check(tmp_path):
    path, labs = lesson(tmp_path), tmp_path / "labs"
    labs.mkdir()
    (labs / "95_lab_toy.py").write_text(TOY_LAB)
    written = export_sessions(labs, {"99": path}, tmp_path / "out")
    assert [str(file.relative_to(tmp_path / "out")) for file in written] == [
        "release/95_lab_toy.ipynb", "README.md", "source/course/lessons/95_lab_toy.py"
    ]  # fmt: skip
    book = nbformat.read(written[0], as_version=4)
    nbformat.validate(book)
    sources = [cell.source for cell in book.cells]
    assert sum(source.startswith("### Exercise 1: add them up") for source in sources) == 1
    assert sum(source.startswith("def add_up") for source in sources) == 1
    assert exercises(book)[0]["needs"] == ["setup"]
    assert "SOLUTION" not in written[0].read_text()
    assert "return sum(numbers)" in written[2].read_text()


@pytest.mark.parametrize("wanted", ["99-none", "77-none"])
def test_an_exercise_that_no_lesson_has_is_named(tmp_path, wanted):
    (tmp_path / "95_lab_toy.py").write_text(TOY_LAB.replace("99-sum", wanted))
    with pytest.raises(LessonError, match=f"session 95_lab_toy takes the exercise '{wanted}', which no lesson has"):
        session_source(tmp_path / "95_lab_toy.py", {"99": lesson(tmp_path)})


def test_no_such_path_and_lessons_beside_it_are_refused(tmp_path):
    with pytest.raises(ValueError, match="--path must be one of lab2x90, got 'x'"):
        export_path(tmp_path / "out", "x")
    with pytest.raises(ValueError, match="lab2x90 chooses its exercises itself: leave --lesson out"):
        export_path(tmp_path / "out", "lab2x90", names=("02",))
    with pytest.raises(LessonError, match="takes the exercise '00-freeze', which no lesson has"):
        export_path(tmp_path / "out", "lab2x90", root=tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_lab_is_planned_to_the_minute(name):
    text = session_source(LABS / f"{name}.py", {path.stem[:2]: path for path in lesson_paths()})
    plan = spans(text.replace("# ##", "##"))
    assert (plan[0][0], plan[-1][1]) == (0, 90)
    assert all(end == start for (_, end), (start, _) in pairwise(plan))
    listed = re.findall(r"^# \| (\d):(\d\d) – (\d):(\d\d) \| (\d)\. ", text, re.MULTILINE)
    assert [(60 * int(a) + int(b), 60 * int(c) + int(d)) for a, b, c, d, _ in listed] == plan
    sections = re.split(r"^# ## ", text, flags=re.MULTILINE)[1 : len(plan) + 1]
    assert [section[0] for section in sections] == [number for *_, number in listed]
    for section, (start, end) in zip(sections, plan, strict=True):
        minutes = sum(map(int, re.findall(r'"minutes": (\d+)', section)))
        assert minutes + 2 <= end - start, section[:40]
    assert [int(n) for n in re.findall(r"### Exercise (\d+):", text)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", NAMES)
def test_a_lab_stands_by_itself_and_runs_before_it_is_solved_and_after(labs, name):
    folder, _ = labs
    untouched = nbformat.read(folder / "release" / f"{name}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in untouched.cells)
    assert not re.findall(r"(?<!layer-)\bsection \d|exercise \d\d-", text), "points to a place that is not here"
    solved = solved_notebook(folder / "source" / "course" / "lessons" / f"{name}.py")
    for book, word in ((untouched, "not attempted yet"), (solved, "passed")):
        execute(name, book, REPOSITORY)  # raises if a cell fails
        said = str([cell.outputs for cell in book.cells if cell.cell_type == "code"])
        assert [word in str(cell.outputs) for cell in book.cells if "check" in cell.metadata] == [True] * 4
        assert said.count("image/png") >= 4
    assert "made by: your code" in said


@needs_bubblewrap
def test_labs_are_graded(labs, tmp_path):
    folder, _ = labs
    for name in NAMES:
        solved = solved_notebook(folder / "source" / "course" / "lessons" / f"{name}.py")
        submit(tmp_path / "all", f"solved/{name}.ipynb", solved)
        untouched = nbformat.read(folder / "release" / f"{name}.ipynb", as_version=4)
        submit(tmp_path / "all", f"untouched/{name}.ipynb", untouched)
    root = ["--root", str(folder / "source")]
    assert main(["grade", str(tmp_path / "all"), "--out", str(tmp_path / "grades.csv"), *root]) == 0
    rows = by("file", tmp_path / "grades.csv")
    for name in NAMES:
        solved, none = (rows[f"{who}/{name}.ipynb"] for who in ("solved", "untouched"))
        assert (solved["points"], none["points"]) == (solved["of"], "0")
        assert float(solved["of"]) >= 8
        total = sum(e["points"] for e in exercises(nbformat.read(folder / "release" / f"{name}.ipynb", as_version=4)))
        assert float(solved["of"]) + float(solved["by_hand"]) == total


def test_a_lab_named_otherwise_may_not_take_from_other_lessons(tmp_path):
    from course.authoring.lesson import read_lesson

    (tmp_path / "98_toy.py").write_text(LESSON)
    with pytest.raises(LessonError, match="the exercise id must look like '98-average'"):
        read_lesson(tmp_path / "98_toy.py")
    (tmp_path / "98_lab_toy.py").write_text(LESSON)
    names = [cell_name(cell) for cell in read_lesson(tmp_path / "98_lab_toy.py").cells]
    assert "99-sum" in names
