"""A class and not a folder: class lists, lateness, marks by hand, regrading, and the tables of Canvas and Moodle."""

import csv
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from graded_lesson import RIGHT, answered, by, lesson, rows, submit
from sandboxed import needs_bubblewrap

from course.grading import plan as planning
from course.grading.grade import ALL, grade
from course.grading.hand import read_hand
from course.grading.late import _times, read_policy
from course.grading.learners import join
from course.grading.lms import moodle_time, sender
from course.grading.marks import Item, Mark, plain
from course.grading.outputs import Inputs
from course.grading.plan import make_plan
from course.grading.progress import Progress
from course.grading.roster import read_roster
from course.grading.sandbox import NONE


def fill(path: Path, out: Path, points: dict[tuple[str, str], tuple[str, str]], **more: str) -> Path:
    found = rows(path)
    for row in found:
        row["points"], row["comment"] = points.get((row["file"], row["exercise"]), ("", ""))
        row |= more
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    return out


# --- marks by hand


def test_marks_by_hand_enter_table_and_pages_and_change_no_denominator(root, book, tmp_path):
    for name in ("ann", "bob"):
        submit(tmp_path / "all", f"{name}/99_toy.ipynb", answered(book, {**RIGHT, "99-why": "Because <b>."}))
    out, waiting = tmp_path / "g.csv", tmp_path / "g_to_mark.csv"
    grade(tmp_path / "all", out, root=root, mode=NONE)
    before = by("file", out)
    page = (tmp_path / "g_to_mark.html").read_text(encoding="utf-8")
    assert page.index("3: says why.") < page.index("Because &lt;b&gt;.") < page.rindex("bob")
    given = {("ann/99_toy.ipynb", "99-why"): ("2,5", "names one reason"), ("bob/99_toy.ipynb", "99-double"): ("2", "")}
    marks = fill(waiting, tmp_path / "marks.csv", given)
    done = grade(tmp_path / "all", out, root=root, mode=NONE, inputs=Inputs(hand=marks))
    after = by("file", out)
    assert (done.new, done.notes) == (0, ())
    for name, total in (("ann/99_toy.ipynb", "2.5"), ("bob/99_toy.ipynb", "2")):
        assert (after[name]["marked"], after[name]["total"]) == (total, total)
        for of in ("of", "total_of"):
            assert after[name][of] == before[name][of]
        assert float(after[name]["by_hand"]) < float(before[name]["by_hand"])
    assert "names one reason (2.5 of 3)" in (tmp_path / "g_feedback/ann/99_toy.html").read_text(encoding="utf-8")
    kept = {(row["file"], row["exercise"]): row["points"] for row in rows(waiting)}
    assert kept["ann/99_toy.ipynb", "99-why"] == "2.5"  # given to --hand again, it says the same
    again = grade(tmp_path / "all", out, root=root, mode=NONE, inputs=Inputs(hand=waiting))
    assert [mark.total for mark in again.marks] == [2.5, 2]


def test_a_row_that_cannot_be_entered_is_named_and_no_filled_table_is_lost(root, book, tmp_path):
    submit(tmp_path / "all", "ann.ipynb", answered(book, RIGHT))
    out, waiting = tmp_path / "g.csv", tmp_path / "g_to_mark.csv"
    grade(tmp_path / "all", out, root=root, mode=NONE)
    fill(waiting, waiting, {("ann.ipynb", "99-why"): ("9", "")})
    text = waiting.read_text()
    done = grade(tmp_path / "all", out, root=root, mode=NONE)
    assert done.notes == ("g_to_mark.csv holds marks already and was left as it is: give it with --hand, or move it",)
    done = grade(tmp_path / "all", out, root=root, mode=NONE, inputs=Inputs(hand=waiting))
    assert done.notes == ("g_to_mark.csv: ann.ipynb, 99-why: points must be 0 to 3, got 9",)
    assert waiting.read_text() == text
    fill(waiting, waiting, {("ann.ipynb", "99-why"): ("1", "")}, version="0" * 12)
    done = grade(tmp_path / "all", out, root=root, mode=NONE, inputs=Inputs(hand=waiting))
    assert "the file changed since it was marked" in done.notes[0]
    waiting.write_text("file,exercise,points\nann.ipynb,99-nothing,1\n")
    done = grade(tmp_path / "all", out, root=root, mode=NONE, inputs=Inputs(hand=waiting))
    assert done.notes == ("g_to_mark.csv: ann.ipynb, 99-nothing: there is no such file or exercise",)
    for wrong, said in (
        ("file,exercise,points\na,b,two\n", "points must be a number"),
        ("file,points\na,1\n", "exercise"),
    ):
        waiting.write_text(wrong)
        with pytest.raises(ValueError, match=said):
            grade(tmp_path / "all", out, root=root, mode=NONE, inputs=Inputs(hand=waiting))


