"""Days of usage: the lock under which one is written to or closed.

Whoever writes to a day holds its lock shared, whoever closes it holds it alone, and asks only then
whether it is closed: so a day is written to before it is closed, or not at all. The lock comes
after that of the message, and before month and credits. Of several days, the earliest first.
"""

from datetime import date
from typing import Final

from sqlalchemy import text

from models.rules.system.failures import TransientError
from models.session import WriteSession

KEY: Final = "hashint8(CAST(:tenant_id AS bigint)), day - DATE '2000-01-01'"
"""SQL of the key of the lock of a row's `day`, for statements that take it on their way.

Such a statement sees what was committed before it began: only a later one may ask what is closed.
Two tenants may share a lock (32 bits of hash); that costs time, never truth.
"""

_DAY = "FROM (SELECT CAST(:day AS date) AS day) wanted"
_SHARED = text(f"SELECT pg_advisory_xact_lock_shared({KEY}) {_DAY}")
_ALONE = text(f"SELECT pg_advisory_xact_lock({KEY}) {_DAY}")
_BRIEFLY = text("SET LOCAL lock_timeout = '1s'")


async def lock_day(db: WriteSession, *, tenant_id: int, day: date, alone: bool) -> None:
    """Keep a day from being closed until the transaction ends; `alone`, from being written to."""
    await db.execute(_ALONE if alone else _SHARED, {"tenant_id": tenant_id, "day": day})


async def wait_briefly(db: WriteSession) -> None:
    """Let this transaction wait a second for a lock, then fail with OperationalError.

    While it waits, whoever needs what it holds waits as well, and so does every other tenant's turn
    behind it.
    """
    await db.execute(_BRIEFLY)


class DayIsClosed(TransientError):
    """A day that has not ended is closed: clocks disagree. Tried again, it passes."""
