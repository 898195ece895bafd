"""What clients may cost the process that serves them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Bounds on connections; times in seconds."""

    keep_alive: float = 75
    """An idle connection is kept so long for the next request."""
    connections: int = 800
    """Open at the same time."""
    head: float = 10
    """From the connection, or the first byte of a further request, to the end of its headers."""
    body_idle: float = 30
    """Between two pieces of a body."""
    body: float = 300
    """From the headers to the last byte of the body."""
    stalled: float = 30
    """A client that takes nothing of its answer for so long is cut off."""
    linger: float = 10
    """What a client still sends after its answer is read and dropped so long: closed earlier, the
    connection would be reset, and the answer could be lost."""
    dropped: int = 8 * 1024 * 1024
    """Bytes of it at most."""
    patience: float = 1
    """Whose headers or body take longer, or who takes nothing of its answer for longer, makes room
    for a new connection when none is idle."""
