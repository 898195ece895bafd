"""The numbers assigned to campaigns: they text only while campaign and brand are approved."""

from datetime import datetime

from sqlalchemy import text

from models.session import WriteSession
from models.tables.messaging import Brand, Campaign

# By number, so that two campaigns' senders are always locked in one order.
_LOCK = text(
    """
    SELECT own.number
      FROM messaging_number bought
      JOIN campaign ON campaign.tenant_id = bought.tenant_id AND campaign.id = bought.campaign_id
      JOIN brand ON brand.tenant_id = campaign.tenant_id AND brand.id = campaign.brand_id
      JOIN sender_number own ON own.tenant_id = bought.tenant_id AND own.number = bought.number
                            AND own.merchant_id = bought.merchant_id
     WHERE bought.tenant_id = :tenant_id AND bought.merchant_id = :merchant_id
       AND bought.state = 'ACTIVE' AND bought.assignment = 'ASSIGNED'
       AND campaign.brand_id = :brand_id
       AND (CAST(:campaign_id AS bigint) IS NULL OR campaign.id = :campaign_id)
       AND (NOT CAST(:approved AS boolean)
            OR (campaign.state = 'APPROVED' AND brand.state = 'APPROVED'))
     ORDER BY own.number FOR UPDATE OF own
    """
)

_WRITE = text(
    """
    UPDATE sender_number SET registered_at = :registered_at
     WHERE tenant_id = :tenant_id AND number = ANY(CAST(:numbers AS text[]))
    """
)


async def stop_numbers(db: WriteSession, row: Brand | Campaign) -> None:
    """Let no number assigned to a campaign, or to the campaigns of a brand, send for it any more.

    What waits to be sent from one is given another number when it is dispatched, or FAILED.
    """
    await _write(db, row, registered_at=None)


async def resume_numbers(db: WriteSession, row: Brand | Campaign, *, now: datetime) -> None:
    """Let the assigned numbers send of which both campaign and brand are approved."""
    await _write(db, row, registered_at=now)


async def _write(
    db: WriteSession, row: Brand | Campaign, *, registered_at: datetime | None
) -> None:
    found = await db.scalars(
        _LOCK,
        {
            "tenant_id": row.tenant_id,
            "merchant_id": row.merchant_id,
            "brand_id": row.brand_id if isinstance(row, Campaign) else row.id,
            "campaign_id": row.id if isinstance(row, Campaign) else None,
            "approved": registered_at is not None,
        },
    )
    values = {"tenant_id": row.tenant_id, "numbers": list(found), "registered_at": registered_at}
    await db.execute(_WRITE, values)
