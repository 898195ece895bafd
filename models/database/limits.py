"""Timeouts for Postgres by role: API, worker, housekeeping, operator, migration.

Every wait has a bound: for a row lock, a statement, a frozen client that holds a transaction, and a
server that does not answer.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


_MUTE: Final = _seconds(1)
"""How much longer than `statement_timeout` the client waits for the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseLimits:
    """Timeouts of one role. The first four are set on the server for every connection."""

    lock: timedelta
    """For a row or an advisory lock that another transaction holds: SQLSTATE 55P03."""
    statement: timedelta
    """For one statement, including its wait for locks: SQLSTATE 57014."""
    idle_in_transaction: timedelta
    """Between two statements of a transaction. The server ends the connection of a frozen client,
    which releases its locks: SQLSTATE 25P03.
    """
    transaction: timedelta
    """For a whole transaction: SQLSTATE 25P04."""
    waiting: int = 200
    """Transactions of one merchant, and of one tenant, that may wait for a slot in this process."""
    slot_wait: timedelta = timedelta(seconds=5)
    """Longest wait for a slot."""

    @property
    def answer(self) -> timedelta:
        """How long the client waits for an answer before it closes the connection."""
        return self.statement + _MUTE

    @property
    def server_options(self) -> str:
        """The server's timeouts in the format of libpq's connection option `options`."""
        limits = {
            "lock_timeout": self.lock,
            "statement_timeout": self.statement,
            "idle_in_transaction_session_timeout": self.idle_in_transaction,
            "transaction_timeout": self.transaction,
            # A backend whose client is gone stops waiting and releases its locks.
            "client_connection_check_interval": _seconds(2),
        }
        return " ".join(
            f"-c {name}={round(limit / timedelta(milliseconds=1))}"
            for name, limit in limits.items()
        )


API: Final = DatabaseLimits(
    lock=_seconds(2),
    statement=_seconds(8),
    idle_in_transaction=_seconds(4),
    transaction=_seconds(15),
)
"""Short, because a caller waits. Requests with the same Idempotency-Key wait longer: `KEY_WAIT`."""

KEY_WAIT: Final = _seconds(7)
"""How long a request waits for another one with its Idempotency-Key. Longer than a frozen process
can hold a transaction (`API.idle_in_transaction`) and than it can wait for a lock, and shorter than
the statement timeout.
"""

WORKER: Final = DatabaseLimits(
    lock=_seconds(3),
    statement=_seconds(8),
    idle_in_transaction=_seconds(4),
    transaction=_seconds(15),
)
"""An activity has 10 seconds or more (`workflows/policies.py`), and is retried."""

HOUSEKEEPING: Final = DatabaseLimits(
    lock=_seconds(3),
    statement=_seconds(60),
    idle_in_transaction=_seconds(10),
    transaction=timedelta(minutes=5),
)
"""Sweeping, watching and closing read many rows at once."""

OPERATOR: Final = DatabaseLimits(
    lock=_seconds(15),
    statement=timedelta(minutes=5),
    idle_in_transaction=_seconds(60),
    transaction=timedelta(minutes=30),
)
"""For operators' commands, which report their failure."""

MIGRATION: Final = DatabaseLimits(
    # Short: all later statements on a table queue behind a migration that waits for its lock.
    lock=_seconds(3),
    statement=timedelta(hours=2),
    idle_in_transaction=timedelta(minutes=5),
    transaction=timedelta(hours=6),
)

CONNECT: Final = _seconds(4)
"""For one connection to one host: TCP, TLS and log-in together."""

PING: Final = _seconds(1)
"""For the ping of a connection that was idle."""

IDLE_UNCHECKED: Final = _seconds(5)
"""A connection that was idle for longer is pinged before it is used."""

TCP: Final = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
}
"""In libpq's names. A peer whose kernel does not respond is given up within 8 to 11 seconds; one
whose kernel does respond, by `DatabaseLimits.answer`.
"""
