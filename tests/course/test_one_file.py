"""One file costs only itself: odd names, odd bytes and code that attacks the run leave all others graded, in time."""

import json
import os
import socket
import struct
import time

import pytest
from graded_lesson import RIGHT, answered, by, double, submit
from sandboxed import needs_bubblewrap

from course.check.compare import compare
from course.grading import grade as grading
from course.grading import worker
from course.grading.grade import grade
from course.grading.marks import page_path
from course.grading.sandbox import NONE
from course.grading.wire import WireError, decode, receive

COLLIDING = 2**61 - 1  # Python's hash of whole numbers is the rest of a division by this


def test_names_and_bytes_of_any_kind_get_a_row_and_a_page_each(root, book, tmp_path):
    folder = tmp_path / "all"
    half = answered(book, {**RIGHT, "99-quiz": 'choice = "\ud800"'})
    half.cells.append({"cell_type": "code", "metadata": {"course": "\udfff"}, "source": "'\ud83d'", "outputs": []})
    submit(folder, "bob/x.ipynb", half)
    submit(folder, "bob/x.html/y.ipynb", book)
    submit(folder, f"{'ä' * 120}.ipynb", book)
    submit(folder, f"{'n' * 243}.ipynb", book)
    submit(folder, f"{'d' * 250}/99_toy.ipynb", book)
    submit(folder, os.fsdecode(b"caf\xe9/99_toy.ipynb"), book)
    done = grade(folder, tmp_path / "grades.csv", root=root, mode=NONE)
    found = by("file", tmp_path / "grades.csv")
    assert len(found) == len(done.marks) == 6
    assert {(row["of"], row["problem"]) for row in found.values()} == {("4", "")}
    assert "caf\\udce9/99_toy.ipynb" in found
    assert sum(path.is_file() for path in done.feedback.rglob("*.html")) == 6
    assert grade(folder, tmp_path / "grades.csv", root=root, mode=NONE).new == 0


def test_pages_of_ordinary_files_keep_their_names():
    assert str(page_path("ann/99_toy.ipynb")) == "ann/99_toy.html"
    assert page_path(f"{'n' * 243}.ipynb") != page_path(f"{'n' * 242}m.ipynb")


def test_a_fault_of_the_grader_itself_costs_one_row(root, book, tmp_path, monkeypatch):
    submit(tmp_path / "all", "a.ipynb", book)
    submit(tmp_path / "all", "b.ipynb", book)
    real = grading.grade_one

    def fails_for_a(opened, mode, seconds, kept):
        if opened.file == "a.ipynb":
            raise OverflowError("too large")
        return real(opened, mode, seconds, kept)

    monkeypatch.setattr(grading, "grade_one", fails_for_a)
    grade(tmp_path / "all", tmp_path / "grades.csv", root=root, mode=NONE)
    found = by("file", tmp_path / "grades.csv")
    assert (found["a.ipynb"]["problem"], found["b.ipynb"]["of"]) == ("a.ipynb: not graded (OverflowError)", "4")


@pytest.mark.parametrize("kind", ["set", "dict"])
def test_numbers_that_collide_are_refused_in_a_second(kind):
    numbers = [COLLIDING * (place + 1) for place in range(100_000)]
    text = json.dumps({kind: [[number, 1] for number in numbers] if kind == "dict" else numbers}).encode()
    start = time.monotonic()
    with pytest.raises(WireError, match="the message cannot be read"):
        decode(text, b"")
    assert time.monotonic() - start < 5


def test_small_sets_cross_and_halves_of_characters_do_not():
    assert decode(b'{"set": [1, 2]}', b"") == {1, 2}
    assert decode(b'"a\\ud800"', b"") == "a?"


@pytest.mark.parametrize("number", [10**400, -(10**400)])
def test_a_number_that_no_float_holds_is_wrong_and_not_an_error(number):
    finding = compare(number, 3)
    assert finding is not None
    assert "too large" in finding.sentence
    assert compare([number], [3.0]) is not None


CODE = {
    "kills": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "stops": "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\nreturn number",
    "forks": "import os, time\nfor _ in range(300):\n    if not os.fork():\n        os.setsid()\n"
    "        time.sleep(600)\nreturn number",
    "says": "raise ValueError('\\ud800' * 9)",
    "huge": "return 10**400",
    "sets": f"return {{{COLLIDING} * (place + 1) for place in range(3_000)}}",
    "texts": "return 'x' * 5_000_000",
}


@needs_bubblewrap
def test_code_that_attacks_the_run_costs_only_its_own_exercises(root, book, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "LATER_SECONDS", 20.0)  # the sandbox that was stopped will never come to the next one
    for name, body in CODE.items():
        submit(tmp_path / "all", f"{name}.ipynb", answered(book, double(body)))
    submit(tmp_path / "all", "right.ipynb", answered(book, RIGHT))
    start = time.monotonic()
    done = grade(tmp_path / "all", tmp_path / "grades.csv", root=root, seconds=10.0)
    assert time.monotonic() - start < 400
    marks = {mark.learner: mark for mark in done.marks}
    points = {name: mark.points for name, mark in marks.items()}
    assert points == dict.fromkeys(CODE, 2) | {"kills": 0, "stops": 0, "right": 4}
    assert {mark.of for mark in marks.values()} == {4}
    said = {name: mark.items[0].sentence for name, mark in marks.items()}
    for name in ("kills", "stops"):
        assert "an earlier exercise ended the whole process" in marks[name].items[1].sentence
    assert "ValueError" in said["says"]
    assert "no check can read" in said["sets"]
    assert "more than 4 MB of text" in said["texts"]


def test_the_frame_s_sizes_are_bounded_before_anything_is_read():
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack(">II", 5 * 2**20, 0))
    with pytest.raises(WireError, match="more than 4 MB of text and lists"):
        receive(ours, time.monotonic() + 5)
