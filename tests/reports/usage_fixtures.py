"""Usage as settlement writes it, and days as the schedule closes them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

from sqlalchemy import text

from activities.billing.close_days import Closing
from models.enums import AttemptState, Channel, ReportStatus, UnpricedReason
from models.queries.messages import (
    conclude as concluding,
)
from models.queries.messages import (
    dispatch,
    late_reports,
    receipts,
    settlement,
    settlement_facts,
)
from models.queries.messages.receipts import AttemptKey, NewReceipt
from models.queries.messages.settlement_facts import LockedMessage
from models.rules.messages.settlement import end_by_report, end_unknown
from models.session import Database, WriteSession
from models.tables.usage import UsageRecord
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_message, new_message
from workflows.billing.close_days_types import CloseDaysStep

NOON = time(12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One message used on a day."""

    day: date
    channel: Channel = Channel.SMS
    provider: str = "simulator"
    country: str = "US"
    units: int = 1
    cost: Decimal = Decimal(0)
    carrier_fee: Decimal = Decimal(0)
    markup: Decimal = Decimal(0)
    gap: UnpricedReason | None = None
    tenants_own: bool = False


_BOOK = """
    WITH ended AS (
        UPDATE message SET status = 'DELIVERED', completed_at = :at
         WHERE tenant_id = :t AND id = :message
    ), used AS (
        INSERT INTO usage_record (tenant_id, message_id, merchant_id, channel, provider, day, units,
                                  cost_units, state, country, cost, carrier_fee, markup, gap,
                                  recorded_at)
        VALUES (:t, :message, :m, :channel, :provider, :day, :units, :units,
                CASE WHEN CAST(:gap AS text) IS NULL THEN 'FINAL' ELSE 'PROVISIONAL' END, :country,
                :cost, :carrier_fee, :markup, :gap, :at)
    )
    INSERT INTO usage_day AS total (tenant_id, day, merchant_id, channel, messages, units, aws_cost,
                                    provider_cost, carrier_fees, markup, delivered)
    VALUES (:t, :day, :m, :channel, 1, :units, :aws, :other, :carrier_fee, :markup, 1)
    ON CONFLICT (tenant_id, day, merchant_id, channel) DO UPDATE
       SET messages = total.messages + 1, units = total.units + excluded.units,
           aws_cost = total.aws_cost + excluded.aws_cost,
           provider_cost = total.provider_cost + excluded.provider_cost,
           carrier_fees = total.carrier_fees + excluded.carrier_fees,
           markup = total.markup + excluded.markup, delivered = total.delivered + 1
"""


async def book(database: Database, owner: Owner, use: Use, message_id: int | None = None) -> int:
    """Insert a message's usage in the tables that reports read; return its id."""
    if message_id is None:
        at = datetime.combine(use.day, NOON)
        message_id = await make_message(database, new_message(owner, accepted_at=at))
    async with database.transaction() as db:
        await write_down(db, owner, use, message_id)
    return message_id


async def write_down(db: WriteSession, owner: Owner, use: Use, message_id: int) -> None:
    """The same in the caller's transaction, for an existing message."""
    taken = use.cost + use.carrier_fee
    aws = use.provider == "ses"
    await db.execute(
        text(_BOOK),
        {
            "t": owner.tenant_id,
            "m": 0 if use.tenants_own else owner.merchant_id,
            "message": message_id,
            "at": datetime.combine(use.day, NOON),
            "day": use.day,
            "channel": use.channel,
            "provider": use.provider,
            "country": use.country,
            "units": use.units,
            "cost": use.cost,
            "carrier_fee": use.carrier_fee,
            "markup": use.markup,
            "gap": use.gap,
            "aws": taken if aws else 0,
            "other": 0 if aws else taken,
        },
    )


