"""Counts the attempts of each account whose message has not ended."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text

from models.enums import OPEN_ATTEMPT, AttemptState
from models.session import ReadSession, WriteSession

_AWAITED: Final = sorted({*OPEN_ATTEMPT, AttemptState.ACCEPTED})

# Over all tenants: accounts belong to the installation.
_COUNT: Final = text(
    """
    SELECT attempt.account, count(*) AS attempts
      FROM message JOIN attempt
           ON attempt.tenant_id = message.tenant_id AND attempt.message_id = message.id
     WHERE message.completed_at IS NULL AND message.attempts > 0
       AND attempt.state = ANY(:awaited)
     GROUP BY attempt.account
    """
)


async def count_open_attempts(db: ReadSession | WriteSession) -> Mapping[str, int]:
    """Return how many attempts of each account are looked up or reported on; only those above 0."""
    rows = await db.execute(_COUNT, {"awaited": _AWAITED})
    return {row.account: row.attempts for row in rows}
