"""Numbers of a merchant: search, purchase, assignment to a campaign, release."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, store_answer
from api.http.outcomes import Outcome
from api.http.pagination import Page, Slice
from api.schemas.messaging_numbers import (
    AvailableNumberView,
    V1MerchantMessagingAssignmentRequest,
    V1MerchantMessagingAssignmentView,
    V1MerchantMessagingNumberRequest,
    V1MerchantMessagingNumberView,
)
from api.services.registration.actions import RegistrationActions
from api.services.registration.brands import profile_of
from api.services.registration.campaigns import get_campaign
from api.services.registration.scope import Scope, find_scope
from models.errors import InvalidPhoneNumber, TemporarilyUnavailable, ValidationFailed
from models.queries.registration.merchant_registrations import (
    find_brand,
    find_campaign_ids,
    find_latest_purchase,
    find_number,
    has_assigned_number,
    insert_number,
    list_numbers,
)
from models.queries.registration.registrations import StateChange, change_state
from models.queries.senders.number_claims import claim_number
from models.queries.senders.senders import forget_campaign
from models.queries.tenants.cursors import find_cursor_row
from models.registration_errors import (
    AssignmentPending,
    CampaignNotApproved,
    NumberAlreadyAssigned,
    NumberNotActive,
    NumberNotAssignable,
    NumberNotFound,
    NumberTaken,
    SoleProprietorLimit,
)
from models.rules.consent.contacts import e164
from models.rules.registration.lifecycle import HELD
from models.rules.registration.vocabulary import (
    AssignmentState,
    EntityType,
    NumberState,
    NumberType,
    RegistrationState,
)
from models.rules.senders.sender_choice import us_type
from models.session import WriteSession
from models.tables.base import row_id
from models.tables.messaging import Campaign, MessagingNumber
from providers.ports.registration import NumberOffers


class MessagingNumbers(RegistrationActions):
    """Actions on numbers."""

    async def available(
        self, caller: Caller, merchant_id: str, area_code: str | None, type: NumberType, limit: int
    ) -> list[AvailableNumberView]:
        """Search the registry for numbers on sale; raises TemporarilyUnavailable."""
        async with self._database.read() as db:
            scope = await find_scope(db, self._registries, caller, merchant_id)
        found = await scope.registry.search_numbers(area_code=area_code, type=type, limit=limit)
        if not isinstance(found, NumberOffers):
            raise TemporarilyUnavailable("The registry does not answer. Repeat the request later.")
        return [AvailableNumberView.model_validate(number) for number in found.numbers]

    async def buy(
        self,
        caller: Caller,
        merchant_id: str,
        order: V1MerchantMessagingNumberRequest,
        request: IdempotentRequest,
    ) -> Outcome[V1MerchantMessagingNumberView]:
        """Request a purchase. A repeated request returns the current state of the purchase.

        Raises:
            ValidationFailed: not a number of the US.
            MerchantNotFound, NumberTaken.
        """
        async with self._keyed(caller, merchant_id, request) as (db, scope, stored):
            number: MessagingNumber | None
            if stored is None:
                now = self._clock()
                number = await self._request(db, scope, order.number, now)
                view = number_view(number, {}, scope)
                await store_answer(db, caller, request, view, now)
            else:
                number = await find_number(db, scope.rows, int(stored["numberId"]))
                view = await _number_answered(db, number, scope, stored)
        return await self._answer(number, scope, view, fresh=stored is None)

    async def list(
        self, caller: Caller, merchant_id: str, page: Page
    ) -> Slice[V1MerchantMessagingNumberView]:
        """Return a page of the merchant's numbers, newest first."""
        async with self._database.read() as db:
            scope = await find_scope(db, self._registries, caller, merchant_id)
            after = await find_cursor_row(db, MessagingNumber, caller.tenant_id, page.after_id())
            rows = await list_numbers(db, scope.rows, after=after, most=page.limit + 1)
            campaigns = await find_campaign_ids(db, scope.rows, rows)
        found = page.cut(rows, lambda number: number.public_id)
        return Slice([number_view(number, campaigns, scope) for number in found.items], found.end)

    async def assign(
        self,
        caller: Caller,
        merchant_id: str,
        number: str,
        order: V1MerchantMessagingAssignmentRequest,
        request: IdempotentRequest,
    ) -> Outcome[V1MerchantMessagingAssignmentView]:
        """Request the assignment of a number to an approved campaign.

        Raises:
            MerchantNotFound, NumberNotFound, CampaignNotFound, NumberNotActive,
            NumberNotAssignable, NumberAlreadyAssigned, CampaignNotApproved, SoleProprietorLimit.
        """
        async with self._keyed(caller, merchant_id, request) as (db, scope, stored):
            row: MessagingNumber | None
            if stored is None:
                now = self._clock()
                row = await _lock_number(db, scope, number)
                campaign = await self._assign(db, scope, row, order.campaign_id, now)
                view = assignment_view(row, campaign.public_id, scope)
                await store_answer(db, caller, request, view, now)
            else:
                row = await find_number(db, scope.rows, int(stored["numberId"]))
                view = await _assignment_answered(db, row, scope, stored)
        return await self._answer(row, scope, view, fresh=stored is None)

    async def release(
        self, caller: Caller, merchant_id: str, number: str, request: IdempotentRequest
    ) -> Outcome[V1MerchantMessagingNumberView]:
        """Unassign a number and release it. Idempotent: a releasing or released one is unchanged.

        Raises:
            MerchantNotFound, NumberNotFound, NumberNotActive, AssignmentPending.
        """
        async with self._keyed(caller, merchant_id, request) as (db, scope, stored):
            row: MessagingNumber | None
            if stored is None:
                now = self._clock()
                row = await _lock_number(db, scope, number)
                self._release(row, now)
                await db.flush()
                if row.assignment == AssignmentState.UNASSIGNING:
                    await forget_campaign(db, row)
                view = number_view(row, await find_campaign_ids(db, scope.rows, [row]), scope)
                await store_answer(db, caller, request, view, now)
            else:
                row = await find_number(db, scope.rows, int(stored["numberId"]))
                view = await _number_answered(db, row, scope, stored)
        return await self._answer(row, scope, view, fresh=stored is None)

    async def _request(
        self, db: WriteSession, scope: Scope, number: str, now: datetime
    ) -> MessagingNumber:
        """Insert the purchase, unless any tenant owns the number or is buying it."""
        type = _type_of(number)
        claimed = await claim_number(
            db,
            number=number,
            tenant_id=scope.caller.tenant_id,
            merchant_id=row_id(scope.merchant.id),
            provider=scope.provider,
            account=scope.account,
            now=now,
        )
        if not claimed:
            raise NumberTaken
        written = await insert_number(
            db, scope.rows, number=number, type=type, sweep_at=now + self._look_after, now=now
        )
        if written is None:
            raise NumberTaken
        return written

    async def _assign(
        self, db: WriteSession, scope: Scope, row: MessagingNumber, campaign_id: str, now: datetime
    ) -> Campaign:
        campaign = await get_campaign(db, scope, campaign_id)
        if row.state != NumberState.ACTIVE:
            raise NumberNotActive(f"The number is {row.state}; it must be ACTIVE.")
        if row.type != NumberType.LOCAL:
            raise NumberNotAssignable
        if row.assignment in HELD:
            raise NumberAlreadyAssigned(f"The assignment of the number is {row.assignment}.")
        if campaign.state != RegistrationState.APPROVED:
            raise CampaignNotApproved(f"The campaign is {campaign.state}; it must be APPROVED.")
        await _check_room(db, scope, campaign)
        row.campaign_id, row.assigned_at = campaign.id, None
        change = StateChange(assignment=AssignmentState.PENDING)
        change_state(row, change, now=now, look_after=self._look_after)
        await db.flush()
        return campaign

    def _release(self, row: MessagingNumber, now: datetime) -> None:
        if row.state in (NumberState.REQUESTED, NumberState.FAILED):
            raise NumberNotActive(f"The number is {row.state}; it must be ACTIVE.")
        if row.assignment == AssignmentState.PENDING:
            raise AssignmentPending
        unassign = StateChange(assignment=AssignmentState.UNASSIGNING)
        release = StateChange(state=NumberState.RELEASING)
        change_state(
            row,
            unassign if row.assignment in HELD else release,
            now=now,
            look_after=self._look_after,
        )


