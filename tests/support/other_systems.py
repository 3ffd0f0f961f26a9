"""Takes away from a Python process what Windows or macOS lacks, as far as Linux can play them.

The standard library and torch are imported before, as they are for the system that is really there; what is imported
afterwards (vpcore, course, lessons) meets the other one.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = """
import asyncio, os, signal, socket, subprocess, sys, tempfile, multiprocessing, concurrent.futures, threading
import IPython, typer, tqdm.auto, jupyterlab.labapp, nbclient, torch, numpy, timm, sklearn, matplotlib.pyplot
for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty", "posix"):
    sys.modules[name] = None
for name in ("fork", "forkpty", "geteuid", "getuid", "setsid", "setpgid", "killpg", "getpgid", "wait4", "mkfifo"):
    delattr(os, name)
for name in ("setitimer", "SIGALRM", "SIGKILL", "ITIMER_REAL", "pause"):
    delattr(signal, name)
def execve(program, words, environment):
    raise AssertionError(f"Windows joins {words} with blanks and does not wait")
os.execve = execve
sys.platform = "win32"
"""
MACOS = """
import builtins, io, os, pathlib, sys
import IPython, typer, torch, numpy, timm, sklearn, matplotlib.pyplot
real = io.open
def without_proc(file, *words, **named):
    if str(file).startswith("/proc"):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return real(file, *words, **named)
builtins.open = io.open = without_proc
is_file = pathlib.Path.is_file
pathlib.Path.is_file = lambda path, **named: not str(path).startswith("/proc") and is_file(path, **named)
sys.platform = "darwin"
"""
SYSTEMS = {"Windows": WINDOWS, "macOS": MACOS}


def played(system, code, environment, folder=ROOT):
    """Run code in a process of a system's kind, whose console has a code page of its own."""
    words = [sys.executable, "-c", SYSTEMS[system] + code]
    page = {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0", "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        words, cwd=folder, env={**environment, **page}, capture_output=True, encoding="utf-8",
        errors="replace", check=False,
    )  # fmt: skip
