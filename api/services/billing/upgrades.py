"""Upgrades: one transaction writes the payment; its workflow is started beside the answer."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.http.pagination import Page, Slice
from api.schemas.billing import (
    LedgerEntryView,
    MerchantUpgradeView,
    UpgradeDetailView,
    V1MerchantUpgradeRequest,
)
from api.services.billing.price_check import check_price
from api.workflow_starters import UpgradeStarter
from models.enums import Channel, PaymentStatus
from models.errors import (
    MerchantInactive,
    PaymentNotFound,
    ReferenceReused,
    TemporarilyUnavailable,
    ValidationFailed,
)
from models.queries.billing.ledger import FoundEntry, list_entries
from models.queries.billing.upgrades import upgrades
from models.queries.billing.upgrades.upgrades import FoundUpgrade
from models.queries.tenants.cursors import find_cursor_row
from models.queries.tenants.visibility import get_merchant, narrow_scope
from models.session import Database, WriteSession
from models.tables.base import row_id
from models.tables.ledger import LedgerEntry
from models.tables.merchant import Merchant
from models.tables.payment import Payment
from workflows.billing.start import UpgradeStart

_TURNS = 3
"""Attempts to insert a payment. Each retry needs another request to fail meanwhile, or a random
public id that is taken.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFilter:
    """Filter of the ledger."""

    merchant_id: str | None
    channel: Channel | None


class _Bound(BaseModel):
    """The stored answer of a key for a payment that another key, or none, has created."""

    payment_id: int


