"""Suppressed contacts, and the history that documents why."""

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

    It takes the contact's exclusive lock, as an opt-out does: no attempt is committed after it. An
    e-mail address is suppressed for the tenant's own e-mail too, which is locked under merchant 0.
    Lock order: the merchant's lock first, everywhere.
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
    """Remove suppressions with these reasons; the caller holds the contact's exclusive lock."""
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
