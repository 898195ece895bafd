"""Reads the facts that decide whether a merchant may send to contacts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import time
from typing import Any

from sqlalchemy import Row, text

from models.enums import Channel, ConsentStatus, DeliveryMode
from models.queries.senders.candidates import FIRST_OWN, FIRST_POOL
from models.queries.senders.chosen_sender import (
    ChosenSender,
    choose_from,
    find_sender,
    find_senders,
)
from models.rules.messages.destination_limits import DestinationLimits
from models.rules.senders.sender_choice import SANDBOX
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPolicy:
    """Facts about a merchant and the contacts of one send."""

    tenant: str
    """Name of the tenant."""
    merchant_id: int
    merchant_public_id: int
    active: bool
    timezone: str
    marketing_from: time | None
    marketing_until: time | None
    marketing_timezones: Sequence[str]
    consent: ConsentStatus | None
    """Of all contacts together: OPT_OUT if one opted out, OPT_IN if all opted in."""
    suppressed: bool
    sender: str | None
    """For SMS and calls: the number to send from; None if none may be used."""
    delivery_mode: DeliveryMode
    limits: DestinationLimits
    disabled: frozenset[str] = frozenset()
    """Accounts that an operator has switched off; empty in SIMULATOR mode."""
    unregistered: bool = False
    """The merchant has numbers of its own, but none may be used yet."""


def consents_of(merchant_id: str, owner: str, channel: str, keys: str) -> str:
    """Return the SQL of the statuses of contacts; all arguments are SQL, `keys` an array.

    `owner` is the table whose tenant it is. It looks up each contact alone: for `= ANY` the
    planner prefers to read all consents of the merchant, by the index of lists.
    """
    return f"""
           (SELECT array_agg(found.status)
              FROM unnest({keys}) AS wanted (contact_key), LATERAL (
                   SELECT c.status FROM consent c
                    WHERE c.tenant_id = {owner}.tenant_id AND c.merchant_id = {merchant_id}
                      AND c.channel = {channel}
                      AND c.contact_key = wanted.contact_key LIMIT 1) AS found)"""  # noqa: S608 - no input in it


# Of the numbers only so many are read as show whether there is a choice: most merchants have one
# number, and the statement that chooses is long to plan.
POLICY = text(
    f"""
    SELECT m.id, m.public_id, m.active, m.timezone,
           m.marketing_from, m.marketing_until, m.marketing_timezones,
           {consents_of("m.id", "m", ":channel", "CAST(:keys AS text[])")} AS consents,
           EXISTS (SELECT 1 FROM suppression s
                    WHERE s.tenant_id = m.tenant_id AND s.merchant_id = m.id
                      AND s.channel = :channel
                      AND s.contact_key = ANY(CAST(:keys AS text[]))) AS suppressed,
           t.name AS tenant,
           CASE WHEN t.delivery_mode = 'LIVE' THEN ARRAY(
                SELECT account FROM provider_account WHERE NOT enabled) END AS disabled,
           t.delivery_mode, t.otps_per_10_minutes, t.otps_per_day,
           t.new_recipients_per_hour, own.numbers, own.ready,
           CASE WHEN own.numbers IS NULL AND CAST(:channel AS varchar) <> 'EMAIL' THEN
                {FIRST_POOL} END AS pool
      FROM merchant m
      JOIN tenant t ON t.id = m.tenant_id
     CROSS JOIN LATERAL (
            SELECT array_agg(number) AS numbers,
                   array_agg(number) FILTER (WHERE ready) AS ready
              FROM {FIRST_OWN} AS first
             WHERE CAST(:channel AS varchar) <> 'EMAIL') AS own
     WHERE m.tenant_id = :tenant_id AND m.external_id = :merchant
    """  # noqa: S608 - every value is a parameter
)


async def find_policy(
    db: ReadSession | WriteSession,
    *,
    tenant_id: int,
    merchant: str,
    channel: Channel,
    contact_keys: Sequence[str],
) -> SendPolicy | None:
    """Return the facts that decide about a send; None if the tenant has no such merchant."""
    values = {"tenant_id": tenant_id, "merchant": merchant, "channel": channel}
    read = {**values, "keys": list(contact_keys), "sandbox": SANDBOX}
    row = (await db.execute(POLICY, read)).one_or_none()
    if row is None:
        return None
    chosen = choose_from(row, channel=channel, key=contact_keys[0])
    if chosen.several:
        chosen = await find_sender(
            db, tenant_id=tenant_id, merchant=merchant, channel=channel, key=contact_keys[0]
        )
    consent = joint_consent(row.consents or (), len(contact_keys))
    return _policy_of(row, chosen, consent, suppressed=row.suppressed)


_CONTACTS = text(
    """
    SELECT wanted.contact_key, found.status
      FROM unnest(CAST(:keys AS text[])) AS wanted (contact_key), LATERAL (
           SELECT c.status FROM consent c
            WHERE c.tenant_id = :tenant_id AND c.merchant_id = :merchant_id
              AND c.channel = :channel AND c.contact_key = wanted.contact_key LIMIT 1) AS found
     UNION ALL
    SELECT contact_key, NULL FROM suppression
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
       AND contact_key = ANY(CAST(:keys AS text[]))
    """
)


async def find_policies(
    db: ReadSession | WriteSession,
    *,
    tenant_id: int,
    merchant: str,
    channel: Channel,
    contact_keys: Collection[str],
) -> dict[str, SendPolicy]:
    """Return the facts that decide about sends to single contacts, by contact key.

    They are those that `find_policy` returns for each of them. Empty if the tenant has no such
    merchant.
    """
    values = {"tenant_id": tenant_id, "merchant": merchant, "channel": channel}
    row = (await db.execute(POLICY, {**values, "keys": [], "sandbox": SANDBOX})).one_or_none()
    if row is None:
        return {}
    named = {"tenant_id": tenant_id, "merchant_id": row.id, "channel": channel}
    consents: dict[str, ConsentStatus] = {}
    suppressed = set()
    for found in await db.execute(_CONTACTS, {**named, "keys": list(contact_keys)}):
        if found.status is None:
            suppressed.add(found.contact_key)
        else:
            consents[found.contact_key] = ConsentStatus(found.status)
    only = choose_from(row, channel=channel, key="")
    chosen: dict[str, ChosenSender] = {}
    if only.several:
        chosen = await find_senders(
            db, tenant_id=tenant_id, merchant=merchant, channel=channel, keys=contact_keys
        )
    shared = _policy_of(row, only, None, suppressed=False)
    return {
        key: replace(
            shared,
            consent=consents.get(key),
            suppressed=key in suppressed,
            sender=chosen.get(key, only).number,
            unregistered=chosen.get(key, only).owns,
        )
        for key in contact_keys
    }


def _policy_of(
    row: Row[Any], chosen: ChosenSender, consent: ConsentStatus | None, *, suppressed: bool
) -> SendPolicy:
    """Return the policy in a row of `POLICY`."""
    return SendPolicy(
        tenant=row.tenant,
        disabled=frozenset(row.disabled or ()),
        merchant_id=row.id,
        merchant_public_id=row.public_id,
        active=row.active,
        timezone=row.timezone,
        marketing_from=row.marketing_from,
        marketing_until=row.marketing_until,
        marketing_timezones=row.marketing_timezones or (),
        consent=consent,
        suppressed=suppressed,
        sender=chosen.number,
        delivery_mode=DeliveryMode(row.delivery_mode),
        limits=DestinationLimits(
            otps_per_10_minutes=row.otps_per_10_minutes,
            otps_per_day=row.otps_per_day,
            new_recipients_per_hour=row.new_recipients_per_hour,
        ),
        unregistered=chosen.owns,
    )


_SUPPRESSED = text(
    """
    SELECT EXISTS (SELECT 1 FROM suppression
                    WHERE tenant_id = :tenant_id AND channel = :channel
                      AND contact_key = ANY(CAST(:keys AS text[])))
    """
)


async def suppressed_anywhere(
    db: ReadSession, *, tenant_id: int, channel: Channel, contact_keys: Sequence[str]
) -> bool:
    """Return whether a contact is suppressed for any merchant of the tenant."""
    found = await db.scalar(
        _SUPPRESSED, {"tenant_id": tenant_id, "channel": channel, "keys": list(contact_keys)}
    )
    return bool(found)


_ADDRESSES = text(
    """
    SELECT tenant.name AS tenant, tenant.delivery_mode,
           CASE WHEN tenant.delivery_mode = 'LIVE' THEN ARRAY(
                SELECT account FROM provider_account WHERE NOT enabled) END AS disabled,
           ARRAY(SELECT address FROM sender_address
                  WHERE tenant_id = tenant.id
                    AND (CAST(:wanted AS text) IS NULL OR lower(address) = lower(:wanted))
                  ORDER BY created_at, address LIMIT 100) AS addresses
      FROM tenant WHERE tenant.id = :tenant_id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantAddresses:
    """The addresses that a tenant's e-mail may be sent from."""

    tenant: str
    delivery_mode: DeliveryMode
    disabled: frozenset[str]
    """Accounts that an operator has switched off; empty in SIMULATOR mode."""
    addresses: Sequence[str] = field(repr=False)
    """The oldest first, at most 100."""


async def find_addresses(db: ReadSession, *, tenant_id: int, wanted: str | None) -> TenantAddresses:
    """Return a tenant's sender addresses; if one is wanted, only that, or none."""
    row = (await db.execute(_ADDRESSES, {"tenant_id": tenant_id, "wanted": wanted})).one()
    return TenantAddresses(
        tenant=row.tenant,
        delivery_mode=DeliveryMode(row.delivery_mode),
        disabled=frozenset(row.disabled or ()),
        addresses=row.addresses,
    )


def joint_consent(consents: Sequence[str], contacts: int) -> ConsentStatus | None:
    """Return the joint consent of several contacts; one OPT_OUT outweighs everything."""
    if ConsentStatus.OPT_OUT in consents:
        return ConsentStatus.OPT_OUT
    return ConsentStatus.OPT_IN if len(consents) == contacts else None
