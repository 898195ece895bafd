"""Contacts that must not be written to again, and the history that proves why."""

from datetime import datetime

from sqlalchemy import text

from models.enums import Channel, SuppressionReason
from models.queries.consent.consents import lock_contact
from models.session import WriteSession

_SUPPRESS = text(
    """
    WITH suppressed AS (
        INSERT INTO suppression
               (tenant_id, merchant_id, channel, contact_key, reason, source, suppressed_at)
        VALUES (:tenant_id, :merchant_id, :channel, :contact_key, :reason, :source, :now)
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    INSERT INTO consent_change
           (tenant_id, merchant_id, channel, contact_key, contact, status, source, changed_at)
    SELECT :tenant_id, :merchant_id, :channel, :contact_key, :contact, 'SUPPRESSED', :source, :now
      FROM suppressed
    """
)


async def suppress(
    db: WriteSession,
    *,
    tenant_id: int,
    merchant_id: int,
    channel: Channel,
    contact_key: str,
    contact: str,
    reason: SuppressionReason,
    source: str,
    now: datetime,
) -> None:
    """Suppress a contact for a merchant (0: the tenant itself), once, with its history.

    Takes the contact's lock alone, as an opt-out does: no attempt is committed after it. An address
    is suppressed for the tenant's own mail too, which locks it under merchant 0: after the
    merchant's lock, everywhere.
    """
    await lock_contact(db, tenant_id, merchant_id, channel, contact_key, shared=False)
    if channel is Channel.EMAIL and merchant_id != 0:
        await lock_contact(db, tenant_id, 0, channel, contact_key, shared=False)
    await db.execute(
        _SUPPRESS,
        {
            "tenant_id": tenant_id,
            "merchant_id": merchant_id,
            "channel": channel,
            "contact_key": contact_key,
            "contact": contact,
            "reason": reason,
            "source": source,
            "now": now,
        },
    )


_LIFT = text(
    """
    WITH lifted AS (
        DELETE FROM suppression
         WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
           AND contact_key = :contact_key AND reason = ANY(CAST(:reasons AS text[]))
        RETURNING reason
    )
    INSERT INTO consent_change
           (tenant_id, merchant_id, channel, contact_key, contact, status, source, changed_at)
    SELECT :tenant_id, :merchant_id, :channel, :contact_key, :contact, 'RESTORED', :source, :now
      FROM lifted
    """
)


async def lift(
    db: WriteSession,
    *,
    tenant_id: int,
    merchant_id: int,
    channel: Channel,
    contact_key: str,
    contact: str,
    reasons: frozenset[SuppressionReason],
    source: str,
    now: datetime,
) -> None:
    """Take suppressions of these kinds back; the caller holds the contact's lock alone."""
    await db.execute(
        _LIFT,
        {
            "tenant_id": tenant_id,
            "merchant_id": merchant_id,
            "channel": channel,
            "contact_key": contact_key,
            "contact": contact,
            "reasons": sorted(reasons),
            "source": source,
            "now": now,
        },
    )
