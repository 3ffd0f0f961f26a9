"""Before a cluster is joined: whether it answers, and whether a machine of it has what one run needs."""

from __future__ import annotations

import os
import socket
from typing import Any

SETTINGS = b"\x04"  # the type of the frame that an HTTP/2 connection begins with, on both sides
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + SETTINGS + b"\0\0\0\0\0"


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