@pytest.mark.parametrize("same", [False, True], ids=["not given", "given"])
def test_comments_without_points_are_not_lost(root, book, tmp_path, same):
    submit(tmp_path / "all", "ann.ipynb", answered(book, RIGHT))
    out, waiting = tmp_path / "g.csv", tmp_path / "g_to_mark.csv"
    grade(tmp_path / "all", out, root=root, mode=NONE)
    assert waiting.read_bytes().startswith(b"\xef\xbb\xbffile,")
    fill(waiting, waiting, {("ann.ipynb", "99-why"): ("", "ask Ann about the interval")})
    inputs = Inputs(hand=waiting) if same else None
    done = grade(tmp_path / "all", out, root=root, mode=NONE, inputs=inputs)
    assert "ask Ann about the interval" in waiting.read_text(encoding="utf-8")
    said = "ann.ipynb, 99-why: has a comment and no points: enter points" if same else "holds marks already"
    assert said in done.notes[0]


# --- tables of the instructor

TABLES = {
    "cp1252": "id,name\ns1,Jürgen\n".encode("cp1252"),
    "xlsx": b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\xb5\xd0",
    "utf16": "id,name\ns1,A\n".encode("utf-16"),
}


@pytest.mark.parametrize("read", [read_roster, read_hand, _times], ids=["roster", "hand", "times"])
@pytest.mark.parametrize("data", TABLES.values(), ids=TABLES)
def test_a_table_that_is_no_utf8_is_named_with_a_cure(tmp_path, read, data):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"t\.csv is not UTF-8: save it as CSV UTF-8"):
        read(path)
    path.write_bytes(b'id,name\ns1,"' + b"x" * 140_000 + b'"\n')
    with pytest.raises(ValueError, match=r"t\.csv cannot be read as a table \(field larger.*: save it as CSV UTF-8"):
        read(path)


def test_tables_with_semicolons_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("\ufeffid;name;section\r\ns1;Müller, Jürgen;A\r\n".encode())
    assert read_roster(path).people[0].name == "Müller, Jürgen"
    path.write_bytes("\ufefffile;version;exercise;points;comment\r\na.ipynb;;99-why;2,5;schön\r\n".encode())
    assert read_hand(path)["a.ipynb", "99-why"]["points"] == "2,5"
    path.write_text("file;time\na.ipynb;2026-10-07T10:00:00+02:00\n")
    assert _times(path)[0][0] == "a.ipynb"


# --- regrading


def test_a_grade_s_key_holds_grader_checks_library_and_versions(root, monkeypatch):
    path = lesson(root)
    digest = make_plan(path).digest
    assert digest == make_plan(path).digest
    first = planning.what_grades.__wrapped__()
    monkeypatch.setattr("torch.__version__", "9.9.9")
    assert planning.what_grades.__wrapped__() != first
    monkeypatch.undo()
    monkeypatch.setattr(planning, "what_grades", lambda: "another library")
    assert make_plan(path).digest != digest
    read = [file.parent.name for folder in ("check", "grading", "prompts") for file in files_hashed(folder)]
    assert {"check", "grading", "prompts"} <= set(read)


def files_hashed(folder: str) -> list[Path]:
    import vpcore

    homes = (Path(planning.__file__).parents[1], Path(vpcore.__file__).parent)
    return [file for home in homes for file in (home / folder).glob("*.py")]


