"""TCP ports on the loopback interface."""

import socket
from random import SystemRandom

LOOPBACK = "127.0.0.1"
# Below the range from which the kernel serves port 0 and outgoing connections, so that a port
# named here is not taken by chance before its server listens, or while it is started again.
QUIET_PORTS = range(20_000, 32_000)
_chance = SystemRandom()


def free_port() -> int:
    """Name a port nobody listens on now; somebody may take it before you do."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Name several such ports, all different."""
    found: set[int] = set()
    while len(found) < count:
        port = _chance.choice(QUIET_PORTS)
        if not is_taken(port):
            found.add(port)
    return list(found)


def is_taken(port: int) -> bool:
    """Tell whether a server could not listen on this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def accepts(port: int) -> bool:
    """Tell whether somebody answers on this port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False
