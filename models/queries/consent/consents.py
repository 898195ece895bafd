"""Consent records, and the lock that prevents a send after a committed opt-out."""

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
"""SQL of the id of a contact's advisory lock, also for use inside another statement."""

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
    """Lock a contact's consent to messages of a merchant until the transaction ends.

    A change of consent takes the lock exclusively, committing an attempt takes it shared. So an
    attempt is committed either before an opt-out or not at all, and sends do not wait for each
    other. Two contacts may share a lock (64 bits of hash), which is correct but slower.
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
    """Write a change of consent and make it current; the caller holds the exclusive lock.

    The contact is stored in the form in which it was given last.
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
    """Return a contact's current consent; None if there is none."""
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
    """Return the address of a contact key, as a merchant knows it; empty if it does not.

    It is used where only the key is known: an unsubscribe link contains no address.
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
    """Return consent records, each with its merchant's external id.

    The contact that was recorded last comes first. None means any; `after` is the number of the
    last record of the previous page.
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
    """Return the changes of a contact's consent on a channel, the newest first.

    `after` is the id of the last change of the previous page.
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