@needs_bubblewrap
def test_regrading_an_exercise_leaves_the_others_and_says_what_changed(root, book, tmp_path):
    submit(tmp_path / "all", "ann.ipynb", answered(book, RIGHT))
    submit(tmp_path / "all", "bob.ipynb", answered(book, {}))
    out, ledger = tmp_path / "g.csv", tmp_path / "g.jsonl"
    grade(tmp_path / "all", out, root=root)
    lines = [json.loads(line) for line in ledger.read_text().splitlines() if line]
    for line in lines:  # as an earlier check graded: no sums, and half a point too much of the double
        for item in line["items"]:
            item["points"] = {"99-sum": 0.0, "99-double": 2.5}.get(item["id"], item["points"])
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = grade(tmp_path / "all", out, root=root, regrade=("99-sum",))
    found = {mark.file: {item.id: item.points for item in mark.items} for mark in done.marks}
    assert found["ann.ipynb"] == {"99-double": 2.5, "99-sum": 1, "99-quiz": 1, "99-why": 0}
    assert [
        (row["file"], row["exercise"], row["before"], row["after"]) for row in rows(tmp_path / "g_changes.csv")
    ] == [("ann.ipynb", "99-sum", "0", "1")]
    done = grade(tmp_path / "all", out, root=root, regrade=(ALL,))
    assert done.new == 2
    assert [(c.mark.file, c.after.id, c.before.points, c.after.points) for c in done.changes] == [
        ("ann.ipynb", "99-double", 2.5, 2), ("bob.ipynb", "99-double", 2.5, 0)
    ]  # fmt: skip
    assert grade(tmp_path / "all", out, root=root).new == 0
    with pytest.raises(ValueError, match="--regrade takes all or an exercise of these lessons, got '99-none'"):
        grade(tmp_path / "all", out, root=root, regrade=("99-none",))


def test_regrading_keeps_the_problems_of_the_other_exercises(root, book, tmp_path):
    submit(tmp_path / "all", "ann.ipynb", answered(book, RIGHT))
    out, ledger = tmp_path / "g.csv", tmp_path / "g.jsonl"
    grade(tmp_path / "all", out, root=root, mode=NONE)
    missing = [f"ann.ipynb: no cell gives the answer of {name}; 0 points for it" for name in ("99-double", "99-sum")]
    line = {**json.loads(ledger.read_text()), "problem": "\n".join(missing)}
    ledger.write_text(json.dumps(line) + "\n")
    done = grade(tmp_path / "all", out, root=root, mode=NONE, regrade=("99-sum",))
    assert done.marks[0].problem == missing[0]


@needs_bubblewrap
@pytest.mark.parametrize("regrade", [(), ("99-sum",)], ids=["again", "one exercise"])
def test_marks_made_without_bubblewrap_do_not_stay(root, book, tmp_path, regrade):
    submit(tmp_path / "all", "ann.ipynb", answered(book, RIGHT))
    out = tmp_path / "g.csv"
    assert grade(tmp_path / "all", out, root=root, mode=NONE).marks[0].points == 0
    done = grade(tmp_path / "all", out, root=root, regrade=regrade)
    assert (done.new, done.marks[0].points) == (1, 4)
    done = grade(tmp_path / "all", out, root=root, mode=NONE)  # without it again, what was checked stays
    assert (done.new, done.marks[0].points) == (0, 4)


# --- who handed in


SENDERS = {
    "doejane_12345_6789012_02_multiscale_prompts.ipynb": ("doejane", "12345", 0, False),
    "o'neilzoë_LATE_7_8_02_multiscale_prompts-2.ipynb": ("o'neilzoë", "7", 2, True),
    "section1/doejane_12345_67_02.ipynb": ("doejane", "12345", 0, False),
    "Jane Doe_4711_assignsubmission_file_/02_multiscale_prompts.ipynb": ("Jane Doe", "4711", 0, False),
    "Zoë O'Neil_4712_assignsubmission_file_02_multiscale_prompts.ipynb": ("Zoë O'Neil", "4712", 0, False),
    "ann/02_multiscale_prompts.ipynb": ("ann", "", 0, False),
    "bob.ipynb": ("bob", "", 0, False),
    "02_multiscale_prompts.ipynb": ("02_multiscale_prompts", "", 0, False),
}


