"""A grid on a Ray cluster of two nodes: as here, each cell once, also when a node dies."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from vpcore.experiments.cluster import ray_run
from vpcore.experiments.cluster.ray_run import check_machines
from vpcore.experiments.grid import command as grid
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.grid.rates import RateSearch
from vpcore.experiments.runs.runlog import append_run, read_runs

TINY = ["--data", "digits", "--width", "2", "--limit", "20", "--batch-size", "20", "--prompt", "none,multiscale,pad"]
ONCE = {"time", "seconds", "hardware", "command"}  # what says when and where a run was made
MEMORY = 80 * 2**20  # bytes of each node's object store, nearly the least that Ray takes
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_health_check_timeout_ms": "60000"}  # the latter for a busy machine
TRIES = 3


def start(out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vpcore.grid", *TINY, *options, "--device", "cpu", "--out", str(out)]
    environment = {**os.environ, **QUIET, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return output


def lasting(path: Path) -> dict[str, Any]:
    """Each run's line by its key, without what differs between two runs of one cell."""
    runs = read_runs(path)
    found = {run["key"]: {name: value for name, value in run.items() if name not in ONCE} for run in runs}
    assert len(found) == len(runs), "a cell stands there twice"
    return found


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("", 0))
        return line.getsockname()[1]


