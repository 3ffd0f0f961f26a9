"""Versions for classes: another class's answer does not fit, a solved version passes, later cells go on."""

import ast
import json
import shlex
from dataclasses import replace

import nbformat
import pytest
from graded_lesson import REPOSITORY, by, submit
from sandboxed import needs_bubblewrap

from course import check
from course.authoring.lesson import solved_notebook
from course.authoring.lesson_names import lesson_paths
from course.check import FunctionExercise, all_exercises, find
from course.check.compare import compare
from course.check.engine import judge
from course.check.variants import plain_id
from course.cli import main
from course.grading.cells import Notebook, run_slice
from course.grading.plan import answer_call
from course.handout.variants import export_variant, varied_lesson

SEEDS = (3, 4, 2027)
VARIED = [e for e in all_exercises().values() if isinstance(e, FunctionExercise) and e.variant]
LESSONS = lesson_paths(REPOSITORY)


def test_every_lesson_has_a_core_exercise_with_at_least_three_versions():
    core = {
        cell.metadata["exercise"]["id"]
        for path in LESSONS
        for cell in solved_notebook(path).cells
        if cell.metadata.get("exercise", {}).get("path") == "core"
    }
    assert {e.id[:2] for e in VARIED if e.id in core} == {path.stem[:2] for path in LESSONS}
    assert all(len(set(e.variant.values)) >= 3 for e in VARIED)


@pytest.mark.parametrize("exercise", VARIED, ids=lambda exercise: exercise.id)
@pytest.mark.parametrize("seed", SEEDS)
def test_only_this_class_s_answer_passes(exercise, seed):
    mine, before = (replace(find(f"{exercise.id}-v{number}"), forbids=()) for number in (seed, seed - 1))
    assert judge(mine, mine.reference).passed
    for other in (exercise.reference, before.reference, *(mistake.wrong for mistake in mine.mistakes)):
        assert not judge(mine, other).passed


@pytest.mark.parametrize("exercise", VARIED, ids=lambda exercise: exercise.id)
def test_later_cells_get_the_plain_function_back(exercise):
    varied = find(f"{exercise.id}-v{SEEDS[0]}")
    for given in exercise.cases(exercise.rng())[:2]:
        args = given if type(given) is tuple else (given,)
        want = exercise.reference(*args)
        got = varied.adapt(varied.reference)(*args)
        assert (got is None) if want is None else compare(got, want, tolerance=1e-6) is None


def test_use_turns_an_answer_that_passed_into_the_plain_one():
    check.forget()
    try:
        name = "01-count-v3"
        size = find("01-count").variant.constants(3)[0]

        def mine(chans, height, width, p):
            return size * 2 * chans * p * (height + width - 2 * p)

        assert check.use(name, mine)(3, 32, 32, 4) == 1344
        assert "not passed" in check.made_by(name)
        assert check(name, mine).passed
        assert check.use(name, mine)(3, 32, 32, 4) == 1344
        assert check.made_by(name) == "your code"
        assert f"{size} bytes each" in repr(check.hint(name))
    finally:
        check.forget()


def test_quiz_choices_change_places_and_reasons_go_along():
    old, new = find("01-quiz-space"), find("01-quiz-space-v3")
    passed = [[c for c in "abcd" if judge(quiz, c).passed] for quiz in (old, new)]
    assert passed[0] == ["c"]
    assert passed[1] != passed[0]
    said = [{judge(quiz, c).sentence.split(": ", 2)[-1] for c in "abcd"} for quiz in (old, new)]
    assert len(said[0]) == 4
    assert said[0] == said[1]  # a reason names its choice before the second colon


def test_sources_keep_the_rules_and_differ_from_seed_to_seed(tmp_path):
    for path in LESSONS:
        texts = {seed: varied_lesson(path, seed) for seed in SEEDS}
        assert len({*texts.values(), path.read_text()}) == len(SEEDS) + 1
        for seed, text in texts.items():
            assert "In your class" in text
            assert max(map(len, text.split("\n"))) <= 200
            (tmp_path / path.name).write_text(text)
            book = solved_notebook(tmp_path / path.name)
            ids = [cell.metadata["exercise"]["id"] for cell in book.cells if "exercise" in cell.metadata]
            assert any(name.endswith(f"-v{seed}") for name in ids)


def test_a_lesson_that_no_longer_fits_its_variant_is_named(tmp_path):
    path = next(path for path in LESSONS if path.stem.startswith("01"))
    text = path.read_text().replace("def count_frame(chans, height, width, p):", "def count_frame(c, h, w, p):")
    (tmp_path / path.name).write_text(text)
    with pytest.raises(ValueError, match=r"the variant of 01-count asks for one function with \(chans"):
        varied_lesson(tmp_path / path.name, 3)


