"""Consent of recipients: the current state per contact, and the history of changes."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.http.pagination import Page, Slice
from api.schemas.consents import ConsentChangeView, ConsentView, V1MerchantConsentRequest
from api.services.consent.contacts import errors_name, key_to_find, read_contact
from models.enums import Channel, ConsentStatus, SuppressionReason
from models.queries.consent import suppression
from models.queries.consent.consents import list_changes, list_consents, lock_contact, write_consent
from models.queries.tenants.cursors import find_cursor_row
from models.queries.tenants.visibility import get_merchant, narrow_scope
from models.session import Database, WriteSession
from models.tables.base import row_id
from models.tables.consent import Consent, ConsentChange
from models.tables.merchant import Merchant

_THE_TENANT = 0
"""The merchant id of the tenant's own suppressions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFilter:
    """Filter of consent records."""

    merchant_id: str | None
    channel: Channel | None
    contact: str | None
    status: ConsentStatus | None


class Consents:
    """Actions on consent."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def upsert(
        self, caller: Caller, order: V1MerchantConsentRequest, request: IdempotentRequest
    ) -> Outcome[ConsentView]:
        """Record a recipient's consent; every send obeys it from the commit on."""
        async with self._database.transaction(
            caller.lock_scope(order.merchant_id, request.route)
        ) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                # The stored answer has no contact: an equal request contains the same one.
                contact = _read(order)
                return Replayed(ConsentView.model_validate({**stored, "contact": contact}))
            merchant = await get_merchant(db, caller, order.merchant_id)
            view = await self._write(db, caller, merchant, order)
            await store_answer(
                db, caller, request, view, view.updated_at, without=frozenset({"contact"})
            )
            return Accepted(view)

    async def list(self, caller: Caller, wanted: ConsentFilter, page: Page) -> Slice[ConsentView]:
        """Return a page of consent records, ordered by first recording, newest first.

        The position of a contact never changes, so a reader of all pages sees each contact once,
        with an opt-out made meanwhile or without it.
        """
        contact_key = None
        if wanted.contact is not None:
            with errors_name("contact"):
                contact_key = key_to_find(wanted.contact, self._database.contact_keys)
        async with self._database.read() as db:
            after = await find_cursor_row(db, Consent, caller.tenant_id, page.after_id())
            rows = await list_consents(
                db,
                await narrow_scope(db, caller, wanted.merchant_id),
                channel=wanted.channel,
                status=wanted.status,
                contact_key=contact_key,
                after=after,
                most=page.limit + 1,
            )
        found = page.cut(rows, lambda row: row[0].public_id)
        return Slice([consent_view(consent, name) for consent, name in found.items], found.end)

    async def history(
        self, caller: Caller, merchant_id: str, channel: Channel, contact: str, page: Page
    ) -> Slice[ConsentChangeView]:
        """Return a page of a contact's consent history with a merchant on a channel, newest
        first.
        """
        with errors_name("contact"):
            contact_key = key_to_find(contact, self._database.contact_keys)
        async with self._database.read() as db:
            after = await find_cursor_row(db, ConsentChange, caller.tenant_id, page.after_id())
            rows = await list_changes(
                db,
                await narrow_scope(db, caller, merchant_id),
                channel=channel,
                contact_key=contact_key,
                after=after,
                most=page.limit + 1,
            )
        found = page.cut(rows, lambda change: change.public_id)
        return Slice([ConsentChangeView.model_validate(row) for row in found.items], found.end)

    async def _write(
        self,
        db: WriteSession,
        caller: Caller,
        merchant: Merchant,
        order: V1MerchantConsentRequest,
    ) -> ConsentView:
        """Write the contact's consent under the exclusive lock of the contact."""
        contact = _read(order)
        contact_key = self._database.contact_keys.key(order.channel, contact)
        merchant_id = row_id(merchant.id)
        await lock_contact(
            db, merchant.tenant_id, merchant_id, order.channel, contact_key, shared=False
        )
        now = self._clock()  # read under the lock, so that the later write has the later time
        said = _ConsentWrite(
            tenant_id=merchant.tenant_id,
            merchant_id=merchant_id,
            channel=order.channel,
            contact_key=contact_key,
            contact=contact,
            source=order.source,
            now=now,
        )
        await write_consent(db, **asdict(said), status=order.status)
        if order.status is ConsentStatus.OPT_IN:
            await _lift_bounces(db, caller, said)
        return ConsentView(
            merchant_id=merchant.external_id,
            channel=order.channel,
            contact=contact,
            status=order.status,
            source=order.source,
            updated_at=now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ConsentWrite:
    """Fields of a consent change, common to consent and suppression."""

    tenant_id: int
    merchant_id: int
    channel: Channel
    contact_key: str = field(repr=False)
    contact: str = field(repr=False)
    source: str
    now: datetime


async def _lift_bounces(db: WriteSession, caller: Caller, said: _ConsentWrite) -> None:
    """Lift hard bounces: an opt-in shows that the address works.

    Only the recipient's START lifts a carrier opt-out, and nothing lifts a complaint. A tenant's
    API key also lifts the bounces of the tenant's direct e-mail. Lock order: the tenant's lock is
    taken after the merchant's.
    """
    owners = [said.merchant_id]
    if caller.merchant_id is None:
        owners.append(_THE_TENANT)
        await lock_contact(
            db, said.tenant_id, _THE_TENANT, said.channel, said.contact_key, shared=False
        )
    for owner in owners:
        await suppression.lift(
            db,
            **asdict(replace(said, merchant_id=owner)),
            reasons=frozenset({SuppressionReason.HARD_BOUNCE}),
        )


def _read(order: V1MerchantConsentRequest) -> str:
    with errors_name("contact"):
        return read_contact(order.channel, order.contact)


def consent_view(consent: Consent, merchant: str) -> ConsentView:
    """Return the view of a consent; `merchant` is its merchant's external id."""
    return ConsentView(
        merchant_id=merchant,
        channel=consent.channel,
        contact=consent.contact,
        status=consent.status,
        source=consent.source,
        updated_at=consent.updated_at,
    )
