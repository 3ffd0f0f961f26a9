"""Run the cells of a grid as tasks of a Ray cluster; Ray schedules, repeats and shares out GPUs."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from threading import Event
from typing import Any

import torch

from vpcore.device import choose_device
from vpcore.experiments.grid.cell import Cell, question
from vpcore.experiments.grid.cell_data import FeatureStore, Loader
from vpcore.experiments.grid.failures import last_line, memory_named, say_failed
from vpcore.experiments.grid.run import Work, command, provenance, try_cell
from vpcore.experiments.grid.train_cell import run_cell
from vpcore.experiments.runs.runlog import append_run
from vpcore.train.speedups import Speedups, around, speedups

REQUIRED = "ray>=2.40,<3"
RETRIES = 3  # of a run whose machine or process died
PASSED_ON = ("VPCOURSE_PROFILE", "VPCORE_DATA", "VPCORE_WEIGHTS")  # environment variables that decide results
SEARCHES = 64  # searches for a rate at a time; each waits for one trial after the other
WAIT = 1.0  # seconds until a search that waits looks whether it was called off
SETTINGS = b"\x04"  # the type of the frame that an HTTP/2 connection begins with, on both sides
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + SETTINGS + b"\0\0\0\0\0"


def connect(address: str, gpus: float | None = None) -> Callable[..., ClusterWork]:
    """Join a running cluster, and return what `run_grid` runs its cells by.

    Args:
        address: host:port that `ray start --head` printed, or "auto" for the cluster this machine is part of.
        gpus: share of a GPU that one run gets, 0 or more; None takes one where a GPU is used.

    Raises:
        ValueError: Ray is not installed, or a share below 0.
        OSError: no cluster answers within seconds.
    """
    try:
        import ray
    except ImportError:
        raise ValueError(f'--cluster needs Ray: python -m pip install "{REQUIRED}"') from None
    if gpus is not None and gpus < 0:
        raise ValueError(f"--gpus must be 0 or more, got {gpus}: 0.5 lets two runs share a GPU")
    try:
        knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:  # ConnectionError is an OSError
        raise OSError(
            f"no Ray cluster at {address} ({' '.join(str(error).split())[:200]}): start one with ray start --head, and "
            "ray start --address=HOST:PORT on every other machine, this one too"
        ) from error
    return partial(ClusterWork, gpus)


class ClusterWork(Work):
    """The cells of one grid on a cluster, whose machines load their own data.

    Args:
        gpus: share of a GPU a run; None as in `connect`.
        out, device, load, runs: as in `Work`.

    Raises:
        ValueError: no machine of the cluster has what one run needs.
    """

    def __init__(
        self, gpus: float | None, out: Path, device: str | None, load: Loader, runs: list[dict[str, Any]]
    ) -> None:
        import ray

        super().__init__(out, device, load, runs)
        self.ray, self.stopped = ray, Event()
        threads = torch.get_num_threads()
        gpus = float(choose_device(device).type == "cuda") if gpus is None else gpus
        check_machines(ray.nodes(), threads, gpus)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.order = Order(device, load.root, threads, environment, around(), command())
        remote = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=RETRIES)
        self.task, self.trial = remote(run_task), remote(trial_task)

    def run(self, cells: Sequence[Cell]) -> int:
        """Run the cells in any order, and append each as it is done; returns how many failed.

        Raises:
            OSError: the cluster went away.
        """
        from tqdm import tqdm

        found = self._with_rates(cells)
        failed = len(cells) - len(found)
        waiting = {self.task.remote(asdict(cell), self.order): cell for cell in found}
        with tqdm(total=len(found), unit="run", file=sys.stderr, dynamic_ncols=True) as bar:
            while waiting:
                ready = self._next(list(waiting))
                failed += not self._take(waiting.pop(ready), ready)
                bar.update()
        return failed

    def _next(self, waiting: list[Any]) -> Any:
        """Wait for a task."""
        try:
            return self.ray.wait(waiting)[0][0]
        except self.ray.exceptions.RayError as error:
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> OSError:
        reason = str(error).strip().partition("\n")[0]
        return OSError(f"the cluster went away ({reason}): the same command goes on from {self.out}")

    def _take(self, cell: Cell, ready: Any) -> bool:
        """Append the result of a task; a run that failed is reported and left out."""
        try:
            result = self.ray.get(ready)
        except self.ray.exceptions.RayError as error:
            result = {"failed": last_line(error)}
        if "failed" in result:
            say_failed(cell, result["failed"])
            return False
        if not self.is_done(result["key"]):
            append_run(self.out, result)
        return True

    def _with_rates(self, cells: Sequence[Cell]) -> list[Cell]:
        """Search for the rates that are wanted: methods side by side, the trials of one after the other.

        Cells whose search fails are reported and left out; whatever else ends a search calls all others off.
        """
        groups: dict[str, list[Cell]] = {}
        for cell in cells:
            groups.setdefault(question(asdict(cell), ("seed",)), []).append(cell)
        pool = ThreadPoolExecutor(SEARCHES)
        self.stopped.clear()
        try:
            return [cell for group in pool.map(self._search_all, groups.values()) for cell in group]
        finally:
            self.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _search_all(self, cells: Sequence[Cell]) -> list[Cell]:
        return [ready for cell in cells if (ready := self.with_rate(cell)) is not None]

    def _try(self, cell: Cell) -> float:
        known = self.ray.exceptions
        try:
            task = self.trial.remote(asdict(cell), self.order)
            while not self.ray.wait([task], timeout=WAIT)[0]:
                if self.stopped.is_set():
                    raise OSError("called off: another search has ended the grid")
            found = self.ray.get(task)
        except (known.RayTaskError, known.WorkerCrashedError, known.OutOfMemoryError) as error:  # the trial's own
            raise ValueError(last_line(error)) from error
        except known.RayError as error:
            raise self._gone(error) from error
        if isinstance(found, dict):
            raise ValueError(found["failed"])
        return found


@dataclass(frozen=True)
class Order:
    """What every task is told beside its cell."""

    device: str | None
    root: str | None
    threads: int  # of the processor, so that sums are taken in the order of a local run
    environment: dict[str, str]
    wanted: Speedups
    command: str


def run_task(cell: dict[str, Any], order: Order) -> dict[str, Any]:
    """Run one cell where Ray wants it; returns its line, or why it failed."""
    asked, load, store = _prepare(cell, order)
    try:
        with memory_named(), speedups(order.wanted.compile, order.wanted.cuda_graph):
            result = run_cell(asked, load(asked), order.device, None, store)
    except ValueError as error:
        return {"failed": str(error)}
    return {**result, **provenance(asked, order.device), "command": order.command}


def trial_task(cell: dict[str, Any], order: Order) -> float | dict[str, str]:
    """Return the validation accuracy of a trial, nan if it diverges, or why it failed otherwise."""
    asked, load, store = _prepare(cell, order)
    try:
        with speedups(order.wanted.compile, order.wanted.cuda_graph):
            found = try_cell(asked, load(asked), order.device, store)
    except ValueError as error:
        return {"failed": str(error)}
    return float("nan") if found is None else found[1].best.valid_accuracy


def _prepare(cell: dict[str, Any], order: Order) -> tuple[Cell, Loader, FeatureStore]:
    os.environ.update(order.environment)
    torch.set_num_threads(order.threads)
    return Cell(**cell), *_shared(order.root)


@cache
def _shared(root: str | None) -> tuple[Loader, FeatureStore]:
    """Return what the tasks of one process share: data sets and frozen features."""
    return Loader(root), FeatureStore()


def knock(address: str) -> None:
    """Find out within seconds whether a gRPC server, as Ray's is, answers; Ray itself would try for minutes.

    Raises:
        ValueError: no address, or something else listens there.
        OSError: nothing listens there.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise ValueError("an address is host:port")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        if os.environ.get("RAY_USE_TLS", "0") in ("", "0"):
            line.sendall(HTTP2)
            if line.recv(9)[3:4] != SETTINGS:
                raise ValueError("something else listens there")


def check_machines(nodes: list[dict[str, Any]], threads: int, gpus: float) -> None:
    """Refuse what Ray would wait for forever; raises ValueError."""
    has = [node["Resources"] for node in nodes if node["Alive"]]
    if not any(each.get("CPU", 0) >= threads and each.get("GPU", 0) >= gpus for each in has):
        raise ValueError(
            f"no machine of the cluster has the {threads} processor cores and {gpus:g} GPUs of one run: set "
            "OMP_NUM_THREADS or --gpus"
        )