async def _check_room(db: WriteSession, scope: Scope, campaign: Campaign) -> None:
    """Raise SoleProprietorLimit if the campaign may have no further number."""
    brand = await find_brand(db, scope.rows)
    if brand is None or profile_of(brand).entity_type is not EntityType.SOLE_PROPRIETOR:
        return
    if await has_assigned_number(db, scope.rows, campaign.id):
        raise SoleProprietorLimit


async def _lock_number(db: WriteSession, scope: Scope, number: str) -> MessagingNumber:
    """Return the merchant's latest purchase of a number, locked; raises NumberNotFound."""
    try:
        wanted = e164(number)
    except InvalidPhoneNumber as error:
        raise NumberNotFound from error
    row = await find_latest_purchase(db, scope.rows, wanted, locked=True)
    if row is None:
        raise NumberNotFound
    return row


def number_view(
    row: MessagingNumber, campaigns: Mapping[int, int], scope: Scope
) -> V1MerchantMessagingNumberView:
    """Return the view of a number; `campaigns` maps row ids of campaigns to public ids."""
    return V1MerchantMessagingNumberView(
        number_id=str(row.public_id),
        merchant_id=scope.merchant.external_id,
        number=row.number,
        type=row.type,
        status=row.state,
        campaign_id=None if row.campaign_id is None else str(campaigns[row.campaign_id]),
        assignment_status=row.assignment,
        reasons=row.reasons,
        bought_at=row.bought_at,
        assigned_at=row.assigned_at,
        released_at=row.released_at,
        updated_at=row.updated_at,
    )


