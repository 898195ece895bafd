"""Cancels several waiting messages in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from models.enums import WAITING, MessageStatus
from models.queries.messages.batches.chunk_settlement import end_several
from models.queries.messages.settlement_facts import lock_several_for_settlement
from models.rules.messages.settlement import End
from models.session import WriteSession

_END = End(status=MessageStatus.CANCELED, captured=0)


async def cancel_some(
    db: WriteSession, *, tenant_id: int, message_ids: Sequence[int], now: datetime
) -> tuple[set[int], set[int]]:
    """Cancel messages that still wait; return the canceled ones, and those that were looked at.

    They are locked first, by ascending id, as a dispatch locks them, so only one of the two
    succeeds. Only messages of the earliest month are looked at.
    """
    looked_at = await lock_several_for_settlement(db, tenant_id=tenant_id, message_ids=message_ids)
    waiting = [m for m in looked_at if not m.completed and m.facts.status in WAITING]
    await end_several(db, [(message, _END) for message in waiting], now)
    canceled = {message.message_id for message in waiting}
    return canceled, {message.message_id for message in looked_at} or set(message_ids)
