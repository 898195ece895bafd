"""Chooses the number that a merchant sends to a contact from."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text

from models.enums import Channel, DeliveryMode
from models.queries.senders.candidates import (
    OWN_CANDIDATES,
    OWN_CANDIDATES_OF_ACCOUNT,
    POOL_CANDIDATES,
    POOL_CANDIDATES_OF_ACCOUNT,
    AccountSenders,
)
from models.rules.senders.sender_choice import SANDBOX, OwnNumber, Senders, choose
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenSender:
    """The number to send from."""

    number: str | None = field(repr=False)
    """None if no number may be used."""
    owns: bool
    """The merchant has numbers of its own."""
    several: bool
    """There was a choice."""


NO_SENDER = ChosenSender(number=None, owns=False, several=False)

# A merchant's own numbers are those that exist in its tenant's mode:
# `models.rules.senders.sender_choice.exists`.
_SENDERS = """
    SELECT m.id, t.delivery_mode, heard.last, own.numbers, own.ready,
           CASE WHEN own.numbers IS NULL AND CAST(:channel AS varchar) <> 'EMAIL' THEN
                {pool} END AS pool
      FROM merchant m
      JOIN tenant t ON t.id = m.tenant_id
      LEFT JOIN LATERAL (
            SELECT sender AS last FROM message e
             WHERE e.tenant_id = m.tenant_id AND e.merchant_id = m.id
               AND e.contact_key = CAST(:first AS varchar)
               AND e.channel IN ('SMS', 'VOICE') AND CAST(:channel AS varchar) <> 'EMAIL'
             ORDER BY e.id DESC LIMIT 1) AS heard ON TRUE
     CROSS JOIN LATERAL (
            SELECT array_agg(number) AS numbers,
                   array_agg(number) FILTER (WHERE ready) AS ready
              FROM {own} AS candidate) AS own
     WHERE m.tenant_id = :tenant_id AND m.external_id = :merchant
    """
SENDERS = text(_SENDERS.format(own=OWN_CANDIDATES, pool=POOL_CANDIDATES))
SENDERS_OF_ACCOUNT = text(
    _SENDERS.format(own=OWN_CANDIDATES_OF_ACCOUNT, pool=POOL_CANDIDATES_OF_ACCOUNT)
)


async def find_sender(
    db: ReadSession | WriteSession,
    *,
    tenant_id: int,
    merchant: str,
    channel: Channel,
    key: str,
    owned: AccountSenders | None = None,
) -> ChosenSender:
    """Return the number that a merchant sends to a contact from.

    `owned` limits it to the numbers of one account.
    """
    values = {
        "tenant_id": tenant_id,
        "merchant": merchant,
        "channel": channel,
        "first": key,
        "sandbox": SANDBOX,
    }
    if owned is None:
        found = await db.execute(SENDERS, values)
    else:
        account = {"account": owned.account, "listed": list(owned.listed)}
        found = await db.execute(SENDERS_OF_ACCOUNT, {**values, **account})
    row = found.one_or_none()
    return NO_SENDER if row is None else choose_from(row, channel=channel, key=key, last=row.last)


def choose_from(
    row: Row[Any], *, channel: Channel, key: str, last: str | None = None
) -> ChosenSender:
    """Choose among the numbers of a row: the merchant's own, those that are ready, and the pool."""
    own, ready, pool = row.numbers or (), frozenset(row.ready or ()), row.pool or ()
    number = choose(
        Senders(
            own=[OwnNumber(number=n, ready=n in ready) for n in own],
            pool=pool,
            last=last,
        ),
        channel=channel,
        mode=DeliveryMode(row.delivery_mode),
        merchant_id=row.id,
        contact=key,
    )
    return ChosenSender(number=number, owns=bool(own), several=len(own or pool) > 1)
