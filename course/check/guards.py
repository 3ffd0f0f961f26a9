"""Run learner code so that a notebook survives it: time, memory, output, exits, random state.

What this does not stop: `os._exit`, a crash in native code, and a loop that catches every exception itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import pickle
import random
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

SPARE_BYTES = 4 * 2**30  # room for learner code on top of what the kernel already holds
KEPT_CHARACTERS = 2000
_INPUT = "vpcourse_input"
_own = BaseException.__dict__["__dict__"].__get__  # an error's own attributes, whatever its class does to them


class TimeUp(BaseException):
    """The learner's code ran too long; not an Exception, so that `except Exception` does not swallow it."""


class BoundedText(io.TextIOBase):
    """Takes any amount of text and keeps the start of it."""

    def __init__(self) -> None:
        self.kept = ""

    def write(self, text: str) -> int:
        """Keep what still fits."""
        if len(self.kept) < KEPT_CHARACTERS:
            self.kept += text[: KEPT_CHARACTERS - len(self.kept)]
        return len(text)

    def writable(self) -> bool:
        """Say yes."""
        return True


@contextlib.contextmanager
def captured() -> Iterator[BoundedText]:
    """Keep the start of what is printed and drop the rest."""
    text = BoundedText()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        yield text


@contextlib.contextmanager
def on_input(words: str) -> Iterator[None]:
    """Keep with an error the input that brought it up; `input_of` tells it."""
    try:
        yield
    except Exception as error:
        _own(error)[_INPUT] = words
        raise


def input_of(error: BaseException) -> str:
    """Return the input with which an error came up, in words; empty where that is not known."""
    words = _own(error).get(_INPUT)
    return words if type(words) is str else ""


@contextlib.contextmanager
def steady_state() -> Iterator[None]:
    """Give learner code fixed random draws and restore every global switch that it may turn."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        try:
            torch.default_generator.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            yield
        finally:
            torch.set_default_dtype(dtype)
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            random.setstate(python_state)
            np.random.set_state(numpy_state)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeUp in this thread after a while: by a signal in the main thread, else from a second thread."""
    in_main = threading.current_thread() is threading.main_thread()
    with _by_signal(seconds) if in_main and hasattr(signal, "setitimer") else _by_thread(seconds):
        yield


@contextlib.contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again every second, for code that swallowed the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _by_thread(seconds: float) -> Iterator[None]:
    target = ctypes.c_ulong(threading.get_ident())
    lock, state = threading.Lock(), {"open": True}

    def stop() -> None:
        with lock:
            if state["open"]:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(TimeUp))

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            state["open"] = False
        timer.cancel()


@contextlib.contextmanager
def memory_limit(spare_bytes: int = SPARE_BYTES) -> Iterator[None]:
    """Let one absurd allocation fail instead of the machine; without effect where the system has no such limit."""
    used = _address_space()
    if used is None or _has_gpu():  # a GPU driver maps far more address space than it uses
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + spare_bytes
    ceiling = min(limit for limit in (wanted, soft, hard) if limit != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@functools.cache  # torch asks environment variables here: once a process is enough
def _has_gpu() -> bool:
    return torch.cuda.is_available()


def _address_space() -> int | None:
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError):
        return None


def guarded(action: Callable[[], Any], seconds: float, printed: list[str]) -> Any:
    """Run an action under all guards; what it printed is appended to `printed`; its exceptions pass through."""
    with steady_state(), captured() as text:
        try:
            with memory_limit(), time_limit(seconds):
                return action()
        finally:
            printed.append(text.kept)


class Watched:
    """A function whose draws from global random streams happen in another process, which tells of them.

    Attributes:
        drew: whether the last call drew from one.
    """

    drew = False


def watched(function: Callable[..., Any], *inputs: Any) -> tuple[Any, bool]:
    """Return what a function gives, and whether it drew from a global random stream; torch's is put back."""
    state, streams = torch.random.get_rng_state(), global_streams()
    output = function(*inputs)
    if isinstance(function, Watched):
        return output, function.drew
    drew = streams != global_streams()
    torch.random.set_rng_state(state)
    return output, drew


def global_streams() -> bytes:
    """Return where the global random streams of torch, NumPy and Python stand."""
    return pickle.dumps((torch.random.get_rng_state().numpy(), np.random.get_state(), random.getstate()))
