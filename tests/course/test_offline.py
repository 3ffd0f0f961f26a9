"""The socket blocker: loopback works, and everything else is refused until the process ends."""

import socket
import subprocess
import sys

import pytest

from course.authoring.offline import outside

OUTSIDE = "192.0.2.1"  # an address reserved for documentation
START = "import socket\nfrom course.authoring.offline import block\nblock()\n"


def told(code: str) -> str:
    """Run code in a process that is blocked; returns the last line of its errors."""
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, check=False, timeout=120
    )
    return (done.stderr.splitlines() or [""])[-1]


@pytest.mark.parametrize(
    "reach",
    [
        f"socket.create_connection(({OUTSIDE!r}, 80), timeout=1)",
        f"socket.socket().connect_ex(({OUTSIDE!r}, 80))",
        "socket.getaddrinfo('example.org', 80)",
        "socket.getaddrinfo(b'example.org', 80)",
        f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ({OUTSIDE!r}, 9))",
        f"import _socket; _socket.socket().connect(({OUTSIDE!r}, 80))",
        "import urllib.request; urllib.request.urlopen('http://example.org')",
    ],
)
def test_connections_to_other_machines_are_refused(reach):
    assert "the course runs offline, but something tried to reach" in told(reach)


def test_a_machine_of_the_new_internet_is_another_one_too():
    assert outside("socket.connect", (None, ("2001:db8::1", 80, 0, 0))) == "2001:db8::1"
    assert outside("socket.connect", (None, ("::1%lo", 80, 0, 0))) is None
    assert outside("open", ("example.org", "r", 0)) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_stays_open(host):
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = (host, server.getsockname()[1])
        assert told(f"socket.create_connection({where!r}, timeout=5).sendall(b'hello')") == ""
        assert server.accept()[0].recv(5) == b"hello"


def test_a_socket_file_stays_open(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        assert told(f"socket.socket(socket.AF_UNIX).connect({str(tmp_path / 's')!r})") == ""
