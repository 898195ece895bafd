"""Makes the message of a permitted send, for a single send and for a line of a batch."""

from datetime import datetime, timedelta
from typing import Final

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest
from api.services.messages.drafts import Draft
from api.services.messages.permission import Permission
from models.errors import ValidationFailed
from models.queries.messages.acceptance import NewMessage
from models.rules.billing.periods import month_of
from models.rules.messages.validity import expiry

FARTHEST: Final = timedelta(days=30)
"""How far ahead a send may be scheduled."""


def due_at(send_at: datetime | None, now: datetime) -> datetime:
    """Return when a message is due; a time in the past means now, too far ahead is refused."""
    if send_at is None or send_at <= now:
        return now
    if send_at > now + FARTHEST:
        raise ValidationFailed(errors=(("sendAt", f"must be at most {FARTHEST.days} days ahead"),))
    return send_at


def message_of(
    caller: Caller,
    draft: Draft,
    permission: Permission,
    request: IdempotentRequest,
    *,
    now: datetime,
    wanted_at: datetime,
    sweep_at: datetime,
) -> NewMessage:
    """Return the message to write for a permitted send."""
    return NewMessage(
        tenant_id=caller.tenant_id,
        merchant_id=permission.merchant_id,
        channel=draft.channel,
        type=draft.type,
        contact_key=permission.contact_keys[0],
        to_contact=draft.to[0],
        sender=permission.sender,
        body=draft.body,
        details={**draft.details, **permission.details},
        attributes=draft.attributes,
        operation=draft.operation,
        scope=request.scope,
        idempotency_key=request.key,
        fingerprint=request.fingerprint,
        units=draft.units,
        funded=permission.merchant_id is not None,
        destinations=permission.destinations,
        further_keys=permission.contact_keys[1:],
        month=month_of(now),
        accepted_at=now,
        due_at=permission.due_at,
        # Validity starts at the requested time, not at the end of the quiet hours.
        expires_at=expiry(draft.type, wanted_at, draft.valid_for),
        sweep_at=sweep_at,
    )
