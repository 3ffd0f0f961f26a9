"""What `import vpcore` offers: each name documented where it is defined, and none hidden by a module of that name."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import vpcore

TABLES = {"PROMPTS": vpcore.Prompt, "TUNINGS": vpcore.Tuning}


@pytest.mark.parametrize("name", vpcore.__all__)
def test_every_public_name_is_documented(name):
    value = getattr(vpcore, name)
    if name in TABLES:
        kinds = [getattr(entry, "func", entry) for entry in value.values()]
        assert all(issubclass(kind, TABLES[name]) and kind.__doc__ for kind in kinds)
        return
    assert value.__doc__
    assert not value.__doc__.startswith(f"{name}("), "a dataclass's own line of its fields documents nothing"
    methods = [v for n, v in vars(value).items() if not n.startswith("_")] if inspect.isclass(value) else []
    functions = [getattr(method, "fget", method) for method in methods]
    assert all(function.__doc__ for function in functions if inspect.isfunction(function))


def test_what_is_exported_is_not_also_imported_by_chance():
    public = {name for name, value in vars(vpcore).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert public == set(vpcore.__all__)


@pytest.mark.parametrize(
    "code",
    [
        "import vpcore; from vpcore.count import Count; assert isinstance(vpcore.count(model()), Count)",
        "from vpcore.count import Count; import vpcore; assert isinstance(vpcore.count(model()), Count)",
        "import vpcore.count; import vpcore; assert vpcore.count(model()).head",
        "from vpcore import count; assert count(model()).head",
    ],
)
def test_count_is_a_function_and_a_module(code):
    """In a fresh process each: which import comes first decides what the name means in Python."""
    model = "def model():\n import vpcore\n from tiny import tiny_model\n return tiny_model()\n"
    path = [str(folder) for folder in (Path(__file__).parents[2], Path(__file__).parents[1] / "support")]
    start = f"import sys; sys.path[:0] = {path}\n"
    done = subprocess.run([sys.executable, "-c", start + model + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_type_checkers_are_told_that_types_are_here():
    assert (Path(vpcore.__file__).parent / "py.typed").is_file()