async def try_message(
    database: Database,
    owner: Owner,
    at: datetime,
    state: AttemptState = AttemptState.ACCEPTED,
) -> int:
    """Accept a message and claim it for a provider at a time; it stays open."""
    message_id = await make_message(database, new_message(owner, accepted_at=at))
    async with database.transaction() as db:
        await claim(db, owner, message_id, at)
        if state is not AttemptState.REQUESTED:
            await conclude(db, owner, message_id, at, state)
    return message_id


async def conclude(
    db: WriteSession, owner: Owner, message_id: int, at: datetime, state: AttemptState
) -> None:
    """Store the outcome of a message's first attempt, without a provider id."""
    await concluding.conclude(
        db, tenant_id=owner.tenant_id, message_id=message_id, number=1, state=state, now=at
    )


async def claim(db: WriteSession, owner: Owner, message_id: int, at: datetime) -> None:
    """Claim a message for its first attempt."""
    await dispatch.claim(
        db,
        tenant_id=owner.tenant_id,
        message_id=message_id,
        number=1,
        provider="simulator",
        account="simulator",
        now=at,
        deadline=at,
    )


async def delivered(
    database: Database,
    owner: Owner,
    message_id: int,
    at: datetime,
    status: ReportStatus = ReportStatus.DELIVERED,
) -> None:
    """Store a report that a message was delivered by its first attempt, or another outcome."""
    report = NewReceipt(
        attempt=AttemptKey(tenant_id=owner.tenant_id, message_id=message_id, public_id=0, number=1),
        account="simulator",
        event_id=f"{message_id}-{status}",
        provider_message_id=f"SM{message_id}",
        status=status,
        reported_at=at,
    )
    async with database.transaction() as db:
        await receipts.store(db, report, CONTACT_KEYS, at)


async def settle(db: WriteSession, owner: Owner, message_id: int, now: datetime) -> None:
    """End a message by its reports, in the caller's transaction."""
    message = await _locked(db, owner, message_id)
    end = end_by_report(message.facts)
    assert end is not None
    await settlement.end_message(db, message, end, now)


async def give_up(db: WriteSession, owner: Owner, message_id: int, now: datetime) -> None:
    """End a message with unknown outcome."""
    message = await _locked(db, owner, message_id)
    await settlement.end_message(db, message, end_unknown(message.facts), now)


async def correct(db: WriteSession, owner: Owner, message_id: int, now: datetime) -> None:
    """Apply a report that arrived after the end."""
    message = await _locked(db, owner, message_id)
    await late_reports.apply_late_reports(db, message, now, price_reporters=frozenset())


async def _locked(db: WriteSession, owner: Owner, message_id: int) -> LockedMessage:
    message = await settlement_facts.lock_for_settlement(
        db, tenant_id=owner.tenant_id, message_id=message_id
    )
    assert message is not None
    return message


async def day_of_use(database: Database, owner: Owner, message_id: int) -> date:
    """Return the day to which a message's usage is posted."""
    async with database.read() as db:
        record = await db.get(UsageRecord, (owner.tenant_id, message_id))
    assert record is not None
    return record.day


async def born(database: Database, owner: Owner, at: datetime) -> None:
    """Set the creation time of a tenant."""
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE tenant SET created_at = :at WHERE id = :t"),
            {"at": at, "t": owner.tenant_id},
        )


async def close(database: Database, owner: Owner, now: datetime) -> tuple[int, int]:
    """Run one turn for a tenant; return how many days were closed, and how many kept open."""
    closing = Closing(database, clock=lambda: now, most=1)
    result = await closing.close_days(CloseDaysStep(after=owner.tenant_id - 1))
    assert result.failed == 0
    return result.closed, result.held


async def closings(database: Database, owner: Owner) -> dict[date, datetime]:
    """Return the closing time of each closed day of a tenant."""
    async with database.read() as db:
        found = await db.execute(
            text("SELECT day, closed_at FROM usage_closing WHERE tenant_id = :t ORDER BY day"),
            {"t": owner.tenant_id},
        )
        return {row.day: row.closed_at for row in found}