def test_release_notebooks_hold_no_answer_and_the_command_writes_them(tmp_path, capsys):
    assert main(["export", str(tmp_path), "--variant", "3", "--lesson", "01"]) == 0
    out = capsys.readouterr().out.split()
    assert out == ["release/01_pixel_prompts.ipynb", "README.md", "source/course/lessons/01_pixel_prompts.py"]
    text = (tmp_path / "release" / "01_pixel_prompts.ipynb").read_text()
    assert "In your class, return the bytes" in text
    assert "SOLUTION" not in text
    assert "def plain" not in text
    assert "--root" in (tmp_path / "README.md").read_text()
    assert main(["export", str(tmp_path), "--variant", "-1"]) == 2
    assert main(["export", str(tmp_path), "--variant", "3", "--to", "html"]) == 2


def test_the_command_of_the_readme_takes_a_folder_with_a_space(tmp_path):
    export_variant(folder := tmp_path / "my course", 3, ("01",))
    command = next(line for line in (folder / "README.md").read_text().splitlines() if "--root" in line)
    assert shlex.split(command)[-1] == str(folder / "source")


def answers_of(path, ids):
    """Return what the solved notebook of a lesson source hands to the checks of some exercises, by plain id."""
    book, found = solved_notebook(path), {}
    notebook = Notebook([cell.source if cell.cell_type == "code" else None for cell in book.cells], [])
    for place, cell in enumerate(book.cells):
        name = cell.metadata.get("check", "")
        if plain_id(name) in ids:
            part = notebook.slice(name, answer_call(path.stem, place, cell)[1])
            space = {"__name__": "__main__"}
            run_slice(notebook, part, space, lambda said: None)
            found[plain_id(name)] = eval(compile(ast.Expression(part.expression), "<check>", "eval"), space)
    return found


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_solved_versions_pass_and_published_answers_do_not(tmp_path, path):
    changed = [e for e in all_exercises().values() if e.id.startswith(path.stem[:2]) and e.varied("x", 0)]
    ids = {exercise.id for exercise in changed}
    published = answers_of(path, ids)
    assert set(published) == ids
    for seed in SEEDS:
        (tmp_path / path.name).write_text(varied_lesson(path, seed))
        for name, answer in answers_of(tmp_path / path.name, ids).items():
            assert judge(find(f"{name}-v{seed}"), answer).passed, f"{name}-v{seed}"
            assert not judge(find(f"{name}-v{seed}"), published[name]).passed, f"{name}-v{seed}"
            assert not judge(find(f"{name}-v{seed + 1}"), answer).passed, f"{name}-v{seed} in the next year"


@needs_bubblewrap
@pytest.mark.parametrize(("seed", "numbers"), [(3, ("01",)), (4, ("04",)), (2027, ("01", "04"))])
def test_solved_and_untouched_get_their_points_and_the_published_answers_lose_theirs(tmp_path, seed, numbers):
    """Lesson 01 has versions with a constant, lesson 04 with another order of axes."""
    export_variant(tmp_path, seed, numbers)
    for path in (p for p in LESSONS if p.stem[:2] in numbers):
        solved = solved_notebook(tmp_path / "source" / "course" / "lessons" / path.name)
        release = nbformat.read(tmp_path / "release" / f"{path.stem}.ipynb", as_version=4)
        published = json.loads((REPOSITORY / "solutions" / path.with_suffix(".ipynb").name).read_text())
        for learner, book in {"solved": solved, "untouched": release, "last year": published}.items():
            submit(tmp_path / "all", f"{learner}/{path.stem}.ipynb", book)
    root = ["--root", str(tmp_path / "source")]
    assert main(["grade", str(tmp_path / "all"), "--out", str(tmp_path / "grades.csv"), *root]) == 0
    rows = by("file", tmp_path / "grades.csv")
    for path in (p for p in LESSONS if p.stem[:2] in numbers):
        solved, none, old = (rows[f"{name}/{path.stem}.ipynb"] for name in ("solved", "untouched", "last year"))
        assert (solved["points"], none["points"]) == (solved["of"], "0")
        changed = [key for key in old if key.startswith(path.stem[:2]) and key.endswith(f"-v{seed}")]
        assert len(changed) == 4
        assert all(old[key] in ("0", "") for key in changed), {key: old[key] for key in changed}
        assert float(old["points"]) < float(solved["points"])
