"""Attempts with equal vendor, sender, recipient and text, over all tenants and accounts."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from models.enums import AttemptState
from models.queries.messages.receipts import AttemptKey
from models.rules.messages.equal_texts import WINDOW_SLACK, EqualAttempt
from models.session import WriteSession

EQUAL_KEY: Final = r"""
    hashtextextended(concat_ws(chr(31), 'equal', CAST(:provider AS text), channel, sender,
                               contact_key, regexp_replace(body, '\s+', '', 'g')), 0)"""
"""SQL of an attempt's `equal_key`, from the columns of its message.

White space is left out: a vendor may change it, and equality may only be assumed too often. The
account is left out too: two names of the providers file may be one account at the vendor.
"""

_LOCK = text(
    """
    SELECT pg_advisory_xact_lock(equal_key) FROM attempt
     WHERE tenant_id = :tenant_id AND message_id = :message_id AND number = :number
       AND equal_key IS NOT NULL
    """
)

# The lower bound of requested_at limits what is read of the index; no attempt lasts that long.
_EQUALS = text(
    """
    SELECT other.tenant_id, other.message_id, other.number, other.state, other.requested_at,
           other.provider_message_id
      FROM attempt mine
      JOIN attempt other
        ON other.equal_key = mine.equal_key AND other.provider = mine.provider
       AND other.requested_at BETWEEN mine.requested_at - INTERVAL '1 hour'
                                  AND mine.deadline + CAST(:slack AS interval)
       AND other.deadline >= mine.requested_at - CAST(:slack AS interval)
     WHERE mine.tenant_id = :tenant_id AND mine.message_id = :message_id
       AND mine.number = :number
    """
)


async def lock_equals(db: WriteSession, attempt: AttemptKey) -> Sequence[EqualAttempt]:
    """Lock conclusions about attempts equal to this one, and return them with itself among them.

    Empty if the attempt was not made as one of a provider that can only list. The lock lasts until
    the transaction ends; the attempts are read after it is granted.
    """
    ids = {
        "tenant_id": attempt.tenant_id,
        "message_id": attempt.message_id,
        "number": attempt.number,
    }
    await db.execute(_LOCK, ids)
    rows = await db.execute(_EQUALS, {**ids, "slack": WINDOW_SLACK})
    return [
        EqualAttempt(
            key=(row.tenant_id, row.message_id, row.number),
            state=AttemptState(row.state),
            requested_at=row.requested_at,
            provider_message_id=row.provider_message_id,
        )
        for row in rows
    ]
