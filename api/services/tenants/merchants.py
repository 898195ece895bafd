"""Merchants: idempotent upsert, settings, and reads with limits and usage."""

from collections.abc import Callable, Sequence
from datetime import datetime

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
from models.enums import Channel
from models.errors import Forbidden, ValidationFailed
from models.queries.tenants.cursors import find_cursor_row
from models.queries.tenants.merchants import (
    Units,
    find_credits,
    find_used,
    list_merchants,
    write_merchant,
)
from models.queries.tenants.visibility import get_merchant
from models.rules.billing.periods import first_day, month_of
from models.rules.consent.quiet_hours import FEDERAL, NoSuchHour, narrowed
from models.session import Database, ReadSession, WriteSession
from models.tables.base import row_id
from models.tables.merchant import Merchant


class Merchants:
    """Actions on merchants."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def upsert(
        self, caller: Caller, order: V1MerchantUpsertRequest, request: IdempotentRequest
    ) -> Outcome[MerchantView]:
        """Create a merchant, or change the fields that the request contains."""
        if caller.merchant_id is not None:
            raise Forbidden(
                "A merchant's own key may not write merchants. Use a key of the tenant."
            )
        async with self._database.transaction(
            caller.lock_scope(order.merchant_id, request.route)
        ) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(MerchantView.model_validate(stored))
            now = self._clock()
            merchant = await write_merchant(
                db,
                tenant_id=caller.tenant_id,
                external_id=order.merchant_id,
                given=order.model_dump(by_alias=False, exclude={"merchant_id"}, exclude_none=True),
                now=now,
            )
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
        """Return a page of merchants, newest first."""
        async with self._database.read() as db:
            after = await find_cursor_row(db, Merchant, caller.tenant_id, page.after_id())
            rows = await list_merchants(db, caller, after=after, most=page.limit + 1)
            found = page.cut(rows, lambda merchant: merchant.public_id)
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
        """Change the settings that the request contains."""
        if caller.merchant_id is not None:
            raise Forbidden("A merchant's own key may not write merchants.")
        async with self._database.transaction(caller.lock_scope(merchant_id, request.route)) as db:
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


async def _views(
    db: ReadSession | WriteSession, caller: Caller, merchants: Sequence[Merchant], now: datetime
) -> list[MerchantView]:
    month = month_of(now)
    ids = [row_id(merchant.id) for merchant in merchants]
    credits = await find_credits(db, caller.tenant_id, ids)
    used = await find_used(db, caller.tenant_id, ids, month)
    return [_view(merchant, credits, used, month) for merchant in merchants]


def _view(merchant: Merchant, credits: Units, used: Units, month: str) -> MerchantView:
    number = row_id(merchant.id)
    return MerchantView(
        merchant_id=merchant.external_id,
        display_name=merchant.display_name,
        active=merchant.active,
        limits=MerchantLimits.model_validate(merchant),
        credits=MerchantCredits(
            sms_credits=credits.get((number, Channel.SMS), 0),
            voice_minutes_credits=credits.get((number, Channel.VOICE), 0),
            email_credits=credits.get((number, Channel.EMAIL), 0),
        ),
        usage=MerchantUsage(
            sms_used=used.get((number, Channel.SMS), 0),
            voice_used=used.get((number, Channel.VOICE), 0),
            email_used=used.get((number, Channel.EMAIL), 0),
            period_start=first_day(month),
        ),
    )


def _check_hours(merchant: Merchant) -> None:
    """Raise unless the hours narrow the legal hours and are not empty."""
    wrong = []
    if merchant.marketing_from is not None and merchant.marketing_from < FEDERAL.opens:
        wrong.append(("marketingFrom", f"must not be before {FEDERAL.opens:%H:%M}"))
    if merchant.marketing_until is not None and merchant.marketing_until > FEDERAL.closes:
        wrong.append(("marketingUntil", f"must not be after {FEDERAL.closes:%H:%M}"))
    try:
        narrowed(FEDERAL, merchant.marketing_from, merchant.marketing_until)
    except NoSuchHour:
        wrong.append(("marketingUntil", "must be later than marketingFrom"))
    if wrong:
        raise ValidationFailed("; ".join(map(": ".join, wrong)), tuple(wrong))


def _settings_view(merchant: Merchant) -> MerchantSettingsView:
    return MerchantSettingsView(
        merchant_id=merchant.external_id,
        timezone=merchant.timezone,
        marketing_from=merchant.marketing_from,
        marketing_until=merchant.marketing_until,
        marketing_timezones=merchant.marketing_timezones,
        help_text=merchant.help_text,
        support_contact=merchant.support_contact,
    )
