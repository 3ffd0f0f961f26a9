"""Exports: the real nbgrader takes the course folder and grades it; session notebooks stand by themselves."""

import os
import re

import nbformat
import pytest
from graded_lesson import LESSON, RIGHT, answered, by, lesson, nbgrader
from toy_lesson import TOY, write

from course.authoring.cells import LessonError
from course.cli import main
from course.handout.export import export_nbgrader

REBIND = "import course.check\ncourse.check.grade = lambda *args, **options: 2.0"
SIGNED = (
    "import course.check\nfrom course.check.points import Points\n"
    "course.check.grade = lambda name, mine, nonce='': Points(2.0, name, nonce)"
)
EQUAL = """class Equal(float):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = None
def double(number): return Equal()"""
THREAD = """import sys, threading, time
def warn():
    while True:
        print("a warning", file=sys.stderr)
        time.sleep(0.05)
threading.Thread(target=warn, daemon=True).start()"""
TRANSFORMER = """import sys
def skip(lines):
    return ["'anything'"] if "add_up" in "".join(lines) else lines
get_ipython().input_transformers_cleanup.append(skip)"""


def added(book, source):
    """Put a cell of the learner right above the graded cells."""
    place = next(i for i, cell in enumerate(book.cells) if cell.source.startswith("## Graded cells"))
    book.cells.insert(place, nbformat.v4.new_code_cell(source))
    return book


def without(book, grade_id):
    book.cells = [cell for cell in book.cells if cell.metadata.get("nbgrader", {}).get("grade_id") != grade_id]
    return book


