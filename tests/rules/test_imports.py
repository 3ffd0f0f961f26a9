"""Who may import whom, and what `import vpcore` may cost."""

import ast
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY, COURSE = sorted((ROOT / "vpcore").rglob("*.py")), sorted((ROOT / "course").rglob("*.py"))
COURSE = [path for path in COURSE if not {"lessons", "exercises"} & set(path.parts)]
DEFINING = [path for path in (*LIBRARY, *COURSE) if path.name != "__main__.py"]  # which is a program
ALLOWED = {"torch", "numpy", "timm", "torchvision", "safetensors", "jaxtyping", "sklearn", "scipy", "tqdm", "typer"}
ALLOWED |= {"vpcore", "PIL", *sys.stdlib_module_names}  # PIL comes with torchvision and reads image files
HEAVY = {"timm", "torchvision", "sklearn", "matplotlib", "scipy", "ray", "PIL", "pandas"}
ONLY_IN = {"matplotlib": {"report_files.py"}, "ray": {"ray_run.py"}}
SIDE_BY_SIDE = {"many_seeds.py", "one_pass.py", "together.py"}  # several prompts at once
PROMPT_FREE = [path for path in LIBRARY if path.parent.name in ("train", "data") and path.name not in SIDE_BY_SIDE]
METHODS = {"pad", "patch", "multiscale", "cluster", "instance", "instance_image", "tokens", "activation"}


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module a piece of code names in an import, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError("write imports from the root: from vpcore.x import y")


def at_import(tree: ast.Module) -> Iterator[str]:
    """What is imported when the file itself is: not inside functions, not for type checkers only."""
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Try)):
            yield from imports(node)
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, (ast.Import, ast.ImportFrom)):
                    yield from imports(inner)


def top(name: str) -> str:
    return name.split(".")[0]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", LIBRARY, ids=label)
def test_the_library_imports_what_it_may(path):
    wrong = {top(name) for name in imports(parse(path))} - ALLOWED
    wrong = {name for name in wrong if path.name not in ONLY_IN.get(name, set())}
    assert not wrong, f"{label(path)} imports {wrong}; see the house rules"


@pytest.mark.parametrize("path", LIBRARY, ids=label)
def test_heavy_packages_are_imported_inside_functions(path):
    heavy = {top(name) for name in at_import(parse(path))} & HEAVY
    assert not heavy, f"{label(path)} imports {heavy} when it is imported: move it into the function that needs it"


@pytest.mark.parametrize("path", PROMPT_FREE, ids=label)
def test_training_and_data_know_no_prompt(path):
    known = {
        name
        for name in imports(parse(path))
        if name.startswith(("vpcore.prompt", "vpcore.heads.linear", "vpcore.models"))
    }
    assert not known, f"{label(path)} must know no prompt, got {known}"


@pytest.mark.parametrize("path", [path for path in LIBRARY if path.stem in METHODS], ids=label)
def test_one_method_never_imports_another(path):
    others = {f"vpcore.prompts.{name}" for name in METHODS - {path.stem}}
    wrong = {name for name in imports(parse(path)) if any(name == o or name.startswith(f"{o}.") for o in others)}
    assert not wrong, f"{label(path)} imports {wrong}: share through a file that is no method"


@pytest.mark.parametrize("path", DEFINING, ids=label)
def test_nothing_runs_at_import(path):
    """A file defines things; only under `if __name__ == "__main__"` does it do anything."""
    for node in parse(path).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        guard = isinstance(node, ast.If) and ast.unparse(node.test) in ("__name__ == '__main__'", "TYPE_CHECKING")
        kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Try)
        assert docstring or guard or isinstance(node, kinds), f"{label(path)}:{node.lineno} runs at import"


def test_these_rules_can_fail(tmp_path):
    bad = ast.parse("import timm\nclass A:\n    import sklearn.svm\ndef f():\n    from course.show import x\nprint(1)")
    assert {top(name) for name in at_import(bad)} == {"timm", "sklearn"}
    assert {top(name) for name in imports(bad)} == {"timm", "sklearn", "course"}


TIMED = "import time; b = time.process_time(); import torch; {more}; print(time.process_time() - b)"


def cpu_seconds(more: str) -> float:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TIMED.format(more=more)]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def test_import_adds_little_to_torch():
    pairs = [(cpu_seconds("pass"), cpu_seconds("import vpcore")) for _ in range(3)]
    added = statistics.median(after - before for before, after in pairs)
    assert added <= 0.3, f"import vpcore adds {added:.2f} s of processor time to import torch"


def test_nothing_heavy_is_imported():
    code = "import torch, sys; before = set(sys.modules); import vpcore; print(*set(sys.modules) - before)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    loaded = {top(name) for name in shown.stdout.split()}
    assert "vpcore" in loaded
    assert not loaded & {*HEAVY, "typer", "tqdm", "IPython", "ipywidgets", "course"}
