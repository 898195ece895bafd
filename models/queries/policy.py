"""What decides whether somebody may send to a contact."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from sqlalchemy import text

from models.enums import Channel, ConsentStatus
from models.session import ReadSession


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPolicy:
    """A merchant, as far as sending to some contacts goes."""

    merchant_id: int
    active: bool
    timezone: str
    marketing_from: time | None
    marketing_until: time | None
    consent: ConsentStatus | None
    """Of all contacts together: OPT_OUT if one said so, OPT_IN if each did."""
    suppressed: bool
    sender: str | None


_POLICY = text(
    """
    SELECT merchant.id, merchant.active, merchant.timezone, merchant.marketing_from,
           merchant.marketing_until,
           (SELECT array_agg(status) FROM consent
             WHERE consent.tenant_id = merchant.tenant_id AND consent.merchant_id = merchant.id
               AND consent.channel = :channel
               AND consent.contact_key = ANY(CAST(:keys AS text[]))) AS consents,
           EXISTS (SELECT 1 FROM suppression s
                    WHERE s.tenant_id = merchant.tenant_id AND s.merchant_id = merchant.id
                      AND s.channel = :channel
                      AND s.contact_key = ANY(CAST(:keys AS text[]))) AS suppressed,
           (SELECT number FROM sender_number
             WHERE sender_number.tenant_id = merchant.tenant_id
               AND (sender_number.merchant_id = merchant.id OR sender_number.merchant_id IS NULL)
             ORDER BY sender_number.merchant_id NULLS LAST, number LIMIT 1) AS sender
      FROM merchant
     WHERE merchant.tenant_id = :tenant_id AND merchant.external_id = :merchant
    """
)


async def find_policy(
    db: ReadSession,
    *,
    tenant_id: int,
    merchant: str,
    channel: Channel,
    contact_keys: Sequence[str],
) -> SendPolicy | None:
    """Return what decides about a send; None if the tenant has no such merchant."""
    row = (
        await db.execute(
            _POLICY,
            {
                "tenant_id": tenant_id,
                "merchant": merchant,
                "channel": channel,
                "keys": list(contact_keys),
            },
        )
    ).one_or_none()
    if row is None:
        return None
    return SendPolicy(
        merchant_id=row.id,
        active=row.active,
        timezone=row.timezone,
        marketing_from=row.marketing_from,
        marketing_until=row.marketing_until,
        consent=together(row.consents or (), len(contact_keys)),
        suppressed=row.suppressed,
        sender=row.sender,
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
    """Say whether a contact is suppressed for anybody of the tenant."""
    found = await db.scalar(
        _SUPPRESSED, {"tenant_id": tenant_id, "channel": channel, "keys": list(contact_keys)}
    )
    return bool(found)


_ADDRESS = text(
    """
    SELECT address FROM sender_address
     WHERE tenant_id = :tenant_id
       AND (CAST(:wanted AS text) IS NULL OR lower(address) = lower(:wanted))
     ORDER BY created_at, address LIMIT 1
    """
)


async def find_address(db: ReadSession, *, tenant_id: int, wanted: str | None) -> str | None:
    """Return the tenant's address that is wanted, or its first; None if it has none such."""
    found: str | None = await db.scalar(_ADDRESS, {"tenant_id": tenant_id, "wanted": wanted})
    return found


def together(consents: Sequence[str], contacts: int) -> ConsentStatus | None:
    """Return what several contacts said as one: a single OPT_OUT outweighs everything."""
    if ConsentStatus.OPT_OUT in consents:
        return ConsentStatus.OPT_OUT
    return ConsentStatus.OPT_IN if len(consents) == contacts else None
