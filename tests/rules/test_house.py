"""The house rules that a syntax tree can check and Ruff does not; each lists all offenders."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = sorted((ROOT / "vpcore").rglob("*.py"))
COURSE = sorted((ROOT / "course").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
VAGUE = {"utils", "helpers", "helper", "manager", "misc", "common"}
BARE = ("run([])", "assert True", "x.build()", "x.helper()", "subprocess.run([])", "call('--help')", "nothing()")
ASSERTED = ("assert x", "helper()", "torch.testing.assert_close(1, 1)", "with pytest.raises(ValueError): y()")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def test_every_test_asserts():
    """No test without an assertion: its own, or one in a function of the tests that it calls."""
    tests = [(node, path) for path in TESTS for node in functions(path) if node.name.startswith("test_")]
    assert [f"{label(path)}:{node.lineno} {node.name}" for node, path in tests if not asserts(node, path)] == []


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
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.name for node in functions(path) if checks(node) and not node.name.startswith("test_")}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {name.name for name in node.names}
            for source in (other for other in TESTS if other.stem == node.module.split(".")[-1] and other != path):
                found |= names & helpers(source)
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


def test_no_device_is_written_down():
    calls = [(path, node) for path in LIBRARY for node in ast.walk(ast.parse(path.read_text()))]
    assert [f"{label(path)}:{node.lineno} calls .cuda()" for path, node in calls if on_a_device(node)] == []
    assert [on_a_device(ast.parse(code, mode="eval").body) for code in ("x.cuda()", "x.to(y)")] == [True, False]


def on_a_device(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "cuda"


def test_no_file_is_called_after_nothing():
    assert [label(path) for path in [*LIBRARY, *COURSE, *TESTS] if path.stem in VAGUE] == []


# --- what Ruff is told to see

SEEN = {
    "ANN001": "def f(x) -> None:\n    print(x)\n",
    "ANN201": "def f(x: int):\n    return x\n",
    "D103": "def f() -> None:\n    return\n",
    "NPY002": "import numpy as np\n\nnp.random.seed(0)\n",
    "PT011": "import pytest\n\nfrom vpcore import Mine\n\nwith pytest.raises(Mine):\n    x = 1\n",
    "S301": "import pickle\n\nx = pickle.loads(b'')\n",
    "TID251": "import torch\n\nx = torch.load('x')\ntorch.manual_seed(0)\n",
    "TID252": "from .device import x\n",
    "TID253": "import timm\n",
}


@pytest.mark.parametrize("rule", SEEN)
def test_ruff_sees(rule):
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", "-"]
    where = ["--stdin-filename", "vpcore/x.py"]
    found = subprocess.run(
        [*command, *where], input=SEEN[rule], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    assert f" {rule} " in found, found
