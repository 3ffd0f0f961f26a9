"""Who may import whom: the contracts of pyproject.toml, no circle of files; and what `import vpcore` may cost."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted([*(ROOT / "vpcore").rglob("*.py"), *(ROOT / "course").rglob("*.py")])
DEFINING = [path for path in CODE if path.name != "__main__.py" and not {"lessons", "exercises"} & set(path.parts)]
ALLOWED = {"torch", "numpy", "timm", "torchvision", "safetensors", "jaxtyping", "sklearn", "scipy", "tqdm"}
ALLOWED |= {"PIL", *sys.stdlib_module_names}  # PIL comes with torchvision and reads image files
ONLY_IN = {"matplotlib": "vpcore.experiments.report", "ray": "vpcore.experiments", "typer": "vpcore.experiments"}
FOR_LESSONS = {"check", "show", "widgets", "recorded", "studies", "exercises"}
HEAVY = {"timm", "torchvision", "sklearn", "matplotlib", "scipy", "ray", "PIL", "pandas", "typer", "tqdm"}


@pytest.fixture
def graph() -> grimp.ImportGraph:
    """Every import of vpcore and course, also those inside functions."""
    return grimp.build_graph("vpcore", "course", include_external_packages=True, cache_dir=None)


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def file_of(module: str) -> str:
    path = ROOT.joinpath(*module.split("."))
    return label(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))


def circles(graph: grimp.ImportGraph) -> list[str]:
    """Say each shortest circle in one line: the files in the order in which they import one another."""
    found: dict[frozenset[str], str] = {}
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            chain = graph.find_shortest_chain(importer=imported, imported=importer)
            if chain:
                found.setdefault(frozenset(chain), " imports ".join(map(file_of, (importer, *chain))))
    return list(found.values())


def linted(folder: Path) -> tuple[int, str]:
    """Run the contracts of pyproject.toml on the packages of a folder."""
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


# --- circles and rooms


def test_no_file_imports_itself_through_others(graph):
    assert circles(graph) == []


def test_every_contract_is_kept():
    status, said = linted(ROOT)
    assert status == 0, said


def test_an_import_that_closes_a_circle_is_found_with_its_files(graph):
    graph.add_import(importer="vpcore.device", imported="vpcore.prompted", line_number=1, line_contents="")
    (found,) = circles(graph)
    assert "vpcore/device.py imports vpcore/prompted.py imports" in f"{found} imports {found.split(' imports ')[1]}"


FAULTS = [
    ("vpcore.count", "vpcore.experiments.report.table"),
    ("vpcore.prompts.parts.border", "vpcore.train.optim"),
    ("vpcore.prompts.pad", "vpcore.prompts.patch"),
    ("vpcore.train.scoring", "vpcore.prompts.pad"),
    ("vpcore.data.sources", "course.recorded"),
    ("course.authoring.cells", "course.handout.site"),
]


@pytest.mark.parametrize(("importer", "imported"), FAULTS)
def test_a_forbidden_import_is_named_with_both_files(tmp_path, importer, imported):
    for package in ("vpcore", "course"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / file_of(importer)
    file.write_text(f"{file.read_text()}\n\ndef late():\n    import {imported}\n")
    status, said = linted(tmp_path)
    assert status == 1
    assert f"{importer} -> {imported} (l." in said


def test_lessons_import_what_is_made_for_them():
    wrong = []
    for path in sorted((ROOT / "course" / "lessons").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else names
            if names == ["course"]:
                names = [f"course.{alias.name}" for alias in node.names]
            rooms = {name.split(".")[1] for name in names if name.startswith("course.")}
            wrong += [f"{label(path)}:{node.lineno} imports course.{room}" for room in rooms - FOR_LESSONS]
    assert wrong == []


# --- packages of others


def test_the_library_imports_the_packages_it_may(graph):
    wrong = []
    for module in sorted(graph.find_descendants("vpcore") | {"vpcore"}):
        for name in graph.find_modules_directly_imported_by(module) - graph.find_descendants("vpcore"):
            own = module.startswith(ONLY_IN.get(name, "nowhere"))
            wrong += [] if own or name in {*ALLOWED, "vpcore"} else [f"{file_of(module)} imports {name}"]
    assert wrong == []


def test_nothing_runs_at_import():
    """A file defines things; only under `if __name__ == "__main__"` does it do anything."""
    assert [f"{label(path)}:{line}" for path in DEFINING for line in running(ast.parse(path.read_text()))] == []


def running(tree: ast.Module) -> list[int]:
    """The lines at the top of a file that do more than define."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Try)
    guards = ("__name__ == '__main__'", "TYPE_CHECKING")
    return [
        node.lineno
        for node in tree.body
        if not isinstance(node, kinds)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.If) and ast.unparse(node.test) in guards)
    ]


def test_what_runs_at_import_is_seen():
    assert running(ast.parse("'doc'\nimport os\nx = 1\nprint(x)\nif __name__ == '__main__':\n    print(2)\n")) == [4]


IMPORTED = """import sys, time
start = time.process_time()
import torch
before, between = set(sys.modules), time.process_time()
import vpcore
print((time.process_time() - between) / (between - start), *set(sys.modules) - before)"""


def imported() -> tuple[float, set[str]]:
    """Return the processor time of `import vpcore` as a share of `import torch`'s, and the packages it loads."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", IMPORTED]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    return float(shown[0]), {name.split(".")[0] for name in shown[1:]}


def test_import_adds_little_to_torch():
    added = imported()[0]
    for _ in range(2):  # a busy machine slows some tries, not all
        added = added if added <= 0.15 else min(added, imported()[0])
    assert added <= 0.15, f"import vpcore adds {100 * added:.0f} % to the processor time of import torch"


def test_nothing_heavy_is_imported():
    loaded = imported()[1]
    assert "vpcore" in loaded
    assert not loaded & {*HEAVY, "IPython", "ipywidgets", "course"}
