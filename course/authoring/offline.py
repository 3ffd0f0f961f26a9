"""Refuses every connection that leaves this machine, so that the quick profile provably needs none."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any


class OfflineError(OSError):
    """Something tried to reach another machine while the course runs offline."""


def outside(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Return the other machine that an audit event of Python wants to reach; None for one that stays on this one.

    Only what goes through Python's `socket` raises such events; a library that opens sockets in C does not.
    """
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return None
    name = host.decode() if isinstance(host, bytes) else host
    try:
        local = name in (None, "", "localhost") or ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        local = False
    return None if local else name


def block() -> None:
    """Blocks connections until the process ends; loopback and local sockets stay open.

    Raises:
        OfflineError: later, by the code that tries to connect.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    name = outside(event, arguments)
    if name is not None:
        raise OfflineError(
            f"the course runs offline, but something tried to reach {name!r}; "
            "use bundled data, or set VPCOURSE_PROFILE=full outside the tests"
        )
