"""Runs a notebook in a kernel of this interpreter and makes what it stores the same in every run."""

from __future__ import annotations

import base64
import re
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course.authoring.cells import where
from course.authoring.environment import CELL_SECONDS, STARTS, UNSTABLE, kernel_environment

WIDGET = "application/vnd.jupyter.widget-view+json"
SLICE = 0.5  # seconds; a lost wake-up of the shell socket costs no more than this


class LessonFailed(RuntimeError):
    """A cell of a lesson raised, took too long or killed its kernel; the message names it in one line."""


class NotStarted(Exception):
    """The kernel died before it took its first message, or took too long to do so."""


class ThisInterpreter(KernelSpecManager):
    """Knows one kernel: the Python that is running now, whatever kernels the machine has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Returns the spec of a kernel of this interpreter."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


class PollingClient(NotebookClient):
    """Starts a kernel again that dies before its first cell, and waits for replies in short slices.

    nbclient can miss the wake-up and then waits for ever.
    """

    def create_kernel_manager(self) -> Any:
        """Gives a kernel that is not started yet, of this interpreter."""
        self.km = AsyncKernelManager(kernel_spec_manager=ThisInterpreter(), kernel_name="python3")
        return self.km

    async def async_start_new_kernel(self, **options: Any) -> None:
        """Starts the kernel and keeps the options for another start."""
        self.options = options
        await super().async_start_new_kernel(**options)

    async def async_start_new_kernel_client(self) -> Any:
        """Starts the client, where need be with a new kernel, and replaces its endless wait."""
        for start in range(1, STARTS + 1):
            try:
                client = await super().async_start_new_kernel_client()
                break
            except RuntimeError as error:
                self.create_kernel_manager()
                if start == STARTS:
                    raise NotStarted(str(error)) from error
                await self.async_start_new_kernel(**self.options)
        receive = client.shell_channel.get_msg

        async def get_msg(timeout: float | None = None, **options: Any) -> Any:
            end = float("inf") if timeout is None else time.monotonic() + timeout
            while True:
                left = end - time.monotonic()
                try:
                    return await receive(timeout=max(0.0, min(SLICE, left)), **options)
                except Empty:
                    if left <= SLICE:
                        raise

        client.shell_channel.get_msg = get_msg
        return client


def execute(
    place: str,
    notebook: Any,
    folder: Path,
    *,
    on_cell: Callable[[], object] = lambda: None,
    timeout: float = CELL_SECONDS,
) -> None:
    """Executes all cells of a notebook, in place; text of Output widgets is stored as ordinary output.

    Args:
        place: the notebook's name for messages.
        notebook: receives the outputs and execution counts.
        folder: the working folder of the kernel.
        on_cell: called after each cell.
        timeout: seconds a single cell may take.

    Raises:
        LessonFailed: a cell failed, or the kernel never started.
    """
    clear(notebook)
    language = dict(notebook.metadata.get("language_info", {}))
    client = PollingClient(
        notebook,
        timeout=timeout,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        on_cell_executed=lambda **_: on_cell(),
    )
    client.widget_registry = {}
    try:
        with kernel_environment() as environment:
            client.execute(env=environment, cleanup_kc=True)
    except NotStarted as error:
        raise LessonFailed(f"{place}: its kernel did not start, {STARTS} times in a row: {error}") from error
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise LessonFailed(_failure(place, notebook, error, timeout)) from error
    notebook.metadata["language_info"] = language
    notebook.metadata.pop("widgets", None)


def clear(notebook: Any) -> None:
    """Removes outputs and execution counts, in place."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def normalize(notebook: Any) -> None:
    """Makes stored outputs reproducible, in place: merged streams, plain PNGs, numbered widgets, no paths."""
    models: dict[str, str] = {}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = _merge_streams(cell.outputs)
        for output in cell.outputs:
            if "text" in output:
                output.text = stable_text(output.text)
            for kind, value in output.get("data", {}).items():
                output.data[kind] = _stable_value(kind, value, models)


def stable_text(text: str) -> str:
    """Replaces the parts of a text that change from run to run."""
    for pattern, replacement in UNSTABLE:
        text = re.sub(pattern, replacement, text)
    return text


def strip_png(data: bytes) -> bytes:
    """Drops the text and time chunks of a PNG, which name the program and version that wrote it."""
    kept, position = [data[:8]], 8
    while position + 12 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        end = position + 12 + length
        if data[position + 4 : position + 8] not in (b"tEXt", b"zTXt", b"iTXt", b"tIME"):
            kept.append(data[position:end])
        position = end
    return b"".join(kept)


def _stable_value(kind: str, value: Any, models: dict[str, str]) -> Any:
    if kind == WIDGET:
        return {**value, "model_id": models.setdefault(value["model_id"], f"{len(models):032x}")}
    if kind == "image/png":
        return base64.b64encode(strip_png(base64.b64decode(value))).decode() + "\n"
    return stable_text(value) if isinstance(value, str) else value


def _merge_streams(outputs: list[Any]) -> list[Any]:
    merged: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        name = output.get("name") if output.output_type == "stream" else None
        if name in streams:
            streams[name].text += output.text
            continue
        merged.append(output)
        if name:
            streams[name] = output
    return merged


def _failure(place: str, notebook: Any, error: Exception, timeout: float) -> str:
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    failed = next((i for i in code if any(o.output_type == "error" for o in notebook.cells[i].outputs)), None)
    if failed is None:  # no reply came: the first cell without a count is the one that was running
        failed = next((i for i in code if notebook.cells[i].execution_count is None), code[-1])
    if isinstance(error, CellTimeoutError):
        reason = f"took longer than {timeout:g} seconds"
    elif isinstance(error, DeadKernelError):
        reason = "killed the kernel"
    else:
        reason = f"raised {getattr(error, 'ename', 'an error')}: {getattr(error, 'evalue', error)}"
    return f"{where(place, failed, notebook.cells[failed])} {' '.join(reason.split())}"
