"""TCP ports on the loopback interface."""

import socket
from random import SystemRandom

LOOPBACK = "127.0.0.1"
# Below the ephemeral range of the kernel, so that a port chosen here is not taken by chance before
# its server listens, or during a restart.
QUIET_PORTS = range(20_000, 32_000)
_chance = SystemRandom()


def free_port() -> int:
    """Return a port that is free now; another process may take it before it is used."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return several different free ports."""
    found: set[int] = set()
    while len(found) < count:
        port = _chance.choice(QUIET_PORTS)
        if not is_taken(port):
            found.add(port)
    return list(found)


def is_taken(port: int) -> bool:
    """Return whether a server could not listen on this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def accepts(port: int) -> bool:
    """Return whether a server accepts connections on this port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False
