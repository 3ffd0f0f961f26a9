"""The house rules that a syntax tree can check."""

import ast
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = sorted((ROOT / "vpcore").rglob("*.py"))
CODE = [*LIBRARY, *sorted((ROOT / "course").rglob("*.py"))]
LESSONS = [path for path in CODE if {"lessons", "exercises"} & set(path.parts)]
CODE = [path for path in CODE if path not in LESSONS]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LINES, STATEMENT_LINES, MEDIAN = 180, 25, 8
LONG_FILES: dict[str, int] = {}  # file: lines it may have, each with a reason
LONG_FUNCTIONS: dict[str, int] = {  # "file:function": lines it may have, each with a reason
    "vpcore/train/__init__.py:fit": 40,  # the training loop stays in plain sight
}
IMPORTERS = {"vpcore/models/weights_file.py"}  # of published weights, and only with weights_only=True
PICKLES = {"torch.load", "torch.jit.load", "np.load", "numpy.load", "joblib.load"}
PICKLES |= {f"{module}.{name}" for module in ("pickle", "dill") for name in ("load", "loads", "Unpickler")}
BARE = ("run([])", "assert True", "x.build()", "x.helper()", "subprocess.run([])", "call('--help')", "nothing()")
ASSERTED = ("assert x", "helper()", "torch.testing.assert_close(1, 1)", "with pytest.raises(ValueError): y()")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def body_lines(node: Function) -> int:
    """Lines from the first statement behind the docstring to the last."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", CODE, ids=label)
def test_files_are_short(path):
    count, allowed = len(path.read_text().splitlines()), LONG_FILES.get(label(path), LINES)
    assert count <= allowed, f"{label(path)} has {count} lines, at most {allowed}: split it by task"


@pytest.mark.parametrize("path", CODE, ids=label)
def test_functions_are_short(path):
    for node in functions(path):
        allowed = LONG_FUNCTIONS.get(f"{label(path)}:{node.name}", STATEMENT_LINES)
        count = body_lines(node)
        assert count <= allowed, f"{label(path)}:{node.lineno} {node.name} has {count} lines, at most {allowed}"


def test_the_median_function_is_shorter_still():
    lengths = [body_lines(node) for path in LIBRARY for node in functions(path)]
    assert statistics.median(lengths) <= MEDIAN


def test_exceptions_are_still_needed():
    long = {
        f"{label(path)}:{node.name}" for path in CODE for node in functions(path) if body_lines(node) > STATEMENT_LINES
    }
    assert set(LONG_FUNCTIONS) <= long
    assert set(LONG_FILES) <= {label(path) for path in CODE if len(path.read_text().splitlines()) > LINES}


@pytest.mark.parametrize("path", TESTS, ids=label)
def test_every_raises_says_what_is_raised(path):
    tree = ast.parse(path.read_text())
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises":
            what = ast.unparse(node.args[0])  # our own classes, and a test that must fail, need no text
            simulated = what in {*own, "typer.Exit", "SystemExit", "KeyboardInterrupt"} or "AssertionError" in what
            matched = any(keyword.arg == "match" for keyword in node.keywords)
            assert matched or simulated, f"{label(path)}:{node.lineno} lacks match="


@pytest.mark.parametrize("path", TESTS, ids=label)
def test_every_test_asserts(path):
    """No test without an assertion: its own, or one in a function of the tests that it calls."""
    for node in functions(path):
        if node.name.startswith("test_"):
            assert asserts(node, path), f"{label(path)}:{node.lineno} {node.name} asserts nothing"


def test_what_asserts_nothing_is_seen(tmp_path):
    for number, body in enumerate(BARE + ASSERTED):
        path = tmp_path / f"test_{number}.py"
        path.write_text(f"def helper():\n    assert x\ndef nothing():\n    pass\ndef test_x():\n    {body}\n")
        assert asserts([*functions(path)][-1], path) is (body in ASSERTED), body


def asserts(node: ast.AST, path: Path) -> bool:
    """Say whether a function asserts, or calls one by name that does: of its own file, or imported from tests/."""
    return checks(node) or any(
        isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in helpers(path)
        for call in ast.walk(node)
    )


@cache
def helpers(path: Path) -> set[str]:
    """Return the functions that assert and that a file of tests defines, or imports from another file of tests."""
    tree = ast.parse(path.read_text())
    found = {node.name for node in functions(path) if checks(node) and not node.name.startswith("test_")}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            source = path.parent / f"{node.module}.py"
            found |= {name.name for name in node.names} & helpers(source) if source in TESTS else set()
    return found


def checks(node: ast.AST) -> bool:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assert) and not isinstance(inner.test, ast.Constant):
            return True
        if isinstance(inner, ast.Call):
            name = ast.unparse(inner.func)
            if name == "pytest.raises" or name.split(".")[-1].startswith("assert_"):
                return True
    return False


@pytest.mark.parametrize("path", LIBRARY, ids=label)
def test_no_device_is_written_down(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr != "cuda", f"{label(path)}:{node.lineno} calls .cuda()"


@pytest.mark.parametrize("path", [*CODE, *LESSONS], ids=label)
def test_no_pickle_is_loaded(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in PICKLES:
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            safe = label(path) in IMPORTERS and options.get("weights_only") == "True"
            assert safe, f"{label(path)}:{node.lineno} loads a pickle"


GLOBAL_DRAWS = (
    "torch.manual_seed",
    "torch.seed",
    "random.seed",
    "np.random.seed",
    "numpy.random.seed",
    "random.random",
)


@pytest.mark.parametrize("path", LIBRARY, ids=label)
def test_global_random_state_is_not_set(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in GLOBAL_DRAWS, (
                f"{label(path)}:{node.lineno} uses the global random state"
            )


@pytest.mark.parametrize("path", LIBRARY, ids=label)
def test_public_names_have_docstrings_and_types(path):
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, (Function, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{label(path)}:{node.lineno} {node.name} has no docstring"
        if isinstance(node, Function) and not node.name.startswith("_"):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            untyped = [argument.arg for argument in arguments if argument.annotation is None]
            assert not untyped, f"{label(path)}:{node.lineno} {node.name} has untyped {untyped}"
            assert node.returns is not None, f"{label(path)}:{node.lineno} {node.name} has no return type"


def test_no_file_is_called_after_nothing():
    vague = {"utils", "helpers", "helper", "manager", "misc", "common"}
    assert [label(path) for path in [*CODE, *TESTS] if path.stem in vague] == []


def test_these_rules_can_fail():
    long = ast.parse("def f():\n    'doc'\n" + "    x = 1\n" * 30).body[0]
    assert isinstance(long, ast.FunctionDef)
    assert body_lines(long) == 30
    assert not checks(ast.parse("def test_x():\n    f()"))
    assert checks(ast.parse("def test_x():\n    assert f()"))
