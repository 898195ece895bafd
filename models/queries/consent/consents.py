"""Consent in the database: the lock that makes "opted-out is never sent" true."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.enums import Channel, ConsentStatus
from models.queries.tenants.visibility import (
    CallerScope,
    visible_consent_changes,
    visible_consents,
)
from models.session import ReadSession, WriteSession
from models.tables.consent import Consent, ConsentChange

CONTACT_LOCK: Final = """
    hashtextextended(concat_ws(chr(31), 'consent', CAST(:tenant_id AS bigint), merchant_id, channel,
                               contact_key), 0)"""
"""SQL of the id of a contact's advisory lock, also for a statement that takes it on its way."""

_CONTACT = """
    FROM (SELECT CAST(:merchant_id AS bigint) AS merchant_id, CAST(:channel AS text) AS channel,
                 CAST(:contact_key AS text) AS contact_key) contact"""
_SHARED = text(f"SELECT pg_advisory_xact_lock_shared({CONTACT_LOCK}) {_CONTACT}")
_ALONE = text(f"SELECT pg_advisory_xact_lock({CONTACT_LOCK}) {_CONTACT}")


async def lock_contact(
    db: AsyncSession,
    tenant_id: int,
    merchant_id: int,
    channel: Channel,
    contact_key: str,
    *,
    shared: bool,
) -> None:
    """Hold what a contact said to a merchant still until the transaction ends.

    Whoever changes consent takes it exclusively, whoever commits an attempt takes it shared: so an
    attempt is committed either before an opt-out or not at all, while sends do not wait for each
    other. Two contacts may share a lock (64 bits of hash); that costs time, never truth.
    """
    await db.execute(
        _SHARED if shared else _ALONE,
        {
            "tenant_id": tenant_id,
            "merchant_id": merchant_id,
            "channel": channel,
            "contact_key": contact_key,
        },
    )


_SAY = text(
    """
    WITH change AS (
        INSERT INTO consent_change
               (tenant_id, merchant_id, channel, contact_key, contact, status, source, changed_at)
        VALUES (:tenant_id, :merchant_id, :channel, :contact_key, :contact, :status, :source, :now)
        RETURNING id
    )
    INSERT INTO consent
           (tenant_id, merchant_id, channel, contact_key, contact, status, source, version,
            updated_at)
    SELECT :tenant_id, :merchant_id, :channel, :contact_key, :contact, :status, :source, change.id,
           :now
      FROM change
    ON CONFLICT (tenant_id, merchant_id, channel, contact_key) DO UPDATE
       SET contact = excluded.contact, status = excluded.status, source = excluded.source,
           version = excluded.version, updated_at = excluded.updated_at
    """
)


async def write_consent(
    db: WriteSession,
    *,
    tenant_id: int,
    merchant_id: int,
    channel: Channel,
    contact_key: str,
    contact: str,
    status: ConsentStatus,
    source: str,
    now: datetime,
) -> None:
    """Keep what a contact said and make it the last word; the caller holds its lock alone.

    The contact is kept as it was last given.
    """
    await db.execute(
        _SAY,
        {
            "tenant_id": tenant_id,
            "merchant_id": merchant_id,
            "channel": channel,
            "contact_key": contact_key,
            "contact": contact,
            "status": status,
            "source": source,
            "now": now,
        },
    )


_SAID = text(
    """
    SELECT status FROM consent
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
       AND contact_key = :contact_key
    """
)


async def find_consent(
    db: WriteSession, *, tenant_id: int, merchant_id: int, channel: Channel, contact_key: str
) -> ConsentStatus | None:
    """Return what a contact last said to a merchant; None if it never said anything."""
    said = await db.scalar(
        _SAID,
        {
            "tenant_id": tenant_id,
            "merchant_id": merchant_id,
            "channel": channel,
            "contact_key": contact_key,
        },
    )
    return None if said is None else ConsentStatus(said)


_ADDRESS = text(
    """
    SELECT COALESCE(
           (SELECT NULLIF(contact, '') FROM consent
             WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = 'EMAIL'
               AND contact_key = :contact_key),
           (SELECT to_contact FROM message
             WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = 'EMAIL'
               AND contact_key = :contact_key
             ORDER BY id DESC LIMIT 1),
           '')
    """
)


async def find_address(
    db: WriteSession, *, tenant_id: int, merchant_id: int, contact_key: str
) -> str:
    """Return the address behind a contact key, as a merchant knows it; empty if it does not.

    For whoever only holds a key: an unsubscribe link names no address.
    """
    values = {"tenant_id": tenant_id, "merchant_id": merchant_id, "contact_key": contact_key}
    return str(await db.scalar(_ADDRESS, values))


async def list_consents(
    db: ReadSession,
    scope: CallerScope,
    *,
    channel: Channel | None,
    status: ConsentStatus | None,
    contact_key: str | None,
    after: int | None,
    most: int,
) -> Sequence[tuple[Consent, str]]:
    """Return consent records, each with its merchant's name in the contract.

    The contact that was recorded last comes first; None narrows nothing, and `after` is the number
    of the record to go on behind.
    """
    statement = visible_consents(scope).order_by(col(Consent.number).desc())
    if channel is not None:
        statement = statement.where(col(Consent.channel) == channel)
    if status is not None:
        statement = statement.where(col(Consent.status) == status)
    if contact_key is not None:
        statement = statement.where(col(Consent.contact_key) == contact_key)
    if after is not None:
        statement = statement.where(col(Consent.number) < after)
    return [(row[0], row[1]) for row in await db.execute(statement.limit(most))]


async def list_changes(
    db: ReadSession,
    scope: CallerScope,
    *,
    channel: Channel,
    contact_key: str,
    after: int | None,
    most: int,
) -> Sequence[ConsentChange]:
    """Return everything a contact said on a channel, the last first.

    `after` is the id of the change to go on behind.
    """
    statement = (
        visible_consent_changes(scope)
        .where(
            col(ConsentChange.channel) == channel,
            col(ConsentChange.contact_key) == contact_key,
        )
        .order_by(col(ConsentChange.id).desc())
    )
    if after is not None:
        statement = statement.where(col(ConsentChange.id) < after)
    return (await db.scalars(statement.limit(most))).all()
