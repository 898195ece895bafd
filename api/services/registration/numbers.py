"""Numbers of a merchant: found, bought, assigned to a campaign, given back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.http.pagination import Page, Slice
from api.registration_starter import RegistrationStarter
from api.schemas.messaging_numbers import (
    AvailableNumberView,
    V1MerchantMessagingAssignmentRequest,
    V1MerchantMessagingAssignmentView,
    V1MerchantMessagingNumberRequest,
    V1MerchantMessagingNumberView,
)
from api.services.registration.brands import profile_of
from api.services.registration.campaigns import get_campaign
from api.services.registration.scope import Scope, find_scope, set_going
from models.errors import InvalidPhoneNumber, TemporarilyUnavailable, ValidationFailed
from models.queries.registration.merchant_registrations import (
    find_brand,
    find_latest_purchase,
    find_number,
    has_assigned_number,
    insert_number,
    list_numbers,
)
from models.queries.registration.registrations import Steps, move
from models.queries.senders.number_claims import claim_number
from models.queries.senders.senders import forget_campaign
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
from models.session import Database, WriteSession
from models.tables.base import row_id
from models.tables.messaging import Campaign, MessagingNumber
from providers.ports.registration import Offered
from providers.registries import Registries


class MessagingNumbers:
    """The actions on numbers."""

    def __init__(
        self,
        database: Database,
        registries: Registries,
        starter: RegistrationStarter,
        clock: Callable[[], datetime],
        *,
        look_after: timedelta,
    ) -> None:
        self._database = database
        self._registries = registries
        self._starter = starter
        self._clock = clock
        self._look_after = look_after

    async def available(
        self, caller: Caller, merchant_id: str, area_code: str | None, type: NumberType, limit: int
    ) -> list[AvailableNumberView]:
        """Ask the registry what can be bought now; raises TemporarilyUnavailable."""
        async with self._database.read() as db:
            scope = await find_scope(db, self._registries, caller, merchant_id)
        found = await scope.registry.search_numbers(area_code=area_code, type=type, limit=limit)
        if not isinstance(found, Offered):
            raise TemporarilyUnavailable("The registry does not answer. Repeat the request later.")
        return [AvailableNumberView.model_validate(number) for number in found.numbers]

    async def buy(
        self,
        caller: Caller,
        merchant_id: str,
        order: V1MerchantMessagingNumberRequest,
        request: IdempotentRequest,
    ) -> Outcome[V1MerchantMessagingNumberView]:
        """Ask for a number. A repeated request is answered with where the purchase stands.

        Raises:
            ValidationFailed: no number of the US.
            MerchantNotFound, NumberTaken.
        """
        async with self._database.transaction(
            caller.lock_scope(merchant_id, request.operation)
        ) as db:
            stored = await find_answer(db, caller, request)
            scope = await find_scope(db, self._registries, caller, merchant_id, locked=True)
            number: MessagingNumber | None
            if stored is None:
                now = self._clock()
                number = await self._request(db, scope, order.number, now)
                view = number_view(number, scope)
                await store_answer(db, caller, request, view, now)
            else:
                number = await find_number(db, scope.rows, int(stored["numberId"]))
                view = _number_answered(number, scope, stored)
        await self._set_going(number, scope, fresh=stored is None)
        return Accepted(view) if stored is None else Replayed(view)

    async def list(
        self, caller: Caller, merchant_id: str, page: Page
    ) -> Slice[V1MerchantMessagingNumberView]:
        """Return the numbers of a merchant, the newest first."""
        async with self._database.read() as db:
            scope = await find_scope(db, self._registries, caller, merchant_id)
            rows = await list_numbers(db, scope.rows, after=page.after_id(), most=page.limit + 1)
        found = page.cut(rows, lambda number: (row_id(number.id),))
        return Slice([number_view(number, scope) for number in found.items], found.end)

    async def assign(
        self,
        caller: Caller,
        merchant_id: str,
        number: str,
        order: V1MerchantMessagingAssignmentRequest,
        request: IdempotentRequest,
    ) -> Outcome[V1MerchantMessagingAssignmentView]:
        """Ask for a number to be assigned to an approved campaign.

        Raises:
            MerchantNotFound, NumberNotFound, CampaignNotFound, NumberNotActive,
            NumberNotAssignable, NumberAlreadyAssigned, CampaignNotApproved, SoleProprietorLimit.
        """
        async with self._database.transaction(
            caller.lock_scope(merchant_id, request.operation)
        ) as db:
            stored = await find_answer(db, caller, request)
            scope = await find_scope(db, self._registries, caller, merchant_id, locked=True)
            row: MessagingNumber | None
            if stored is None:
                now = self._clock()
                row = await _lock_number(db, scope, number)
                await self._assign(db, scope, row, order.campaign_id, now)
                view = assignment_view(row, scope)
                await store_answer(db, caller, request, view, now)
            else:
                row = await find_number(db, scope.rows, int(stored["numberId"]))
                view = _assignment_answered(row, scope, stored)
        await self._set_going(row, scope, fresh=stored is None)
        return Accepted(view) if stored is None else Replayed(view)

    async def give_back(
        self, caller: Caller, merchant_id: str, number: str, request: IdempotentRequest
    ) -> Outcome[V1MerchantMessagingNumberView]:
        """Unassign a number, then release it; one on its way or gone is answered as it is.

        Raises:
            MerchantNotFound, NumberNotFound, NumberNotActive, AssignmentPending.
        """
        async with self._database.transaction(
            caller.lock_scope(merchant_id, request.operation)
        ) as db:
            stored = await find_answer(db, caller, request)
            scope = await find_scope(db, self._registries, caller, merchant_id, locked=True)
            row: MessagingNumber | None
            if stored is None:
                now = self._clock()
                row = await _lock_number(db, scope, number)
                self._give_back(row, now)
                await db.flush()
                if row.assignment == AssignmentState.UNASSIGNING:
                    await forget_campaign(db, row)
                view = number_view(row, scope)
                await store_answer(db, caller, request, view, now)
            else:
                row = await find_number(db, scope.rows, int(stored["numberId"]))
                view = _number_answered(row, scope, stored)
        await self._set_going(row, scope, fresh=stored is None)
        return Accepted(view) if stored is None else Replayed(view)

    async def _request(
        self, db: WriteSession, scope: Scope, number: str, now: datetime
    ) -> MessagingNumber:
        """Write the purchase down, unless somebody of whatever tenant has the number or buys it."""
        type = _type_of(number)
        claimed = await claim_number(
            db,
            number=number,
            tenant_id=scope.caller.tenant_id,
            merchant_id=row_id(scope.merchant.id),
            provider=scope.provider,
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
    ) -> None:
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
        row.campaign_id = campaign.id
        steps = Steps(assignment=AssignmentState.PENDING)
        move(row, steps, now=now, look_after=self._look_after)
        await db.flush()

    def _give_back(self, row: MessagingNumber, now: datetime) -> None:
        if row.state in (NumberState.REQUESTED, NumberState.FAILED):
            raise NumberNotActive(f"The number is {row.state}; it must be ACTIVE.")
        if row.assignment == AssignmentState.PENDING:
            raise AssignmentPending
        unassign = Steps(assignment=AssignmentState.UNASSIGNING)
        release = Steps(state=NumberState.RELEASING)
        move(
            row,
            unassign if row.assignment in HELD else release,
            now=now,
            look_after=self._look_after,
        )

    async def _set_going(self, row: MessagingNumber | None, scope: Scope, *, fresh: bool) -> None:
        await set_going(self._starter, row, scope.merchant.external_id, fresh=fresh)


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


def number_view(row: MessagingNumber, scope: Scope) -> V1MerchantMessagingNumberView:
    """Show a number."""
    return V1MerchantMessagingNumberView(
        number_id=str(row.id),
        merchant_id=scope.merchant.external_id,
        number=row.number,
        type=row.type,
        status=row.state,
        campaign_id=None if row.campaign_id is None else str(row.campaign_id),
        assignment_status=row.assignment,
        reasons=row.reasons,
        bought_at=row.bought_at,
        assigned_at=row.assigned_at,
        released_at=row.released_at,
        updated_at=row.updated_at,
    )


def assignment_view(row: MessagingNumber, scope: Scope) -> V1MerchantMessagingAssignmentView:
    """Show the assignment of a number that has one."""
    assert row.assignment is not None
    return V1MerchantMessagingAssignmentView(
        merchant_id=scope.merchant.external_id,
        number=row.number,
        number_id=str(row.id),
        campaign_id=str(row.campaign_id),
        status=row.assignment,
        reasons=row.reasons,
        assigned_at=row.assigned_at,
        updated_at=row.updated_at,
    )


def _number_answered(
    row: MessagingNumber | None, scope: Scope, stored: dict[str, Any]
) -> V1MerchantMessagingNumberView:
    """Answer with the number as it stands; with what was answered before if it is out of sight."""
    if row is None:
        return V1MerchantMessagingNumberView.model_validate(stored)
    return number_view(row, scope)


def _assignment_answered(
    row: MessagingNumber | None, scope: Scope, stored: dict[str, Any]
) -> V1MerchantMessagingAssignmentView:
    """Answer with the assignment as it stands, unless the number has another campaign by now."""
    if row is None or str(row.campaign_id) != stored["campaignId"]:
        return V1MerchantMessagingAssignmentView.model_validate(stored)
    return assignment_view(row, scope)


def _type_of(number: str) -> NumberType:
    """Say what kind of US number it is; 10DLC knows no others."""
    type = us_type(number)
    if type is None:
        reason = "must be a local or toll-free number of the US"
        raise ValidationFailed(f"number {reason}", (("number", reason),))
    return type
