"""What a notebook may cost, measured: CI machines are noisy, so the factors are wide; the limits are not."""

import json

import pytest
from budget_run import MANIFEST, measure, notebooks, witnessed

FACTORS = {"seconds": 5, "processor_seconds": 3, "mebibytes": 1.5}
LIMITS = {"seconds": 300, "processor_seconds": 180, "mebibytes": 2048}
BUDGETS = json.loads(MANIFEST.read_text(encoding="utf-8"))
TRY = """import socket
from course.authoring.offline import block
if {guarded}: block()
try:
    socket.create_connection(("192.0.2.1", 80), timeout=0.2)
except OSError:
    pass
socket.create_server(("127.0.0.1", 0)).close()
"""


def overdrawn(budget, cost):
    """The names of what cost more than its budget allows."""
    allowed = {name: min(FACTORS[name] * budget[name], LIMITS[name]) for name in FACTORS}
    return [f"{name} {getattr(cost, name):.0f} of {allowed[name]:.0f}" for name in FACTORS if over(cost, name, allowed)]


def over(cost, name, allowed):
    return getattr(cost, name) > allowed[name]


def test_every_notebook_has_a_budget():
    assert sorted(BUDGETS) == sorted(notebooks()), "run: python tests/budget_run.py"
    for budget in BUDGETS.values():
        assert all(0 < budget[name] < LIMITS[name] for name in FACTORS)


@pytest.mark.parametrize("notebook", sorted(BUDGETS))
def test_a_run_keeps_its_budget_and_asks_no_other_machine(notebook):
    cost = measure(notebook)
    assert cost.problem == ""
    assert cost.connections == []
    assert overdrawn(BUDGETS[notebook], cost) == []


@pytest.mark.parametrize("guarded", [True, False])
def test_a_connection_is_seen_even_if_its_error_is_swallowed(guarded):
    cost = witnessed(["-c", TRY.format(guarded=guarded)])
    assert cost.problem == ""
    assert [line.split()[-1] for line in cost.connections][:1] == ["192.0.2.1"]


def test_memory_of_a_child_process_counts():
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(300 * 2**20)'])"
    cost = witnessed(["-c", child])
    assert cost.mebibytes > 300
    assert overdrawn({"seconds": 1, "processor_seconds": 1, "mebibytes": 100}, cost)[-1].startswith("mebibytes")