def started(ray_cluster: Any) -> Any:
    """Start both nodes. Ray gives its own helper processes 15 seconds and no option for more: try again, then skip."""
    ports = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
    for _ in range(TRIES):
        made = ray_cluster.Cluster()
        try:
            for _ in range(2):
                own = {name: free_port() for name in ports}
                made.add_node(num_cpus=1, object_store_memory=MEMORY, include_dashboard=False, **own)
            return made
        except Exception as error:  # Ray raises no narrower one
            made.shutdown()
            reason = str(error).partition("\n")[0]
    pytest.skip(f"the nodes of Ray did not start in time: {reason}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes on this machine, one processor core each."""
    ray_cluster = pytest.importorskip("ray.cluster_utils", reason="ray is not installed: the extra cluster has it")
    before = {name: os.environ.get(name) for name in QUIET}
    os.environ.update(QUIET)
    made = None
    try:
        made = started(ray_cluster)
        yield made
    finally:
        if made is not None:
            made.shutdown()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def test_a_search_for_rates_is_as_here(cluster, tmp_path):
    options = ["--lr", "search", "--trials", "3", "--seeds", "2", "--epochs", "1"]
    finish(start(tmp_path / "here", *options))
    finish(start(tmp_path / "there", *options, "--cluster", cluster.address))
    assert len(lasting(tmp_path / "here")) == 6
    assert lasting(tmp_path / "there") == lasting(tmp_path / "here")
    assert lasting(tmp_path / "there.trials") == lasting(tmp_path / "here.trials")


def test_a_node_dies_and_every_cell_is_there_once(cluster, tmp_path):
    options = ["--seeds", "4", "--epochs", "12"]
    driver = start(tmp_path / "there", *options, "--cluster", cluster.address)
    dying = cluster.list_all_nodes()[1]
    wait_for_a_task(dying, driver)
    cluster.remove_node(dying, allow_graceful=False)
    done = len(read_runs(tmp_path / "there"))
    assert done < 12, "the node died too late"
    finish(driver)
    finish(start(tmp_path / "here", *options))
    assert len(lasting(tmp_path / "here")) == 12
    assert lasting(tmp_path / "there") == lasting(tmp_path / "here")
    again = finish(start(tmp_path / "there", *options, "--cluster", cluster.address))  # nothing is left to do
    assert "multiscale" in again
    assert len(read_runs(tmp_path / "there")) == 12


def wait_for_a_task(node: Any, driver: subprocess.Popen[str]) -> None:
    """Wait until a worker of this node is in the midst of a cell."""
    raylet = node.all_processes["raylet"][0].process.pid
    until = time.monotonic() + 300
    while not any(title.startswith("ray::run_task") for title in titles_of_children(raylet)):
        assert driver.poll() is None, driver.communicate()[1]
        assert time.monotonic() < until, "no task came to the second node"
        time.sleep(0.02)


def titles_of_children(parent: int) -> list[str]:
    titles = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                titles.append((folder / "cmdline").read_text())
        except (OSError, ValueError):  # it ended meanwhile
            pass
    return titles


# --- bad input ---------------------------------------------------------------------------------------------------


def call(tmp_path: Path, address: str, *options: str) -> tuple[str, float]:
    """Return what a run says that cannot reach its cluster, and how many seconds it took to say so."""
    began = time.monotonic()
    out = tmp_path / "results.jsonl"
    result = CliRunner().invoke(grid.app, [*TINY, "--out", str(out), "--cluster", address, *options])
    assert result.exit_code == 2, result.output
    assert not out.exists()
    return result.stderr, time.monotonic() - began


def test_an_unreachable_cluster_is_named_within_seconds(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed: the extra cluster has it")
    address = f"127.0.0.1:{free_port()}"
    said, seconds = call(tmp_path, address)
    assert f"error: no Ray cluster at {address} (" in said
    assert "refused" in said
    assert "start one with ray start --head" in said
    assert seconds < 30
    assert "an address is host:port" in call(tmp_path, "ray://127.0.0.1:10001")[0]
    assert "an address is host:port" in call(tmp_path, "somewhere")[0]


def test_another_server_is_not_waited_for(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed: the extra cluster has it")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            with line:
                line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                line.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        said, seconds = call(tmp_path, f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert "something else listens there" in said
    assert seconds < 30


def test_a_share_below_zero_is_refused(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed: the extra cluster has it")
    assert "--gpus must be 0 or more, got -1.0" in call(tmp_path, "127.0.0.1:6379", "--gpus", "-1")[0]


def test_without_ray_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    said = call(tmp_path, "127.0.0.1:6379")[0]
    assert f'error: --cluster needs Ray: python -m pip install "{ray_run.REQUIRED}"' in said


def test_the_extra_asks_for_the_same_ray():
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    assert f'cluster = ["{ray_run.REQUIRED}"]' in text


def test_what_no_machine_has_is_not_waited_for():
    nodes = [
        {"Alive": True, "Resources": {"CPU": 2.0}},
        {"Alive": True, "Resources": {"CPU": 1.0, "GPU": 1.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    check_machines(nodes, 2, 0.0)
    check_machines(nodes, 1, 0.5)
    with pytest.raises(ValueError, match="no machine of the cluster has the 2 processor cores and 1 GPUs of one run"):
        check_machines(nodes, 2, 1.0)
    with pytest.raises(ValueError, match="set OMP_NUM_THREADS or --gpus"):
        check_machines(nodes, 3, 0.0)


class Lost(Exception):
    """Stands for Ray's own errors."""


class Raised(Lost):
    """Stands for what a task itself raised."""


class Killed(Lost):
    """Stands for a worker that died, or was killed for its memory, each time it was tried."""


class Answer(dict):
    """The line of a run, which stands for its task too."""

    __hash__ = object.__hash__


ERRORS = SimpleNamespace(RayError=Lost, RayTaskError=Raised, WorkerCrashedError=Killed, OutOfMemoryError=Killed)


@pytest.fixture
def work(tmp_path):
    """The driver's side without a cluster: a ready task is its own result."""

    def get(ready):
        if isinstance(ready, Exception):
            raise ready
        return ready

    def wait(waiting, timeout=None):
        if callable(waiting[0]):  # a task that is not ready
            waiting[0]()
            return [], waiting
        if timeout is None:
            get(waiting[0])
        return waiting[:1], waiting[1:]

    made = object.__new__(ray_run.ClusterWork)
    made.ray = SimpleNamespace(get=get, wait=wait, exceptions=ERRORS)
    made.out, made.done, made.offset = tmp_path / "out", set(), 0
    made.out.touch()
    made.order, made.stopped = None, threading.Event()
    made.search = RateSearch(tmp_path / "out.trials", [], made._try)
    return made


def test_a_result_is_written_once_whoever_was_faster(work):
    cell = Cell("digits", "simple_cnn", "none")
    assert work._take(cell, {"key": "a"})
    append_run(work.out, {"key": "b"})  # another process
    assert work._take(cell, {"key": "b"})
    assert work._take(cell, {"key": "a"})
    assert [run["key"] for run in read_runs(work.out)] == ["a", "b"]


def test_what_fails_is_named_and_left_out(work, capsys):
    cell = Cell("digits", "simple_cnn", "none")
    assert not work._take(cell, {"failed": "the training loss became nan: lower the learning rate"})
    assert not work._take(cell, Lost("ray::run_task() on 10.0.0.1\nthe worker died three times"))
    said = capsys.readouterr().err
    assert "the training loss became nan" in said
    assert "the worker died three times" in said
    assert work.out.read_bytes() == b""


def test_a_cluster_that_went_away_says_how_to_go_on(work):
    with pytest.raises(OSError, match=r"the cluster went away \(no head\): the same command goes on from"):
        work._next([Lost("no head\nstack")])


def answer_with(work, answers):
    """Let each method's trials answer with what stands beside its name."""
    work.trial = SimpleNamespace(remote=lambda cell, order: answers[cell["prompt"]])
    work.task = SimpleNamespace(remote=lambda cell, order: Answer(key=cell["prompt"]))
    return [Cell("digits", "simple_cnn", prompt, seed=seed, lr=0.0, trials=3) for prompt in answers for seed in (0, 1)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"failed": "out of memory"}, "out of memory"),
        (Raised("ray::trial_task()\nOSError: no set there"), "OSError: no set there"),
        (Killed("a worker died\nfour times"), "four times"),
    ],
)
def test_a_search_that_fails_costs_its_cells_alone(work, capsys, answer, says):
    cells = answer_with(work, {"pad": answer, "none": 0.5})
    assert work.run(cells) == 2
    failed = [line for line in capsys.readouterr().err.splitlines() if "failed: " in line]
    assert [line.partition("failed: ")[2] for line in failed] == [
        f"digits simple_cnn pad seed {seed}: {says}" for seed in (0, 1)
    ]
    assert [run["key"] for run in read_runs(work.out)] == ["none"]
    assert {trial["cell"]["prompt"] for trial in read_runs(f"{work.out}.trials")} == {"none"}


def test_a_cluster_that_goes_away_during_a_search_says_how_to_go_on_and_waits_for_none(work):
    asked = []

    def never():
        asked.append(1)
        time.sleep(0.05)

    cells = answer_with(work, {"none": Lost("no head\nstack"), "pad": never})
    began, before = time.monotonic(), threading.active_count()
    with pytest.raises(OSError, match=r"the cluster went away \(no head\): the same command goes on from"):
        work.run(cells)
    while threading.active_count() > before and time.monotonic() < began + 20:
        time.sleep(0.05)
    assert threading.active_count() == before, "a search goes on"
    assert not read_runs(f"{work.out}.trials")
    assert len(asked) < 200


def test_the_other_machines_get_every_variable_that_decides_results():
    library = Path(ray_run.__file__).parents[2].rglob("*.py")
    read = {name for path in library for name in re.findall(r'environ\.get\("(\w+)"', path.read_text())}
    assert read - {"RAY_USE_TLS"} == set(ray_run.PASSED_ON)
