"""Checks before a server starts that it may listen at its configured address."""

import errno
import socket

from cli.command_errors import OutOfReach


def check_listens(host: str, port: int, host_variable: str, port_variable: str) -> None:
    """Raise OutOfReach, with the variable to change, if the address cannot be bound."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise OutOfReach(f"{host_variable} names no host that is known here") from None
    try:
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except PermissionError:
        raise OutOfReach(f"{port_variable} is a port that this user may not listen at") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} is taken by another program: stop it, or set {port_variable}"
        else:
            message = f"{host_variable} is no address of this machine"
        raise OutOfReach(message) from None