@pytest.mark.parametrize("file", SENDERS)
def test_names_of_canvas_and_moodle_say_who_handed_in(file):
    found = sender(file)
    assert (found.name, found.user, found.again, found.late) == SENDERS[file]


CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,99 A toy (1234),02 Other (77),Current Score
    Points Possible,,,,,7,10,(read only)
"Doe, Jane",12345,s-1,jane@example.org,Lab A,,3,
"=cmd, Zoë",7,s-2,zoe@example.org,Lab B,,,
"Nobody, Ned",9,s-3,ned@example.org,Lab B,,,
"""
MOODLE = """Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,\
Last modified (submission),Last modified (grade),Feedback comments
Participant 4711,Jane Doe,s-1,jane@example.org,Submitted for grading,,50.00,Yes,"Monday, 5 October 2026, 11:59 PM",-,
Participant 4712,@Zoë O'Neil,s-2,zoe@example.org,Submitted for grading,,50.00,Yes,"Thursday, 8 October 2026, 1:00 AM",-,
Participant 4713,Ned Nobody,s-3,ned@example.org,No submission,,50.00,Yes,-,-,
"""


def test_canvas_gets_its_table_back_with_points_in(root, book, tmp_path):
    table = tmp_path / "export.csv"
    table.write_text(CANVAS, encoding="utf-8-sig")
    for file in ("doejane_12345_1_99_toy.ipynb", "cmdzoe_LATE_7_2_99_toy.ipynb", "cmdzoe_7_3_99_toy-1.ipynb"):
        submit(tmp_path / "all", file, answered(book, RIGHT))
    submit(tmp_path / "all", "stranger_5_9_99_toy.ipynb", book)
    grade(tmp_path / "all", tmp_path / "g.csv", root=root, mode=NONE, inputs=Inputs(roster=table))
    marks = fill(tmp_path / "g_to_mark.csv", tmp_path / "m.csv", {
        ("doejane_12345_1_99_toy.ipynb", "99-why"): ("3", ""), ("cmdzoe_7_3_99_toy-1.ipynb", "99-sum"): ("1", ""),
        ("cmdzoe_LATE_7_2_99_toy.ipynb", "99-why"): ("3", ""),
    })  # fmt: skip
    done = grade(tmp_path / "all", tmp_path / "g.csv", root=root, mode=NONE, inputs=Inputs(roster=table, hand=marks))
    assert done.notes == ("stranger_5_9_99_toy.ipynb: stranger is not in the class list",)
    text = (tmp_path / "g_canvas.csv").read_bytes().decode()
    assert text.startswith("\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,99 A toy (1234)\r\n")
    found = rows(tmp_path / "g_canvas.csv")
    assert [row["99 A toy (1234)"] for row in found] == ["7", "3", "1", ""]
    assert found[2]["Student"] == "'=cmd, Zoë"
    known = by("id", tmp_path / "g_class.csv")
    assert (known["7"]["total"], known["7"]["of"], known["9"]["total"], known["7"]["section"]) == (
        "1",
        "7",
        "0",
        "Lab B",
    )
    assert "cmdzoe_7_3_99_toy-1.ipynb counts, not cmdzoe_LATE_7_2_99_toy.ipynb" in known["7"]["problem"]


def test_moodle_gets_its_worksheet_back_and_its_times_make_late(root, book, tmp_path):
    table, late = tmp_path / "sheet.csv", tmp_path / "late.toml"
    table.write_text(MOODLE, encoding="utf-8-sig")
    late.write_text("deadline = 2026-10-05T23:59:00+02:00\nper_day = 10\nat_most = 50\n")
    for number, name in ((4711, "Jane Doe"), (4712, "Zoë O'Neil")):
        submit(tmp_path / "all", f"{name}_{number}_assignsubmission_file_/99_toy.ipynb", answered(book, RIGHT))
    inputs = Inputs(roster=table, late=late)
    grade(tmp_path / "all", tmp_path / "g.csv", root=root, mode=NONE, inputs=inputs)
    waiting = tmp_path / "g_to_mark.csv"
    given = {(row["file"], row["exercise"]): (row["of"], "") for row in rows(waiting)}
    inputs = replace(inputs, hand=fill(waiting, tmp_path / "m.csv", given))
    grade(tmp_path / "all", tmp_path / "g.csv", root=root, mode=NONE, inputs=inputs)
    found = rows(tmp_path / "g_moodle.csv")
    assert list(found[0]) == MOODLE.split("\n")[0].split(",")
    assert [row["Grade"] for row in found] == ["50.00", "35.00", ""]
    assert found[1]["Feedback comments"] == "99_toy: 4.9 of 7 points, 30 % off for lateness"
    assert found[1]["Full name"] == "'@Zoë O'Neil"
    page = (tmp_path / "g_feedback/Zoë O'Neil_4712_assignsubmission_file_/99_toy.html").read_text(encoding="utf-8")
    assert "Handed in late: 30 % less, so 4.9 of 7 points count." in page


def test_a_class_list_of_one_s_own_finds_ids_and_names_or_says_why_not(tmp_path):
    path = tmp_path / "class.csv"
    path.write_text(
        'id,name,section\ns1,Jane Doe,A\ns2,"O\'Neil, Zoë",B\ns3,Kim Lee,A\ns4,Lee Kim,B\n', encoding="utf-8"
    )
    roster = read_roster(path)

    def found(file):
        person = roster.find(sender(file))
        return person if isinstance(person, str) else person.id

    assert found("S1/02.ipynb") == found("Jane Doe/02.ipynb") == found("doejane_1_2_02.ipynb") == "s1"
    assert found("zoeoneil/02.ipynb") == found("Zoë O'Neil_9_assignsubmission_file_/x.ipynb") == "s2"
    assert found("kimlee.ipynb") == "kimlee may be s3 or s4: name the folder by the id"
    assert found("max/02.ipynb") == "max is not in the class list"
    path.write_text("id,name\ns1,A\ns1,B\n")
    with pytest.raises(ValueError, match=r"class\.csv has the id 's1' twice"):
        read_roster(path)
    path.write_text("student;mark\n")
    with pytest.raises(ValueError, match="is no class list: it needs the columns id, name"):
        read_roster(path)


def test_the_folder_says_whose_a_file_is_where_the_class_list_has_it(root, book, tmp_path):
    table = tmp_path / "class.csv"
    table.write_text("id,name\nana,Ana\n08,Zoe\n7,Max\n")
    files = {
        "ana/hw_08_2026_final.ipynb": "ana", "ana/lab_9_12_final.ipynb": "ana", "A/max_7_12_final.ipynb": "7",
        "lab_08_12_final.ipynb": "08",
    }  # fmt: skip
    for file in files:
        submit(tmp_path / "all", file, book)
    marks = grade(tmp_path / "all", tmp_path / "g.csv", root=root, mode=NONE).marks
    learners, notes = join(marks, tmp_path / "all", read_roster(table), None)
    assert not notes
    for learner in learners:
        counted = learner.lessons["99_toy"]
        mine = {file for file, name in files.items() if name == learner.person.id}
        assert {counted.mark.file, *counted.others} == mine


# --- lateness


def test_what_lateness_cannot_use_is_named(root, book, tmp_path):
    table, late = tmp_path / "sheet.csv", tmp_path / "late.toml"
    table.write_text(MOODLE.replace("Thursday, 8 October 2026", "Donnerstag, 8. Oktober 2026"), encoding="utf-8-sig")
    (tmp_path / "times.csv").write_text(
        "file,time\nanna/99.IPYNB,2026-10-07T10:00:00Z\ndoe_LATE_4711_8_99.ipynb,2026-10-05T10:00:00Z\n"
    )
    late.write_text('deadline = 2026-10-05T23:59:00+02:00\ntimes = "times.csv"\n')
    submit(tmp_path / "all", "doe_LATE_4711_8_99.ipynb", book)
    marks = grade(tmp_path / "all", tmp_path / "g.csv", root=root, mode=NONE).marks
    _, notes = join(marks, tmp_path / "all", None, read_policy(late))
    assert notes == [
        "the late policy's times name no such file, 1 here (anna/99.IPYNB): correct the names",
        "Canvas says LATE and the time used does not, 1 here (doe_LATE_4711_8_99.ipynb): enter them into the late "
        "policy's times",
    ]
    _, notes = join(marks, tmp_path / "all", read_roster(table), read_policy(late))
    assert notes[0] == (
        "Moodle's times cannot be read, 1 here (Donnerstag, 8. Oktober 2026, 1:00 AM): "
        "download the worksheet in English"
    )


def test_a_late_policy_counts_days_begun_with_grace_and_a_most(tmp_path):
    (tmp_path / "times.csv").write_text("file,time\nann/x.ipynb,2026-10-07T10:00:00+02:00\n")
    path = tmp_path / "late.toml"
    path.write_text(
        'deadline = 2026-10-05T23:59:00+02:00\nper_day = 20\nat_most = 50\ngrace_minutes = 30\ntimes = "times.csv"\n'
    )
    policy = read_policy(path)
    for late, cost in ((0, 0), (30, 0), (31, 20), (24 * 60, 20), (24 * 60 + 1, 40), (9999, 50)):
        assert policy.cost(policy.deadline + timedelta(minutes=late)) == cost, late
    assert policy.cost(policy.time_of("ann/x.ipynb", path)) == 40
    os.utime(path, (0, 0))
    assert policy.time_of("bob/x.ipynb", path) == datetime.fromtimestamp(0, UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deadline = 2026-10-05T23:59:00", "needs a deadline with a time zone"),
        ("per_day = 1", "needs a deadline with a time zone"),
        ("deadline = 2026-10-05T23:59:00Z\nper_days = 1", "unknown field 'per_days'"),
        ("deadline = 2026-10-05T23:59:00Z\nper_day = -1", "per_day must be a number from 0 up"),
        ("deadline = ", "is no TOML file"),
        ("deadline = 2026-10-05T23:59:00Z\nper_day = nan", "per_day must be a number from 0 up"),
        ("deadline = 2026-10-05T23:59:00Z\nat_most = 150", "at_most must be at most 100, got 150"),
        ("deadline = 2026-10-05T23:59:00Z\ntimes = 5", "times must be the name of a table, got 5"),
    ],
)
def test_a_wrong_late_policy_is_named(tmp_path, text, said):
    path = tmp_path / "late.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_policy(path)
    path.write_bytes(b"# f\xfcr alle\n")
    with pytest.raises(ValueError, match=r"late\.toml is not UTF-8: save it as UTF-8"):
        read_policy(path)


@pytest.mark.parametrize("text", ["Monday, 5 October 2026, 11:59 PM", "Monday, October 5, 2026, 11:59 PM"])
def test_moodle_s_times_are_read(text):
    assert moodle_time(text, UTC) == datetime(2026, 10, 5, 23, 59, tzinfo=UTC)
    assert moodle_time(text.replace(" PM", "\u202fPM"), UTC) == moodle_time(text, UTC)  # as some servers write it
    assert moodle_time("-", UTC) is None


# --- words


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", " =1"])
def test_no_spreadsheet_runs_a_cell(text):
    assert plain(text) == f"'{text}"
    assert plain(f"x{text}") == f"x{text}"


def test_progress_says_how_many_of_how_many_and_what_is_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    progress, mark = Progress(), Mark("a.ipynb", "a", "99_toy", "k", "", (Item("99-a", "passed", "", 1, 2),))
    progress.start(60)
    now[0] = 10.0
    assert progress.line(mark) == "[ 1/60, about 10 min left] a.ipynb: 1 of 2 points"
    now[0] = 40.0
    for _ in range(57):
        progress.line(mark)
    assert "[59/60] a" in progress.line(mark)
