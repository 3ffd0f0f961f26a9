"""Run the cells of a grid as tasks of a Ray cluster; Ray schedules, repeats and shares out GPUs."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
import typer

from vpcore.device import choose_device
from vpcore.grid.cell import Cell, question
from vpcore.grid.cell_data import Loader
from vpcore.grid.rates import RateSearch
from vpcore.grid.ray_tasks import Order, run_task, trial_task
from vpcore.grid.run import command
from vpcore.grid.runlog import append_run, read_new_keys
from vpcore.train.steps import around

REQUIRED = "ray>=2.40,<3"
RETRIES = 3  # of a run whose machine or process died
PASSED_ON = ("VPCOURSE_PROFILE", "VPCORE_DATA", "VPCORE_WEIGHTS")  # environment variables that decide results
SETTINGS = b"\x04"  # the type of the frame that an HTTP/2 connection begins with, on both sides
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + SETTINGS + b"\0\0\0\0\0"
SEARCHES = 64  # searches for a rate at a time; each waits for one trial after the other


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
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:  # ConnectionError is an OSError
        raise OSError(
            f"no Ray cluster at {address} ({' '.join(str(error).split())[:200]}): start one with ray start --head, and "
            "ray start --address=HOST:PORT on every other machine, this one too"
        ) from error
    return partial(ClusterWork, gpus)


def _knock(address: str) -> None:
    """Find out within seconds whether a gRPC server, as Ray's is, answers; Ray itself would try for minutes."""
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


class ClusterWork:
    """The cells of one grid on a cluster; the only writer of results is this process.

    Args:
        gpus: share of a GPU a run; None as in `connect`.
        out: results, JSON lines.
        device: as in `fit`.
        load: the data of this machine; the others load their own.
        runs: earlier ones.

    Raises:
        ValueError: no machine of the cluster has what one run needs.
    """

    def __init__(
        self, gpus: float | None, out: Path, device: str | None, load: Loader, runs: list[dict[str, Any]]
    ) -> None:
        import ray

        self.out, self.ray = out, ray
        self.done, self.offset = read_new_keys(out, 0)
        threads = torch.get_num_threads()
        gpus = float(choose_device(device).type == "cuda") if gpus is None else gpus
        _check_machines(ray.nodes(), threads, gpus)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.order = Order(device, load.root, threads, environment, around(), command())
        remote = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=RETRIES)
        self.task, self.trial = remote(run_task), remote(trial_task)
        self.search = RateSearch(Path(f"{out}.trials"), runs, self._try)

    def run(self, cells: Sequence[Cell]) -> int:
        """Run the cells in any order, and append each as it is done; returns how many failed.

        Raises:
            OSError: the cluster went away.
        """
        from tqdm import tqdm

        failed = 0
        cells = self._with_rates(cells)
        waiting = {self.task.remote(asdict(cell), self.order): cell for cell in cells}
        with tqdm(total=len(cells), unit="run", file=sys.stderr, dynamic_ncols=True) as bar:
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
            reason = str(error).strip().partition("\n")[0]
            raise OSError(f"the cluster went away ({reason}): the same command goes on from {self.out}") from error

    def _take(self, cell: Cell, ready: Any) -> bool:
        """Append the result of a task; a run that failed is reported and left out."""
        try:
            result = self.ray.get(ready)
        except self.ray.exceptions.RayError as error:
            result = {"failed": str(error).strip().splitlines()[-1]}
        if "failed" in result:
            typer.echo(f"failed: {cell}: {result['failed']}", err=True)
            return False
        new, self.offset = read_new_keys(self.out, self.offset)
        self.done |= new
        if result["key"] not in self.done:  # no other process was faster
            append_run(self.out, result)
        return True

    def _with_rates(self, cells: Sequence[Cell]) -> list[Cell]:
        """Search for the rates that are wanted: methods side by side, the trials of one after the other."""
        groups: dict[str, list[Cell]] = {}
        for cell in cells:
            groups.setdefault(question(asdict(cell), ("seed",)), []).append(cell)
        with ThreadPoolExecutor(SEARCHES) as pool:
            found = pool.map(lambda group: [self.search(cell) for cell in group], groups.values())
            return [cell for group in found for cell in group]

    def _try(self, cell: Cell) -> float:
        return self.ray.get(self.trial.remote(asdict(cell), self.order))


def _check_machines(nodes: list[dict[str, Any]], threads: int, gpus: float) -> None:
    """Refuse what Ray would wait for forever."""
    has = [node["Resources"] for node in nodes if node["Alive"]]
    if not any(each.get("CPU", 0) >= threads and each.get("GPU", 0) >= gpus for each in has):
        raise ValueError(
            f"no machine of the cluster has the {threads} processor cores and {gpus:g} GPUs of one run: set "
            "OMP_NUM_THREADS or --gpus"
        )
