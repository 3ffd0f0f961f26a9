"""The socket blocker: loopback works, everything else is refused, and the block ends."""

import socket

import pytest

from course.authoring.offline import OfflineError, blocked

OUTSIDE = "192.0.2.1"  # an address reserved for documentation


def test_connections_to_other_machines_are_refused():
    with blocked():
        for reach in (
            lambda: socket.create_connection((OUTSIDE, 80), timeout=1),
            lambda: socket.socket().connect_ex((OUTSIDE, 80)),
            lambda: socket.getaddrinfo("example.org", 80),
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", (OUTSIDE, 9)),
            lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
        ):
            with pytest.raises(OfflineError, match="the course runs offline, but something tried to reach"):
                reach()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_stays_open(host):
    with socket.create_server(("127.0.0.1", 0)) as server, blocked():
        with socket.create_connection((host, server.getsockname()[1]), timeout=5) as client:
            client.sendall(b"hello")
        assert server.accept()[0].recv(5) == b"hello"


def test_the_block_ends():
    before = socket.socket.connect, socket.getaddrinfo
    with blocked():
        assert socket.socket.connect is not before[0]
    assert (socket.socket.connect, socket.getaddrinfo) == before
