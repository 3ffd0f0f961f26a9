"""A JupyterLab of its own for a test, and a page of it that can be asked about its notebook."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from course.authoring.environment import kernel_environment

START_SECONDS = 180
QUIET = '{"fetchNews": "false", "checkForUpdates": false}'
# The toolbar says "idle" before there is a kernel, so the session itself is asked.
READY = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const session = panel?.context?.sessionContext;
  const kernel = session?.session?.kernel;
  return Boolean(kernel) && session.isReady && kernel.connectionStatus === "connected" && kernel.status === "idle";
}"""
RUN_ALL = """() => {
  window.ranAll = null;
  const say = outcome => { window.ranAll = outcome; };
  window.jupyterapp.commands.execute("notebook:run-all-cells").then(() => say("done"), error => say(String(error)));
}"""
CELLS = """() => {
  const found = [];
  for (const cell of window.jupyterapp.shell.currentWidget.content.model.cells) {
    if (cell.type === "code") {
      const outputs = cell.toJSON().outputs;
      const error = outputs.find(output => output.output_type === "error");
      found.push({count: cell.executionCount, error: error ? `${error.ename}: ${error.evalue}` : ""});
    }
  }
  return found;
}"""


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Serves a folder on 127.0.0.1 behind a fresh token; gives the address to which `?token=` is added already.

    Raises:
        RuntimeError: the server ended, or was not ready in time; the message is the end of its log.
    """
    port, token = _free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="vpcourse-lab-", ignore_cleanup_errors=True) as private:
        log = Path(private) / "server.log"
        with kernel_environment() as environment, log.open("w") as stream:
            server = subprocess.Popen(
                _command(folder, port, token),
                env={**environment, **_private_folders(Path(private))},
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                _wait(server, f"http://127.0.0.1:{port}/api/status?token={token}", log)
                yield f"http://127.0.0.1:{port}/lab/tree/{{}}?reset&token={token}"
            finally:
                _stop(server)


def open_notebook(page: Any, address: str, name: str) -> None:
    """Opens a notebook and waits until its kernel takes requests."""
    page.goto(address.format(name), wait_until="domcontentloaded")
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell")
    page.wait_for_function(READY)


def run_all(page: Any, seconds: float) -> list[dict[str, Any]]:
    """Runs all cells; returns the execution count and the error of each code cell."""
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.ranAll", timeout=1000 * seconds)
    assert page.evaluate("() => window.ranAll") == "done"
    return page.evaluate(CELLS)


def _command(folder: Path, port: int, token: str) -> list[str]:
    options = [
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True",
    ]
    return [sys.executable, "-m", "jupyterlab", *options]


def _private_folders(folder: Path) -> dict[str, str]:
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(QUIET)
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    return {variable: str(folder / name) for variable, name in names.items()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with suppress(OSError):
            direct.open(url, timeout=5).read()
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text(encoding='utf-8')[-2000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Asks the server to end with its kernels, then ends what is left of its process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(20)
