"""Chooses the numbers that a merchant sends to contacts from."""

from collections.abc import Collection
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
    SELECT m.id, t.delivery_mode, wanted.contact_key, heard.last, own.numbers, own.ready,
           CASE WHEN own.numbers IS NULL AND CAST(:channel AS varchar) <> 'EMAIL' THEN
                {pool} END AS pool
      FROM merchant m
      JOIN tenant t ON t.id = m.tenant_id
     CROSS JOIN unnest(CAST(:contact_keys AS text[])) AS wanted (contact_key)
      LEFT JOIN LATERAL (
            SELECT sender AS last FROM message e
             WHERE e.tenant_id = m.tenant_id AND e.merchant_id = m.id
               AND e.contact_key = wanted.contact_key
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


async def find_senders(
    db: ReadSession | WriteSession,
    *,
    tenant_id: int,
    merchant: str,
    channel: Channel,
    keys: Collection[str],
    owned: AccountSenders | None = None,
) -> dict[str, ChosenSender]:
    """Return the number that a merchant sends to each contact from, by contact key.

    `owned` limits it to the numbers of one account. Empty if the tenant has no such merchant.
    """
    values = {
        "tenant_id": tenant_id,
        "merchant": merchant,
        "channel": channel,
        "contact_keys": list(keys),
        "sandbox": SANDBOX,
    }
    if owned is None:
        found = await db.execute(SENDERS, values)
    else:
        account = {"account": owned.account, "listed": list(owned.listed)}
        found = await db.execute(SENDERS_OF_ACCOUNT, {**values, **account})
    return {
        row.contact_key: choose_from(row, channel=channel, key=row.contact_key, last=row.last)
        for row in found
    }


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
    found = await find_senders(
        db, tenant_id=tenant_id, merchant=merchant, channel=channel, keys=[key], owned=owned
    )
    return found.get(key, NO_SENDER)


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
