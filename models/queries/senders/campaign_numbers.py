"""Stops and resumes the numbers assigned to campaigns: both campaign and brand must be approved.

A number that an operator added (`provider` is None) is left as the operator vouched for it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import col

from models.rules.registration.vocabulary import AssignmentState, NumberState
from models.session import WriteSession
from models.tables.messaging import Brand, Campaign, MessagingNumber

# Ordered by number, so that senders are always locked in one order.
_LOCK = text(
    """
    SELECT own.number
      FROM messaging_number bought
      JOIN campaign ON campaign.tenant_id = bought.tenant_id AND campaign.id = bought.campaign_id
      JOIN brand ON brand.tenant_id = campaign.tenant_id AND brand.id = campaign.brand_id
      JOIN sender_number own ON own.tenant_id = bought.tenant_id AND own.number = bought.number
                            AND own.merchant_id = bought.merchant_id
     WHERE bought.tenant_id = :tenant_id AND bought.merchant_id = :merchant_id
       AND own.provider IS NOT NULL
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
    """Stop sending SMS from the numbers assigned to a campaign, or to the campaigns of a brand.

    Messages that wait for one of them get another number when they are dispatched, or end FAILED.
    """
    await _write(db, row, registered_at=None)


async def resume_numbers(db: WriteSession, row: Brand | Campaign, *, now: datetime) -> None:
    """Resume the assigned numbers whose campaign and brand are both approved."""
    await _write(db, row, registered_at=now)


async def lock_assigned_numbers(
    db: WriteSession, row: Brand | Campaign
) -> Sequence[MessagingNumber]:
    """Lock and return the numbers that a campaign, or those of a brand, have or are to get."""
    campaigns = select(col(Campaign.id)).where(col(Campaign.tenant_id) == row.tenant_id)
    if isinstance(row, Campaign):
        campaigns = campaigns.where(col(Campaign.id) == row.id)
    else:
        campaigns = campaigns.where(col(Campaign.brand_id) == row.id)
    statement = (
        select(MessagingNumber)
        .where(
            col(MessagingNumber.tenant_id) == row.tenant_id,
            col(MessagingNumber.merchant_id) == row.merchant_id,
            col(MessagingNumber.state) == NumberState.ACTIVE,
            col(MessagingNumber.assignment).in_(
                [AssignmentState.PENDING, AssignmentState.ASSIGNED]
            ),
            col(MessagingNumber.campaign_id).in_(campaigns),
        )
        .order_by(col(MessagingNumber.id))
        .with_for_update()
    )
    return (await db.scalars(statement)).all()


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
