"""What a notebook may cost: measured while nbval runs it, by course/authoring/nbval_settings.py."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from prose import ROOT

from course.authoring.budget import FACTORS, LIMITS, overdrawn, read_budgets, read_cost, witnessed
from course.authoring.environment import CELL_SECONDS

NOTEBOOKS = sorted(f"{path.parent.name}/{path.stem}" for path in ROOT.glob("[ns]o*s/[0-9]*.ipynb"))
TRY = """import socket
from course.authoring.offline import block
if {guarded}: block()
try:
    socket.create_connection(("192.0.2.1", 80), timeout=0.2)
except OSError:
    pass
socket.create_server(("127.0.0.1", 0)).close()
"""
CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(300 * 2**20)'])\n"


def measured(code, folder):
    """Run code in a process of its own and return what it cost."""
    done = f"{code}\nimport pathlib, course.authoring.budget as b\nb.note_spent(pathlib.Path({str(folder)!r}))"
    environment = witnessed({**os.environ, "PYTHONPATH": str(ROOT)}, folder)
    subprocess.run([sys.executable, "-c", done], env=environment, check=True)
    return read_cost(folder, seconds=1, cell_seconds=1)


def test_every_notebook_has_a_budget():
    assert sorted(read_budgets()) == NOTEBOOKS, "see course/authoring/budget.py"
    for budget in read_budgets().values():
        assert all(0 < budget[name] < LIMITS[name] for name in FACTORS)
        assert FACTORS["cell_seconds"] * budget["cell_seconds"] <= CELL_SECONDS, "a slow machine would stop the cell"


@pytest.mark.parametrize("guarded", [True, False])
def test_a_connection_is_seen_even_if_its_error_is_swallowed(tmp_path, guarded):
    cost = measured(TRY.format(guarded=guarded), tmp_path)
    assert [line.split()[-1] for line in cost.connections][:1] == ["192.0.2.1"]
    assert overdrawn(dict.fromkeys(FACTORS, 100), cost)[0].startswith("asked another machine: ")


def test_memory_of_a_child_process_counts(tmp_path):
    cost = measured(CHILD, tmp_path)
    assert 300 < cost.mebibytes < 1000
    assert overdrawn({"seconds": 1, "cell_seconds": 1, "processor_seconds": 100, "mebibytes": 100}, cost)[
        -1
    ].startswith("mebibytes")


CONFTEST = """from pathlib import Path
from course.authoring import budget
from course.authoring.nbval_settings import *
budget.MANIFEST = Path(__file__).with_name("budgets.json")
"""


def test_a_notebook_over_its_budget_fails_and_says_why(tmp_path):
    toy = tmp_path / "toy"
    toy.mkdir()
    (toy / "conftest.py").write_text(CONFTEST)
    budget = {"seconds": 60, "cell_seconds": 60, "processor_seconds": 60, "mebibytes": 1000}
    slow = "import time; time.sleep(0.7)"
    notebooks = {"fine": "x = 1", "large": "x = 1", "slow": slow, "online": TRY.format(guarded=True), "new": "x = 1"}
    for name, source in notebooks.items():
        nbformat.write(new_notebook(cells=[new_code_cell(source, execution_count=1)]), toy / f"{name}.ipynb")
    budgets = {
        "toy/fine": budget,
        "toy/large": {**budget, "mebibytes": 2},
        "toy/slow": {**budget, "cell_seconds": 0.1},
        "toy/online": budget,
    }
    (toy / "budgets.json").write_text(json.dumps(budgets))
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    shown = subprocess.run(
        [*command, "toy"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    ).stdout
    assert "4 failed, 6 passed" in shown, shown
    assert "FAILED toy/slow.ipynb::budget - cell_seconds 1 of 1" in shown
    assert "FAILED toy/large.ipynb::budget - mebibytes " in shown
    assert "FAILED toy/new.ipynb::budget - no budget: see course/authoring/budget.py" in shown
    assert "FAILED toy/online.ipynb::budget - asked another machine: socket.getaddrinfo 192.0.2.1" in shown
