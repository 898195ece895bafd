"""Cancels several waiting messages in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from models.enums import WAITING, MessageStatus
from models.queries.messages.batches.chunk_settlement import end_alike
from models.queries.messages.settlement import values_of
from models.queries.messages.settlement_facts import LockedMessage, lock_several_for_settlement
from models.rules.messages.settlement import End
from models.session import WriteSession

_END = End(status=MessageStatus.CANCELED, captured=0)


async def cancel_some(
    db: WriteSession, *, tenant_id: int, message_ids: Sequence[int], now: datetime
) -> tuple[set[int], set[int]]:
    """Cancel messages that still wait; return the canceled ones, and those that were looked at.

    They are locked first, by ascending id, as a dispatch locks them, so only one of the two
    succeeds. Only messages of the earliest month are looked at, because a transaction locks one.
    """
    locked = await lock_several_for_settlement(db, tenant_id=tenant_id, message_ids=message_ids)
    month = min((message.month for message in locked), default="")
    looked_at = [message for message in locked if message.month == month]
    alike: dict[tuple[Any, ...], list[LockedMessage]] = {}
    for message in looked_at:
        if not message.completed and message.facts.status in WAITING:
            values = values_of(message, _END, now, ())
            alike.setdefault((message.funded, *values.values()), []).append(message)
    for messages in alike.values():
        await end_alike(db, messages, values_of(messages[0], _END, now, ()), _END)
    canceled = {message.message_id for messages in alike.values() for message in messages}
    return canceled, {message.message_id for message in looked_at} or set(message_ids)
