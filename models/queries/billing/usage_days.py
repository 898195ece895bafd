"""Locks of usage days, for writing to a day or closing it.

Writers hold a day's lock shared. Closing holds it exclusively and checks only then whether the day
may be closed; so a write either precedes the closing or fails. Lock order: after the message,
before month and credits; of several days, the earliest first.
"""

from datetime import date
from typing import Final

from sqlalchemy import text

from models.rules.system.failures import TransientError
from models.session import WriteSession

KEY: Final = "hashint8(CAST(:tenant_id AS bigint)), day - DATE '2000-01-01'"
"""SQL of the lock key of a row's `day`, for statements that lock it along the way.

Such a statement sees only what was committed before it began, so only a later statement may check
what is closed. Two tenants may share a lock (32 bits of hash), which is correct but slower.
"""

_DAY = "FROM (SELECT CAST(:day AS date) AS day) wanted"
_SHARED = text(f"SELECT pg_advisory_xact_lock_shared({KEY}) {_DAY}")
_ALONE = text(f"SELECT pg_advisory_xact_lock({KEY}) {_DAY}")
_BRIEFLY = text("SET LOCAL lock_timeout = '1s'")


async def lock_day(db: WriteSession, *, tenant_id: int, day: date, alone: bool) -> None:
    """Lock a day until the transaction ends, shared against closing or `alone` against writing."""
    await db.execute(_ALONE if alone else _SHARED, {"tenant_id": tenant_id, "day": day})


async def wait_briefly(db: WriteSession) -> None:
    """Set this transaction's lock timeout to a second; then it fails with OperationalError.

    While it waits, others wait for its locks, and so do the remaining tenants of the batch.
    """
    await db.execute(_BRIEFLY)


class DayIsClosed(TransientError):
    """An unfinished day is closed, because clocks differ; a retry succeeds."""
