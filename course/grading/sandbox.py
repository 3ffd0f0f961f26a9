"""Starts the process in which learner code runs, in bubblewrap; where that does not work, nothing is run."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course.grading.patience import START_SECONDS, processor_seconds

BUBBLEWRAP = "bubblewrap: no network, read-only system, solutions and other submissions hidden"
NONE = (
    "none: bubblewrap does not work here, so no submission is run and an instructor grades every answer; "
    "install bubblewrap (Linux) to let checks grade"
)
HIDDEN = ("course/lessons", "course/exercises", "solutions", "tests", ".git")
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
SPARE_BYTES = 2 * 2**30  # memory of one exercise on top of the imported libraries
PROCESSES = 64
COURSE = Path(__file__).resolve().parents[1]
FIXED = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "USER": "learner",  # torch asks for a name, and inside there is no list of accounts
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
    "HF_HUB_OFFLINE": "1",
    "VPCOURSE_PROFILE": "quick",
    "VPCOURSE_PROGRESS": "off",
}


@functools.cache
def isolation() -> str:
    """Say how submissions are isolated on this machine: BUBBLEWRAP or NONE.

    Raises:
        OSError: bubblewrap works, but the course cannot be imported in it; every mark would be 0.
    """
    if shutil.which("bwrap") is None:
        return NONE
    try:
        works = _try_inside("import json, socket")
    except (OSError, subprocess.TimeoutExpired):
        return NONE
    if works.returncode:
        return NONE
    done = _try_inside("import torch, vpcore, course.grading.answers")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise OSError(f"the sandbox cannot import the course, so nobody is graded: {''.join(said)}")
    return BUBBLEWRAP


def _try_inside(code: str) -> subprocess.CompletedProcess[bytes]:
    command = [*_bubblewrap(), sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, timeout=START_SECONDS, check=False, env=_environment(), cwd="/")


class Sockets(dict[str, socket.socket]):
    """One socket for each exercise of a running sandbox, and what the sandbox has used."""

    def __init__(self, sockets: dict[str, socket.socket], process: int) -> None:
        super().__init__(sockets)
        self._process = process

    def used(self) -> float:
        """Return the processor time of the sandbox so far."""
        return processor_seconds(self._process)


@contextlib.contextmanager
def running(job: dict[str, Any]) -> Iterator[Sockets]:
    """Start the child with a job and give one socket for each of its tasks; afterwards everything is killed.

    Args:
        job: with "preload", "cells", "lesson" and "tasks"; sockets and limits are added here. A task's socket has the
            name of its "key", or its "id" where it has none.
    """
    keys = [task.get("key", task["id"]) for task in job["tasks"]]
    pairs = {key: socket.socketpair() for key in keys}
    limits = {"memory": SPARE_BYTES, "processes": PROCESSES}
    tasks = [{**task, **limits, "socket": pairs[key][1].fileno()} for key, task in zip(keys, job["tasks"], strict=True)]
    process = _start([theirs.fileno() for _, theirs in pairs.values()])
    try:
        for _, theirs in pairs.values():
            theirs.close()
        _send(process, {**job, "tasks": tasks})
        yield Sockets({name: ours for name, (ours, _) in pairs.items()}, process.pid)
    finally:
        for ours, _ in pairs.values():
            ours.close()
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _start(sockets: list[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*_bubblewrap(), sys.executable, "-m", "course.grading.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=sockets,
        env=_environment(),
        cwd="/",
        start_new_session=True,
    )


def _send(process: subprocess.Popen[bytes], job: dict[str, Any]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # a child that is gone shows at its sockets
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()


def _packages() -> list[Path]:
    import importlib.util

    found = importlib.util.find_spec("vpcore")
    vpcore = [Path(found.origin).resolve().parent] if found and found.origin else []
    return [COURSE, *vpcore]


def _sites() -> list[str]:
    """Return the folders that pip installs into, one of the account among them, which HOME does not show inside."""
    return [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]


def _environment() -> dict[str, str]:
    folders = [*(str(path.parent) for path in _packages()), *_sites()]
    return {**FIXED, "PYTHONPATH": os.pathsep.join(dict.fromkeys(folders))}


def _bubblewrap() -> list[str]:
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--uid", "65534", "--gid", "65534"]
    words += ["--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--size", str(256 * 2**20), "--tmpfs", "/tmp"]
    system = dict.fromkeys([*SYSTEM, sys.prefix, sys.base_prefix, *map(str, _packages()), *_sites()])
    for path in system:
        words += ["--ro-bind-try", path, path]
    for folder in {COURSE.parent, *(Path(path) for path in sys.path if path)}:
        for name in HIDDEN:
            if (folder / name).is_dir() and any((folder / name).is_relative_to(path) for path in system):
                words += ["--tmpfs", str(folder / name), "--remount-ro", str(folder / name)]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
