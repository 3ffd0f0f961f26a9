"""Files that a user gives, with random bytes and values changed: only our errors come out, and nothing else is touched.

FUZZ_EXAMPLES sets how many changed files each test reads (default 40).
"""

from __future__ import annotations

import functools
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import torch
from graded_lesson import answered, learner, lesson, plan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import tiny_model, tiny_split

from course.authoring.cells import LessonError
from course.authoring.lesson import solved_notebook
from course.authoring.notebook_file import read_notebook
from course.grading.cells import Notebook
from course.grading.submission import BadSubmission, answer_source, learner_of, read_submission, says_passed
from vpcore.experiments.report.rows import check_runs, summarize
from vpcore.experiments.report.table import format_table
from vpcore.experiments.runs.packed import read_results
from vpcore.experiments.runs.runlog import append_run, read_runs, repair
from vpcore.models.weights_file import read_weights
from vpcore.train import fit

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 10  # of one example
SETTINGS = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")), deadline=1000 * SECONDS, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def bounded(**drawn) -> Callable:
    """Run a test on examples; each is stopped after `SECONDS`, and may leave no file in the two folders above."""

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def limited(*others, tmp_path: Path, **named) -> None:
            target = tmp_path / "a" / "b"
            target.mkdir(parents=True, exist_ok=True)
            before = signal.signal(signal.SIGALRM, stop)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                test(*others, tmp_path=target, **named)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            assert sorted(tmp_path.iterdir()) == [target.parent]
            assert sorted(target.parent.iterdir()) == [target]

        return SETTINGS(given(**drawn)(limited))

    return decorate


def stop(*_: object) -> None:
    raise AssertionError(f"one example ran for {SECONDS} s")


