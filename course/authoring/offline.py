"""Refuses every connection that leaves this machine, so that the quick profile provably needs none."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

GUARDED = ("connect", "connect_ex", "sendto")


class OfflineError(OSError):
    """Something tried to reach another machine while the course runs offline."""


@contextmanager
def blocked() -> Iterator[None]:
    """Blocks connections inside a ``with`` block and restores them after it.

    Only connections made through Python's ``socket`` are seen; a library that opens sockets in C is not.
    """
    originals = {name: getattr(socket.socket, name) for name in GUARDED}
    lookup = socket.getaddrinfo
    try:
        block()
        yield
    finally:
        for name, original in originals.items():
            setattr(socket.socket, name, original)
        socket.getaddrinfo = lookup


def block() -> None:
    """Blocks connections until the process ends; loopback and local sockets stay open.

    Raises:
        OfflineError: later, by the code that tries to connect.
    """
    for name in GUARDED:
        setattr(socket.socket, name, _guard_method(getattr(socket.socket, name)))
    socket.getaddrinfo = _guard_lookup(socket.getaddrinfo)


def _guard_method(original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *args: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_unless_local(args[-1][0])  # sendto has the address last, as connect has
        return original(self, *args)

    return guarded


def _guard_lookup(original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *args: Any, **options: Any) -> Any:
        _refuse_unless_local(host)
        return original(host, *args, **options)

    return guarded


def _refuse_unless_local(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        local = ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        local = False
    if not local:
        sys.audit("vpcourse.refused", name)  # seen by tests even where the error is swallowed
        raise OfflineError(
            f"the course runs offline, but something tried to reach {name!r}; "
            "use bundled data, or set VPCOURSE_PROFILE=full outside the tests"
        )
