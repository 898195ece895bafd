"""Messages of every shape that has recipients: an SMS, a call, and e-mails to one or several."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from models.enums import Channel, ConsentStatus, MessageType, SuppressionReason
from models.queries.consent.consents import lock_contact, write_consent
from models.queries.consent.suppression import suppress
from models.queries.messages.acceptance import NewMessage
from models.rules.messages.operations import SEND_DIRECT_EMAIL
from models.session import Database, WriteSession
from tests.activities.doubles import Scripted
from tests.contacts import key_of
from tests.factories import Owner, make_message, new_message

RECIPIENTS = ("maria@example.com", "john@example.com", "ann@example.com")
THE_TENANT = 0
"""Merchant id of suppressions that apply to the tenant's own e-mail."""


class AllChannels(Scripted):
    """A provider that supports all channels."""

    channels = frozenset(Channel)


def mail(
    owner: Owner,
    to: Sequence[str] = RECIPIENTS,
    *,
    of_the_tenant: bool = False,
    type: MessageType = MessageType.TRANSACTIONAL,
) -> NewMessage:
    """Return a direct e-mail to accept: of the merchant, or of the tenant itself."""
    message = new_message(owner, to=to[0], units=len(to), type=type)
    return replace(
        message,
        merchant_id=None if of_the_tenant else owner.merchant_id,
        channel=Channel.EMAIL,
        operation=SEND_DIRECT_EMAIL,
        funded=not of_the_tenant,
        details={"subject": "Hello", "to": list(to)},
        further_keys=[key_of(one) for one in to[1:]],
    )


_DETAILS: dict[Channel, dict[str, Any]] = {
    Channel.SMS: {},
    Channel.VOICE: {"record": False, "ringSeconds": 30, "longestSeconds": 60},
    Channel.EMAIL: {"subject": "Hello"},
}


def single(channel: Channel, owner: Owner, to: str) -> NewMessage:
    """Return a message of the merchant to one recipient."""
    return replace(new_message(owner, to=to), channel=channel, details=_DETAILS[channel])


async def accept(database: Database, message: NewMessage) -> int:
    """Accept a message; return its id."""
    return await make_message(database, message)


async def opt_out(
    db: WriteSession, owner: Owner, contact: str, channel: Channel = Channel.EMAIL
) -> None:
    """Write an opt-out as the API does, in a transaction of the caller's."""
    await lock_contact(
        db, owner.tenant_id, owner.merchant_id, channel, key_of(contact), shared=False
    )
    await said(db, owner, contact, ConsentStatus.OPT_OUT, channel)


async def said(
    db: WriteSession,
    owner: Owner,
    contact: str,
    status: ConsentStatus,
    channel: Channel = Channel.EMAIL,
) -> None:
    """Write a contact's consent."""
    await write_consent(
        db,
        tenant_id=owner.tenant_id,
        merchant_id=owner.merchant_id,
        channel=channel,
        contact_key=key_of(contact),
        contact=contact,
        status=status,
        source="test",
        now=datetime.now(UTC),
    )


async def complain(
    db: WriteSession, owner: Owner, contact: str, *, merchant_id: int | None = None
) -> None:
    """Suppress a contact as a report of a complaint does."""
    await suppress(
        db,
        tenant_id=owner.tenant_id,
        merchant_id=owner.merchant_id if merchant_id is None else merchant_id,
        channel=Channel.EMAIL,
        contact_key=key_of(contact),
        contact=contact,
        reason=SuppressionReason.COMPLAINT,
        source="test",
        now=datetime.now(UTC),
    )
