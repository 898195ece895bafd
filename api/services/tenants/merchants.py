"""Merchants: written once however often asked, read with what they may still send."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.http.pagination import Page, Slice
from api.schemas.merchants import (
    MerchantCredits,
    MerchantLimits,
    MerchantSettingsView,
    MerchantUsage,
    MerchantView,
    V1MerchantSettingsRequest,
    V1MerchantUpsertRequest,
)
from api.services.readable import get_merchant, readable_merchants, row_id
from models.enums import Channel
from models.errors import Forbidden, ValidationFailed
from models.queries.alerts.threshold_alerts import limits_changed
from models.queries.tenants.delivery_modes import mode_of
from models.rules.billing.periods import first_day, month_of
from models.rules.consent.quiet_hours import FEDERAL, NoSuchHour, narrowed
from models.session import Database, WriteSession
from models.tables.ledger import AllowanceMonth, CreditAccount
from models.tables.merchant import Merchant

_AT_FIRST: Mapping[str, Any] = {
    "active": True,
    "sms_limit": 0,
    "voice_minutes_limit": 0,
    "email_limit": 0,
    "timezone": "America/New_York",
}

_LIMITS_BEFORE = [
    literal_column(f"old.{name}", Integer).label(f"{name}_before")
    for name in ("sms_limit", "voice_minutes_limit", "email_limit")
]
"""Null for a merchant that was not there."""

Counts = Mapping[tuple[int, Channel], int]


class Merchants:
    """The actions on merchants."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def upsert(
        self, caller: Caller, order: V1MerchantUpsertRequest, request: IdempotentRequest
    ) -> Outcome[MerchantView]:
        """Create a merchant or change what the order names of it."""
        if caller.merchant_id is not None:
            raise Forbidden("A merchant's own key may not write merchants.")
        async with self._database.transaction(
            caller.lock_scope(order.merchant_id, request.operation)
        ) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(MerchantView.model_validate(stored))
            now = self._clock()
            merchant = await _write(db, caller, order, now)
            (view,) = await _views(db, caller, [merchant], now)
            await store_answer(db, caller, request, view, now)
            return Accepted(view)

    async def get(self, caller: Caller, merchant_id: str) -> MerchantView:
        """Return one merchant."""
        async with self._database.read() as db:
            merchant = await get_merchant(db, caller, merchant_id)
            (view,) = await _views(db, caller, [merchant], self._clock())
            return view

    async def list(self, caller: Caller, page: Page) -> Slice[MerchantView]:
        """Return merchants, the newest first."""
        statement = readable_merchants(caller).order_by(col(Merchant.id).desc())
        if (after := page.after(size=1)) is not None:
            statement = statement.where(col(Merchant.id) < after[0])
        async with self._database.read() as db:
            rows = (await db.scalars(statement.limit(page.limit + 1))).all()
            found = page.cut(rows, lambda merchant: (row_id(merchant.id),))
            return Slice(await _views(db, caller, found.items, self._clock()), found.end)

    async def settings(self, caller: Caller, merchant_id: str) -> MerchantSettingsView:
        """Return a merchant's settings."""
        async with self._database.read() as db:
            return _settings_view(await get_merchant(db, caller, merchant_id))

    async def change_settings(
        self,
        caller: Caller,
        merchant_id: str,
        order: V1MerchantSettingsRequest,
        request: IdempotentRequest,
    ) -> Outcome[MerchantSettingsView]:
        """Change the settings that the order names."""
        if caller.merchant_id is not None:
            raise Forbidden("A merchant's own key may not write merchants.")
        async with self._database.transaction(
            caller.lock_scope(merchant_id, request.operation)
        ) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(MerchantSettingsView.model_validate(stored))
            merchant = await get_merchant(db, caller, merchant_id, locked=True)
            for name in order.model_fields_set:
                setattr(merchant, name, getattr(order, name))
            _check_hours(merchant)
            merchant.updated_at = now = self._clock()
            view = _settings_view(merchant)
            await store_answer(db, caller, request, view, now)
            return Accepted(view)