class Billing:
    """Accepts upgrades, and lists them and the ledger."""

    def __init__(
        self,
        database: Database,
        starter: UpgradeStarter,
        *,
        start_within: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._starter = starter
        self._start_within = start_within
        self._clock = clock

    async def upgrade(
        self, caller: Caller, order: V1MerchantUpgradeRequest, request: IdempotentRequest
    ) -> Outcome[MerchantUpgradeView]:
        """Accept an upgrade, or return the one that the key or the reference identifies.

        Raises:
            IdempotencyKeyReused, MerchantNotFound, ReferenceReused, MerchantInactive,
            PriceMismatch.
        """
        async with self._database.transaction(
            caller.lock_scope(order.merchant_id, request.route)
        ) as db:
            outcome = await self._take(db, caller, order, request)
        found = outcome.body
        if found.payment.completed_at is None:
            self._starter.start(_start_of(caller, found))
        view = upgrade_view(found)
        return Accepted(view) if isinstance(outcome, Accepted) else Replayed(view)

    async def get_upgrade(self, caller: Caller, payment_id: str) -> UpgradeDetailView:
        """Return one upgrade with its details; raises PaymentNotFound."""
        number = _read_payment_id(payment_id)
        async with self._database.read() as db:
            found = await upgrades.find_by_public_id(db, caller, number)
        if found is None:
            raise PaymentNotFound
        return _detail_view(found)

    async def list_upgrades(
        self, caller: Caller, merchant_id: str | None, page: Page
    ) -> Slice[MerchantUpgradeView]:
        """Return a page of upgrades, newest first."""
        async with self._database.read() as db:
            after = await find_cursor_row(db, Payment, caller.tenant_id, page.after_id())
            scope = await narrow_scope(db, caller, merchant_id)
            rows = await upgrades.list_upgrades(db, scope, after=after, most=page.limit + 1)
        found = page.cut(rows, lambda one: one.payment.public_id)
        return Slice([upgrade_view(one) for one in found.items], found.end)

    async def list_ledger(
        self, caller: Caller, wanted: LedgerFilter, page: Page
    ) -> Slice[LedgerEntryView]:
        """Return a page of a merchant's ledger entries, newest first; a channel filter uses its
        index.
        """
        merchant_id = wanted.merchant_id or caller.merchant
        if merchant_id is None:
            raise ValidationFailed("merchantId is required", (("merchantId", "is required"),))
        rows: list[FoundEntry] = []
        async with self._database.read() as db:
            after = await find_cursor_row(db, LedgerEntry, caller.tenant_id, page.after_id())
            scope = await narrow_scope(db, caller, merchant_id)
            for channel in Channel if wanted.channel is None else [wanted.channel]:
                rows += await list_entries(
                    db, scope, channel=channel, after=after, most=page.limit + 1
                )
        rows.sort(key=lambda one: row_id(one.entry.id), reverse=True)
        found = page.cut(rows[: page.limit + 1], lambda one: one.entry.public_id)
        return Slice([_entry_view(one) for one in found.items], found.end)

    async def _take(
        self,
        db: WriteSession,
        caller: Caller,
        order: V1MerchantUpgradeRequest,
        request: IdempotentRequest,
    ) -> Outcome[FoundUpgrade]:
        """Find the payment of the key, then that of the reference; otherwise insert a new one.

        Only a new one is checked against the current price list.
        """
        known = await self._by_key(db, caller, request)
        if known is not None:
            return Replayed(known)
        merchant = await get_merchant(db, caller, order.merchant_id)
        for _ in range(_TURNS):
            same = await self._by_reference(db, caller, merchant, order)
            if same is not None:
                bound = _Bound(payment_id=row_id(same.payment.id))
                await store_answer(db, caller, request, bound, self._clock())
                return Replayed(same)
            if not merchant.active:
                raise MerchantInactive
            await check_price(db, caller, order)
            payment_id = await self._insert(db, caller, merchant, order, request)
            if payment_id is not None:
                return Accepted(await upgrades.get_upgrade(db, caller, payment_id))
        raise TemporarilyUnavailable(
            "Another request with this referenceId is being processed. Repeat it later."
        )

    async def _by_key(
        self, db: WriteSession, caller: Caller, request: IdempotentRequest
    ) -> FoundUpgrade | None:
        """Return the payment of a key; the key stays locked until the transaction ends."""
        if request.key is None:
            return None
        bound = await find_answer(db, caller, request)
        if bound is not None:
            payment_id = _Bound.model_validate(bound).payment_id
            return await upgrades.get_upgrade(db, caller, payment_id)
        found = await upgrades.find_by_key(
            db, caller, key_scope=request.scope, idempotency_key=request.key
        )
        if found is not None:
            request.check_same(found.payment.fingerprint)
        return found

    async def _by_reference(
        self, db: WriteSession, caller: Caller, merchant: Merchant, order: V1MerchantUpgradeRequest
    ) -> FoundUpgrade | None:
        """Return the payment of a reference unless it has failed; raise if its terms differ."""
        found = await upgrades.find_by_reference(
            db, caller, merchant_id=row_id(merchant.id), reference_id=order.reference_id
        )
        if found is not None and _terms(found.payment) != _terms(order):
            raise ReferenceReused
        return found

    async def _insert(
        self,
        db: WriteSession,
        caller: Caller,
        merchant: Merchant,
        order: V1MerchantUpgradeRequest,
        request: IdempotentRequest,
    ) -> int | None:
        """Insert the payment; None if a concurrent one took its reference."""
        now = self._clock()
        return await upgrades.insert_upgrade(
            db,
            upgrades.NewUpgrade(
                tenant_id=caller.tenant_id,
                merchant_id=row_id(merchant.id),
                reference_id=order.reference_id,
                terms=_terms(order),
                key_scope=request.scope,
                idempotency_key=request.key,
                fingerprint=request.fingerprint,
                accepted_at=now,
                sweep_at=now + self._start_within,
            ),
        )


def _terms(of: Payment | V1MerchantUpgradeRequest) -> dict[str, Any]:
    """Return the fields that must be equal for upgrades under one reference."""
    return {
        "channel": of.channel,
        "units": of.units,
        "amount_cents": of.amount_cents,
        "currency": of.currency,
        "payment_method_id": of.payment_method_id,
        "note": of.note,
    }


def _start_of(caller: Caller, found: FoundUpgrade) -> UpgradeStart:
    return UpgradeStart(
        tenant_id=found.payment.tenant_id,
        tenant_public_id=caller.tenant_public_id,
        payment_id=row_id(found.payment.id),
        public_id=found.payment.public_id,
        merchant=found.merchant,
        channel=found.payment.channel,
        scope=found.payment.scope,
        idempotency_key=found.payment.idempotency_key,
        accepted_at=found.payment.accepted_at,
    )


def upgrade_view(found: FoundUpgrade) -> MerchantUpgradeView:
    """Return the view of an upgrade."""
    payment = found.payment
    return MerchantUpgradeView(
        merchant_id=found.merchant,
        channel=payment.channel,
        units_requested=payment.units,
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        payment_id=_shown(payment.public_id),
        payment_status=payment.status,
        fulfilled=payment.fulfilled_at is not None,
        remaining_credits=found.credits,
    )


def _detail_view(found: FoundUpgrade) -> UpgradeDetailView:
    payment = found.payment
    acts = payment.status == PaymentStatus.REQUIRES_ACTION
    return UpgradeDetailView(
        **dict(upgrade_view(found)),
        next_action_url=payment.next_action_url if acts else None,
        refunded_cents=payment.refunded_cents,
        disputed=payment.dispute is not None,
        failure_code=payment.failure,
        created_at=payment.accepted_at,
        completed_at=None if payment.refund_stuck_at else payment.completed_at,
    )


def _entry_view(found: FoundEntry) -> LedgerEntryView:
    entry = found.entry
    return LedgerEntryView(
        id=str(entry.public_id),
        type=entry.kind,
        units=entry.units,
        credit_units=entry.credit_units,
        balance=entry.balance,
        message_id=None if found.message is None else str(found.message),
        payment_id=None if found.payment is None else _shown(found.payment),
        at=entry.at,
    )


_SHOWN: Final = re.compile(r"pay_(0|[1-9]\d{0,15})", re.ASCII)
"""Public ids have no more digits."""


def _shown(public_id: int) -> str:
    return f"pay_{public_id}"


def _read_payment_id(given: str) -> int:
    """Parse the public id in a path; raises PaymentNotFound if it is not a valid one."""
    named = _SHOWN.fullmatch(given)
    if named is None:
        raise PaymentNotFound
    return int(named.group(1))
