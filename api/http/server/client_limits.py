"""Limits on client connections of a server process."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Bounds on connections; times in seconds."""

    keep_alive: float = 75
    """An idle connection is kept this long."""
    connections: int = 800
    """Maximum open connections."""
    head: float = 10
    """From the connection, or the first byte of a later request, to the end of its headers."""
    body_idle: float = 30
    """Between two pieces of a body."""
    body: float = 300
    """From the headers to the last byte of the body."""
    stalled: float = 30
    """A client that reads nothing of its response for this long is disconnected."""
    linger: float = 10
    """Input after the response is read and dropped for this long. If the connection closed earlier,
    TCP would reset it and the response could be lost.
    """
    dropped: int = 8 * 1024 * 1024
    """Maximum bytes that are dropped."""
    patience: float = 1
    """A client whose headers or body take longer, or that reads nothing of its response for longer,
    may be closed for a new connection when none is idle.
    """