def submissions(release):
    """Return notebooks with the points that nbgrader must give them."""
    warns = RIGHT["99-double"].replace("\n", "\n    print('w', file=sys.stderr)\n", 1)
    half = answered(release, {"99-double": warns})
    dropped = answered(release, RIGHT | {"99-double": EQUAL})
    return {
        "solved": (4, answered(release, RIGHT)),
        "stub": (0, answered(release, {})),
        "half": (2, added(half, THREAD)),
        "dropped": (1, without(dropped, "99-sum-grade")),  # and an answer that equals everything
        "cheats": (0, added(added(answered(release, {}), REBIND), TRANSFORMER)),
        "signs": (4, added(answered(release, {}), SIGNED)),  # what bare nbgrader cannot see: instructor.md names it
    }


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The course folder after the four commands of nbgrader; scores of the automatic cells by learner."""
    root, folder = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("nbgrader")
    export_nbgrader(folder, root=lesson(root).parents[2])
    release = nbformat.read(folder / "release/99_toy/99_toy.ipynb", as_version=4)
    for name, (_, book) in submissions(release).items():
        path = folder / "submitted" / name / "99_toy" / "99_toy.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(book, path)
    for command in ("generate_assignment 99_toy --create --force", "autograde 99_toy --create",
                    "generate_feedback 99_toy", "export"):  # fmt: skip
        nbgrader(folder, *command.split())
    return folder


def test_the_real_nbgrader_gives_the_right_points(graded):
    rows = by("student_id", graded / "grades.csv")
    release = nbformat.read(graded / "release/99_toy/99_toy.ipynb", as_version=4)
    expected = {name: float(points) for name, (points, _) in submissions(release).items()}
    assert {name: float(row["raw_score"]) for name, row in rows.items()} == expected
    assert all(float(row["max_score"]) == 7 for row in rows.values())
    assert all((graded / f"feedback/{name}/99_toy/99_toy.html").is_file() for name in expected)


def test_feedback_says_why_there_are_no_points(graded):
    pages = {
        name: (graded / f"feedback/{name}/99_toy/99_toy.html").read_text() for name in ("stub", "dropped", "cheats")
    }
    assert "not attempted yet" in pages["stub"]
    assert "this graded cell was missing in the submission" in pages["dropped"]
    assert "does not come from check.grade" in pages["cheats"]
    assert not re.search(r"nonce=.{0,20}[0-9a-f]{32}", "".join(pages.values()))


def test_our_release_is_the_one_nbgrader_makes(graded, tmp_path):
    export_nbgrader(tmp_path / "again", root=lesson(tmp_path).parents[2])
    ours, theirs = (
        nbformat.read(folder / "release/99_toy/99_toy.ipynb", as_version=4) for folder in (tmp_path / "again", graded)
    )
    assert [cell.source.strip("\n") for cell in ours.cells] == [cell.source.strip("\n") for cell in theirs.cells]


def test_graded_cells_end_in_the_points_and_the_release_has_no_answer(tmp_path):
    written = export_nbgrader(tmp_path / "out", root=lesson(tmp_path).parents[2])
    names = {str(path.relative_to(tmp_path / "out")) for path in written}
    assert names == {"source/99_toy/99_toy.ipynb", "release/99_toy/99_toy.ipynb", "nbgrader_config.py", "README.md"}
    release = nbformat.read(tmp_path / "out/release/99_toy/99_toy.ipynb", as_version=4)
    graded = [cell for cell in release.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    ends = [cell.source.split("\n")[-1] for cell in graded if cell.cell_type == "code"]
    assert ends == [
        'check.grade("99-double", double)', 'check.grade("99-sum", add_up)', 'check.grade("99-quiz", choice)'
    ]  # fmt: skip
    assert sum(cell.metadata.nbgrader.points for cell in graded) == 7
    text = (tmp_path / "out/release/99_toy/99_toy.ipynb").read_text()
    assert not any(secret in text for secret in ("SOLUTION", "MARK SCHEME", "number + number", "Because"))


def test_hidden_tests_move_into_the_graded_cell(tmp_path):
    hidden = "### BEGIN HIDDEN TESTS\nassert double(1) == 2\n### END HIDDEN TESTS\n"
    text = LESSON.replace('check("99-double", double)\n', f'check("99-double", double)\n{hidden}')
    export_nbgrader(tmp_path / "out", root=write(tmp_path, text).parents[2])
    source, release = ((tmp_path / "out" / part / "99_toy/99_toy.ipynb").read_text() for part in ("source", "release"))
    assert source.count("assert double(1) == 2") == 1
    assert "assert double(1) == 2" not in release


def test_a_check_cell_that_cannot_be_graded_is_named(tmp_path):
    write(tmp_path, TOY)
    with pytest.raises(LessonError, match=r"cell 3 \(99-double-check\): the cell cannot be graded; it must call"):
        export_nbgrader(tmp_path / "out", root=tmp_path)
    assert not (tmp_path / "out").exists()


def test_no_lesson_and_a_file_in_the_way_are_named(tmp_path):
    with pytest.raises(ValueError, match="no lesson is there to export: work in a clone"):
        export_nbgrader(tmp_path / "out", root=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot make the folder 99_toy"):
        export_nbgrader(tmp_path / "file", root=lesson(tmp_path).parents[2])


def test_what_an_instructor_changed_is_not_lost_when_it_is_exported_again(tmp_path):
    root, folder = lesson(tmp_path).parents[2], tmp_path / "out"
    export_nbgrader(folder, root=root)
    notes, source = [], folder / "source/99_toy/99_toy.ipynb"
    export_nbgrader(folder, root=root, tell=notes.append)
    assert notes == []
    mine = 'c.Exchange.root = "/srv/mine"\n'
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write(mine)
    source.write_text(changed := source.read_text().replace('"points": 2', '"points": 7'))
    written = export_nbgrader(folder, root=root, tell=notes.append)
    assert (folder / "nbgrader_config.py").read_text().endswith(mine)
    assert folder / "nbgrader_config.py" not in written
    assert (folder / "before_1/source/99_toy/99_toy.ipynb").read_text() == changed != source.read_text()
    assert [note.split(" ")[0] for note in notes] == ["nbgrader_config.py", "1"]


def test_the_command_writes_and_refuses(tmp_path, capsys):
    lesson(tmp_path)
    assert main(["export", "--to", "nbgrader", str(tmp_path / "out"), "--root", str(tmp_path)]) == 0
    assert "release/99_toy/99_toy.ipynb" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "out"), "--root", str(tmp_path)]) == 2
    assert "export needs --to nbgrader" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("os.access", lambda place, mode: mode != os.W_OK)
    for kind in (["--to", "nbgrader"], ["--to", "html"], ["--to", "colab"], ["--path", "lab2x90"]):
        assert main(["export", str(tmp_path / "new"), *kind]) == 2
        assert capsys.readouterr().err == f"error: {tmp_path / 'new'} cannot be written: choose a folder of your own\n"