async def _write(
    db: WriteSession, caller: Caller, order: V1MerchantUpsertRequest, now: datetime
) -> Merchant:
    """Insert or update, decided by the database: two at the same instant make one merchant."""
    given = order.model_dump(by_alias=False, exclude={"merchant_id"}, exclude_none=True)
    statement = (
        insert(Merchant)
        .values(
            tenant_id=caller.tenant_id,
            external_id=order.merchant_id,
            created_at=now,
            updated_at=now,
            **{**_AT_FIRST, **given},
        )
        .on_conflict_do_update(
            index_elements=["tenant_id", "external_id"], set_={**given, "updated_at": now}
        )
        .returning(Merchant, *_LIMITS_BEFORE)
    )
    merchant, *before = (await db.execute(statement)).one()
    accounts = [
        {
            "tenant_id": caller.tenant_id,
            "delivery_mode": mode_of(caller.tenant_id),
            "merchant_id": merchant.id,
            "channel": channel,
        }
        for channel in Channel
    ]
    await db.execute(
        insert(CreditAccount)
        .values([{**account, "available": 0, "held": 0} for account in accounts])
        .on_conflict_do_nothing()
    )
    limits = [merchant.sms_limit, merchant.voice_minutes_limit, merchant.email_limit]
    if None not in before and before != limits:
        await limits_changed(
            db, tenant_id=caller.tenant_id, merchant_id=row_id(merchant.id), now=now
        )
    return merchant


async def _views(
    db: AsyncSession, caller: Caller, merchants: Sequence[Merchant], now: datetime
) -> list[MerchantView]:
    month = month_of(now)
    ids = [row_id(merchant.id) for merchant in merchants]
    credits = await _credits(db, caller, ids)
    used = await _used(db, caller, ids, month)
    return [_view(merchant, credits, used, month) for merchant in merchants]


async def _credits(db: AsyncSession, caller: Caller, ids: Sequence[int]) -> Counts:
    rows = await db.execute(
        select(
            col(CreditAccount.merchant_id),
            col(CreditAccount.channel),
            col(CreditAccount.available),
        ).where(
            col(CreditAccount.tenant_id) == caller.tenant_id,
            col(CreditAccount.merchant_id).in_(ids),
        )
    )
    return _counts([(merchant, channel, count) for merchant, channel, count in rows])


async def _used(db: AsyncSession, caller: Caller, ids: Sequence[int], month: str) -> Counts:
    rows = await db.execute(
        select(
            col(AllowanceMonth.merchant_id),
            col(AllowanceMonth.channel),
            col(AllowanceMonth.used) + col(AllowanceMonth.credits_used),
        ).where(
            col(AllowanceMonth.tenant_id) == caller.tenant_id,
            col(AllowanceMonth.merchant_id).in_(ids),
            col(AllowanceMonth.month) == month,
        )
    )
    return _counts([(merchant, channel, count) for merchant, channel, count in rows])


def _counts(rows: Sequence[tuple[int, Channel, int]]) -> Counts:
    counts: defaultdict[tuple[int, Channel], int] = defaultdict(int)
    counts.update({(merchant, Channel(channel)): count for merchant, channel, count in rows})
    return counts


def _view(merchant: Merchant, credits: Counts, used: Counts, month: str) -> MerchantView:
    number = row_id(merchant.id)
    return MerchantView(
        merchant_id=merchant.external_id,
        display_name=merchant.display_name,
        active=merchant.active,
        limits=MerchantLimits.model_validate(merchant),
        credits=MerchantCredits(
            sms_credits=credits[number, Channel.SMS],
            voice_minutes_credits=credits[number, Channel.VOICE],
            email_credits=credits[number, Channel.EMAIL],
        ),
        usage=MerchantUsage(
            sms_used=used[number, Channel.SMS],
            voice_used=used[number, Channel.VOICE],
            email_used=used[number, Channel.EMAIL],
            period_start=first_day(month),
        ),
    )


def _check_hours(merchant: Merchant) -> None:
    """Raise unless the hours narrow what the law allows, and leave something of it."""
    wrong = []
    if merchant.marketing_from is not None and merchant.marketing_from < FEDERAL.opens:
        wrong.append(("marketingFrom", f"not before {FEDERAL.opens:%H:%M}"))
    if merchant.marketing_until is not None and merchant.marketing_until > FEDERAL.closes:
        wrong.append(("marketingUntil", f"not after {FEDERAL.closes:%H:%M}"))
    try:
        narrowed(FEDERAL, merchant.marketing_from, merchant.marketing_until)
    except NoSuchHour:
        wrong.append(("marketingUntil", "must be later than marketingFrom"))
    if wrong:
        raise ValidationFailed("; ".join(map(": ".join, wrong)), tuple(wrong))


def _settings_view(merchant: Merchant) -> MerchantSettingsView:
    return MerchantSettingsView(
        merchant_id=merchant.external_id,
        marketing_from=merchant.marketing_from,
        marketing_until=merchant.marketing_until,
        help_text=merchant.help_text,
    )