# A change: where (share of the file), how many bytes go, and what comes in their place.
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=20) | st.sampled_from([b"[", b"{", b'"', b"\0"])),
    min_size=1, max_size=4,
)  # fmt: skip
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    PLAIN | st.sampled_from(["../../x", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5,
)  # fmt: skip


def test_a_file_outside_and_an_endless_loop_are_seen(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(globals(), "SECONDS", 0.2)

    @bounded(value=st.just(0))
    def outside(tmp_path: Path, value) -> None:
        (tmp_path / ".." / "x").touch()

    @bounded(value=st.just(0))
    def endless(tmp_path: Path, value) -> None:
        while True:
            pass

    for number, (test, says) in enumerate(((outside, "/x'"), (endless, "one example ran for"))):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(AssertionError, match=says):
            test(tmp_path=tmp_path / str(number))


def changed(content: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """Return a file with some places overwritten."""
    for share, gone, new in changes:
        place = int(share * len(content))
        content = content[:place] + new + content[place + gone :]
    return content


def replaced(tree, path: list[int], value):
    """Return a JSON tree in which one value, found by following `path`, is another."""
    if not path or not isinstance(tree, dict | list) or not tree:
        return value
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    key = list(keys)[path[0] % len(keys)]
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[key] = replaced(tree[key], path[1:], value)  # type: ignore[index]
    return copy


@contextmanager
def only(kind: type[Exception] | tuple[type[Exception], ...], *words: str) -> Iterator[None]:
    """Let errors of a kind pass if their one line holds one of the words."""
    message = words[0]
    try:
        yield
    except kind as error:
        message = str(error)
    assert any(word in message for word in words), message
    assert "\n" not in message


def files_below(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "prompt.safetensors"
    tiny_model().save(path)
    return path.read_bytes()


@bounded(changes=CHANGES)
def test_a_damaged_prompt_file_changes_no_model(model_file: bytes, tmp_path: Path, changes) -> None:
    path = tmp_path / "prompt.safetensors"
    path.write_bytes(changed(model_file, changes))
    model = tiny_model(seed=1)
    before = {name: tensor.clone() for name, tensor in model.learned().items()}
    try:
        model.load(path)
    except (ValueError, OSError):
        assert all(tensor.equal(before[name]) for name, tensor in model.learned().items())
    assert files_below(tmp_path) == {str(path)}


@pytest.fixture(scope="module")
def run_file(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("run") / "run.safetensors"
    fit(tiny_model(), tiny_split(), tiny_split(seed=1), epochs=1, checkpoint=path)
    return path.read_bytes()


@bounded(changes=CHANGES)
def test_a_damaged_checkpoint_is_refused_and_kept(run_file: bytes, tmp_path: Path, changes) -> None:
    path = tmp_path / "run.safetensors"
    path.write_bytes(content := changed(run_file, changes))
    try:
        fit(tiny_model(), tiny_split(), tiny_split(seed=1), epochs=1, checkpoint=path)
    except (ValueError, OSError):
        assert path.read_bytes() == content
    assert files_below(tmp_path) == {str(path)}


RUN = {
    "key": "0" * 16, "accuracy": 0.5, "num_train": 4, "num_test": 8, "data_md5": "x", "right": "/w==", "seconds": 1.0,
    "cell": {"data": "digits", "backbone": "simple_cnn", "prompt": "none", "seed": 0}, "command": "c",
    "hardware": {"gpu": None, "processor": "p"}, "versions": {"torch": "2"},
}  # fmt: skip


@bounded(path=st.lists(st.integers(0, 20), min_size=1, max_size=3), value=VALUES)
def test_odd_results_are_refused_or_reported(tmp_path: Path, path, value) -> None:
    file = tmp_path / "runs.jsonl"
    file.unlink(missing_ok=True)
    append_run(file, RUN)
    append_run(file, replaced({**RUN, "key": "1" * 16}, path, value))
    with only((ValueError, OSError), "runs", "run "):
        format_table(summarize(check_runs(read_runs(file), "runs")))
    assert files_below(tmp_path) == {str(file)}


@bounded(changes=CHANGES)
def test_damaged_result_lines_are_named(tmp_path: Path, changes) -> None:
    file = tmp_path / "runs.jsonl"
    file.write_bytes(
        changed(b"".join(json.dumps({**RUN, "key": str(n) * 16}).encode() + b"\n" for n in range(3)), changes)
    )
    with only((ValueError, OSError), str(file), "run "):
        repair(file)
        format_table(summarize(check_runs(read_runs(file), str(file))))
    assert all(name.startswith(str(file)) for name in files_below(tmp_path))


@pytest.fixture(scope="module")
def packed_file() -> bytes:
    return (REPOSITORY / "course" / "results" / "msvp_nets.json").read_bytes()


@bounded(changes=CHANGES)
def test_damaged_tables_are_named(packed_file: bytes, tmp_path: Path, changes) -> None:
    file = tmp_path / "runs.json"
    file.write_bytes(changed(packed_file, changes))
    with only((ValueError, OSError), str(file), "run "):
        format_table(summarize(check_runs(read_results(file), str(file))))
    assert files_below(tmp_path) == {str(file)}


@pytest.fixture(scope="module")
def weight_files(model_file, tmp_path_factory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(tiny_model().learned(), path)
    return {".safetensors": model_file, ".pt": path.read_bytes()}


@bounded(changes=CHANGES, suffix=st.sampled_from([".safetensors", ".pt"]))
def test_damaged_weights_are_named(weight_files, tmp_path: Path, changes, suffix) -> None:
    file = (tmp_path / "weights").with_suffix(suffix)
    file.write_bytes(changed(weight_files[suffix], changes))
    with only((ValueError, OSError), str(file)):
        assert read_weights(file)
    assert files_below(tmp_path) == {str(file)}
    file.unlink()


@bounded(changes=CHANGES)
def test_damaged_notebooks_are_named(course_root: Path, tmp_path: Path, changes) -> None:
    file = tmp_path / "99_toy.ipynb"
    file.write_bytes(changed(json.dumps(learner(lesson(course_root))).encode(), changes))
    with only(LessonError, "99_toy"):
        read_notebook(file)
    assert files_below(tmp_path) == {str(file)}


@pytest.fixture(scope="module")
def course_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("clone")
    lesson(root)
    return root


def read_all(file: Path, folder: Path, root: Path) -> None:
    submission = read_submission(file, folder)
    assert learner_of(submission.file)
    made = plan(root)
    notebook = Notebook([cell["source"] if cell["type"] == "code" else None for cell in submission.cells], [])
    for task in made.tasks:
        assert isinstance(answer_source(submission, task), str)
        assert not says_passed(submission, task)
        if task.automatic:
            notebook.slice(task.id, task.answer)


@bounded(changes=CHANGES)
def test_damaged_submissions_are_named(course_root: Path, tmp_path: Path, changes) -> None:
    file = tmp_path / "ann.ipynb"
    file.write_bytes(changed(json.dumps(learner(lesson(course_root))).encode(), changes))
    with only(BadSubmission, "ann.ipynb"):
        read_all(file, tmp_path, course_root)
    assert files_below(tmp_path) == {str(file)}


@bounded(path=st.lists(st.integers(0, 40), min_size=1, max_size=6), value=VALUES)
def test_odd_submissions_are_named(course_root: Path, tmp_path: Path, path, value) -> None:
    book = json.loads(json.dumps(answered(learner(lesson(course_root)), {"99-double": "def double(n): return 2 * n"})))
    file = tmp_path / "ann.ipynb"
    file.write_text(json.dumps(replaced(book, path, value)))
    with only(BadSubmission, "ann.ipynb"):
        read_all(file, tmp_path, course_root)
    assert files_below(tmp_path) == {str(file)}


@bounded(changes=CHANGES)
def test_damaged_lessons_are_named(course_root: Path, tmp_path: Path, changes) -> None:
    file = tmp_path / "99_toy.py"
    file.write_bytes(changed(lesson(course_root).read_bytes(), changes))
    with only(LessonError, "99_toy"):
        nbformat.validate(solved_notebook(file))
