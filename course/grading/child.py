"""Inside the sandbox: runs the learner's cells and answers calls; decides nothing.

The process imports the libraries once and then forks for each exercise, so that an exercise which loops, exits or
crashes costs only itself. It reads its job as JSON from stdin and answers on one socket for each exercise.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import types
from typing import Any

from course.grading.cells import Notebook
from course.grading.patience import AGAIN, PATIENCE

GRACE = 5.0  # seconds an exercise may live longer than its limit, before it is killed from outside


def main() -> None:
    """Read the job and run its exercises one after the other."""
    job = json.load(sys.stdin)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for name in ("torch", "numpy", "course.grading.answers", *job["preload"]):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sockets = {task["socket"]: socket.socket(fileno=task["socket"]) for task in job["tasks"]}
    Notebook([], job["lesson"])
    gc.freeze()  # a collection in an exercise would copy the memory of all that was imported
    shared = {"cells": job["cells"], "lesson": job["lesson"]}
    for task in job["tasks"]:
        for whole in (False, True):
            child = os.fork()
            if child == 0:
                try:
                    _exercise({**shared, **task, "whole": whole}, sockets)
                finally:
                    os._exit(0)
            seconds = PATIENCE * task["seconds"] + GRACE
            if _wait(child, sockets[task["socket"]], seconds, task["processes"]) != AGAIN:
                break
        sockets[task["socket"]].close()


def _wait(child: int, connection: socket.socket, seconds: float, processes: int) -> int | None:
    """Wait for an exercise; end it and all it left running when the grader hangs up, or it takes too much.

    Returns:
        Its exit status; None if it did not end by itself.
    """
    end, hung_up = time.monotonic() + seconds, select.poll()
    hung_up.register(connection, select.POLLRDHUP)
    status = None
    while time.monotonic() < end and len(_others()) <= processes and not hung_up.poll(0):
        if (status := _ended(child)) is not None:
            break
        time.sleep(0.01)
    for _ in range(1000):
        others = _others()
        if not others:
            break
        for other in others:
            with contextlib.suppress(OSError):
                os.kill(other, signal.SIGKILL)
        _ended(-1)
    return status


def _ended(child: int) -> int | None:
    try:
        ended, status = os.waitpid(child, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if ended else None


def _others() -> list[int]:
    """Return the processes of the sandbox besides this one and the first; RLIMIT_NPROC does not bind root's."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())]


def _exercise(task: dict[str, Any], sockets: dict[int, socket.socket]) -> None:
    from course.grading.answers import serve
    from course.grading.wire import transmit

    os.setpgid(0, 0)
    with contextlib.suppress(OSError, AttributeError):  # Linux: end with the process that forked it
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    connection = sockets.pop(task["socket"])
    for other in sockets.values():
        other.close()
    _limit(task)
    end = time.monotonic() + PATIENCE * task["seconds"] + GRACE
    transmit(connection, "started", end)
    serve(connection, task, _module(), end)


def _limit(task: dict[str, Any]) -> None:
    import resource  # here, since Windows has none

    seconds = int(task["seconds"] + GRACE)
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    limits = {"CPU": seconds, "FSIZE": 64 * 2**20, "CORE": 0, "NOFILE": 256, "AS": held + task["memory"]}
    limits["NPROC"] = task["processes"]
    for name, value in limits.items():
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _module() -> types.ModuleType:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    return module


if __name__ == "__main__":
    main()
