"""Usage records whose provider is to be asked for its price now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.rules.billing.day_closing import AWAITED
from models.rules.billing.price_asking import next_price_gap
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedPrice:
    """A message whose price is asked for, and the account that is asked."""

    tenant_id: int
    message_id: int
    account: str


# Over all tenants. What is older than a price is awaited is priced when its day is closed.
_DUE = text(
    """
    SELECT r.tenant_id, r.message_id, r.recorded_at, m.account
      FROM usage_record r
      JOIN message m ON m.tenant_id = r.tenant_id AND m.id = r.message_id
     WHERE r.state = 'PROVISIONAL' AND r.gap = 'VENDOR_PRICE' AND r.price_due_at <= :now
     ORDER BY r.price_due_at LIMIT :most
       FOR NO KEY UPDATE OF r SKIP LOCKED
    """
)

_ASKED = text(
    """
    UPDATE usage_record r SET price_due_at = asked.due
      FROM unnest(CAST(:tenants AS bigint[]), CAST(:messages AS bigint[]),
                  CAST(:dues AS timestamptz[])) AS asked (tenant_id, message_id, due)
     WHERE r.tenant_id = asked.tenant_id AND r.message_id = asked.message_id
    """
)


async def take_due(db: WriteSession, *, now: datetime, most: int) -> Sequence[AwaitedPrice]:
    """Return messages whose price is due, and set when they are due next.

    A record that waited longer than a price is awaited is not asked for any more.
    """
    rows = (await db.execute(_DUE, {"now": now, "most": most})).all()
    if not rows:
        return []
    dues = []
    for row in rows:
        age = now - row.recorded_at
        dues.append(None if age > AWAITED else now + next_price_gap(age))
    await db.execute(
        _ASKED,
        {
            "tenants": [row.tenant_id for row in rows],
            "messages": [row.message_id for row in rows],
            "dues": dues,
        },
    )
    return [
        AwaitedPrice(tenant_id=row.tenant_id, message_id=row.message_id, account=row.account or "")
        for row, due in zip(rows, dues, strict=True)
        if due is not None
    ]