def assignment_view(
    row: MessagingNumber, campaign: int, scope: Scope
) -> V1MerchantMessagingAssignmentView:
    """Return the view of a number's assignment; `campaign` is the campaign's public id."""
    assert row.assignment is not None
    return V1MerchantMessagingAssignmentView(
        merchant_id=scope.merchant.external_id,
        number=row.number,
        number_id=str(row.public_id),
        campaign_id=str(campaign),
        status=row.assignment,
        reasons=row.reasons,
        assigned_at=row.assigned_at,
        updated_at=row.updated_at,
    )


async def _number_answered(
    db: WriteSession, row: MessagingNumber | None, scope: Scope, stored: dict[str, Any]
) -> V1MerchantMessagingNumberView:
    """Return the current number, or the stored answer if the row is no longer visible."""
    if row is None:
        return V1MerchantMessagingNumberView.model_validate(stored)
    return number_view(row, await find_campaign_ids(db, scope.rows, [row]), scope)


async def _assignment_answered(
    db: WriteSession, row: MessagingNumber | None, scope: Scope, stored: dict[str, Any]
) -> V1MerchantMessagingAssignmentView:
    """Return the current assignment, or the stored answer if the number's campaign changed."""
    campaign = None
    if row is not None and row.campaign_id is not None:
        campaign = (await find_campaign_ids(db, scope.rows, [row]))[row.campaign_id]
    if row is None or campaign is None or str(campaign) != stored["campaignId"]:
        return V1MerchantMessagingAssignmentView.model_validate(stored)
    return assignment_view(row, campaign, scope)


def _type_of(number: str) -> NumberType:
    """Return the type of a US number; 10DLC has no others."""
    type = us_type(number)
    if type is None:
        reason = "must be a local or toll-free number of the US or one of its territories"
        raise ValidationFailed(f"number {reason}", (("number", reason),))
    return type
