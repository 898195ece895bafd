"""From a brand at Twilio to the rate limit of a number, on real rows and steps."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.registration.registrations import Registering
from models.enums import DeliveryMode
from models.queries.senders.senders import forget_campaign, pace_by_campaign
from models.rules.registration.lifecycle import RegistrationAction
from models.rules.registration.vocabulary import (
    AssignmentState,
    NumberState,
    NumberType,
    RegistrationKind,
    RegistrationOperation,
    RegistrationState,
)
from models.session import Database
from models.tables.messaging import Brand, Campaign, MessagingNumber
from models.tables.tenant import SenderNumber
from providers.registries import Registries
from tests.factories import Owner, make_owner
from tests.senders.test_choice import LIVE, ask, switch
from tests.vendors import registry_fixtures
from tests.vendors.twilio_double import TwilioDouble
from workflows.registration.types import RegistrationResult, RegistrationStep

Row = Brand | Campaign | MessagingNumber


class CampaignHarness:
    """One merchant's rows, and the steps that register them at a double of Twilio."""

    def __init__(self, database: Database, owner: Owner) -> None:
        self.database = database
        self.owner = owner
        self.twilio = TwilioDouble()
        registry = registry_fixtures.registry(
            registry_fixtures.client(registry_fixtures.transport(self.twilio))
        )
        self._steps = Registering(
            database,
            Registries([registry], {DeliveryMode.LIVE: registry.name}),
            public_url="http://us",
            look_after=timedelta(minutes=1),
            lost_after=timedelta(hours=1),
        )

    async def add(self, row: Row) -> int:
        async with self.database.transaction() as db:
            db.add(row)
            await db.flush()
            assert row.id is not None
            return row.id

    def common(self) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            "tenant_id": self.owner.tenant_id,
            "merchant_id": self.owner.merchant_id,
            "provider": "twilio",
            "account": "twilio",
            "submission": 1,
            "created_at": now,
            "updated_at": now,
        }

    async def carry(
        self, registry_operation: RegistrationOperation, row_id: int, *, moved: Callable[[], None]
    ) -> str:
        """Run step after step, as the workflow does; `moved` runs when it waits."""
        step = RegistrationStep(
            tenant_id=self.owner.tenant_id,
            kind=_KINDS[registry_operation],
            row_id=row_id,
            registry_operation=registry_operation,
        )
        bodies = {
            RegistrationAction.SUBMIT: self._steps.submit,
            RegistrationAction.ASK: self._steps.ask,
            RegistrationAction.RECONCILE: self._steps.reconcile,
        }
        body = self._steps.submit
        for _ in range(100):
            result: RegistrationResult = await ActivityEnvironment().run(body, step)
            if result.action is RegistrationAction.OVER:
                return result.state
            if result.action is RegistrationAction.ASK:
                moved()
            body = bodies[result.action]
        raise AssertionError("it never ends")


_KINDS = {
    RegistrationOperation.REGISTER_BRAND: RegistrationKind.BRAND,
    RegistrationOperation.REGISTER_CAMPAIGN: RegistrationKind.CAMPAIGN,
    RegistrationOperation.BUY: RegistrationKind.NUMBER,
    RegistrationOperation.ASSIGN: RegistrationKind.NUMBER,
    RegistrationOperation.UNASSIGN: RegistrationKind.NUMBER,
}


@pytest.fixture
def harness(database: Database, owner: Owner) -> CampaignHarness:
    return CampaignHarness(database, owner)


@dataclass(frozen=True)
class Registered:
    """The rows of a merchant whose number is assigned."""

    campaign_id: int
    number_id: int
    number: str


async def assigned(harness: CampaignHarness, *, message_class: str | None = None) -> Registered:
    """Register a brand and a campaign, buy a number and assign it."""

    def decide() -> None:
        for kind in ("CustomerProfiles", "TrustProducts"):
            for found in harness.twilio.all(kind):
                found["status"] = "twilio-approved"
        for brand in harness.twilio.all("BrandRegistrations"):
            brand["status"] = "APPROVED"
        for campaign in harness.twilio.all("Usa2p"):
            limits = {"att": {"msg_class": message_class}}
            campaign |= {"campaign_status": "VERIFIED", "rate_limits": limits}

    pending = RegistrationState.PENDING
    brand_id = await harness.add(
        Brand(**harness.common(), state=pending, profile=asdict(registry_fixtures.BRAND))
    )
    assert (
        await harness.carry(RegistrationOperation.REGISTER_BRAND, brand_id, moved=decide)
        == "APPROVED"
    )
    campaign_id = await harness.add(
        Campaign(
            **harness.common(),
            brand_id=brand_id,
            state=pending,
            profile=asdict(registry_fixtures.CAMPAIGN),
        )
    )
    assert (
        await harness.carry(RegistrationOperation.REGISTER_CAMPAIGN, campaign_id, moved=decide)
        == "APPROVED"
    )
    number = f"+1213555{harness.owner.tenant_id % 10_000:04}"
    number_id = await harness.add(
        MessagingNumber(
            **harness.common(), number=number, type=NumberType.LOCAL, state=NumberState.REQUESTED
        )
    )
    assert await harness.carry(RegistrationOperation.BUY, number_id, moved=decide) == "ACTIVE"
    await want(harness, number_id, AssignmentState.PENDING, campaign_id)
    assert await harness.carry(RegistrationOperation.ASSIGN, number_id, moved=decide) == "ASSIGNED"
    return Registered(campaign_id=campaign_id, number_id=number_id, number=number)


async def join(harness: CampaignHarness, campaign_id: int, area_code: str) -> Registered:
    """Buy another number and assign it to the campaign."""
    number = f"+1{area_code}555{harness.owner.tenant_id % 10_000:04}"
    number_id = await harness.add(
        MessagingNumber(
            **harness.common(), number=number, type=NumberType.LOCAL, state=NumberState.REQUESTED
        )
    )
    assert await harness.carry(RegistrationOperation.BUY, number_id, moved=lambda: None) == "ACTIVE"
    await want(harness, number_id, AssignmentState.PENDING, campaign_id)
    assert (
        await harness.carry(RegistrationOperation.ASSIGN, number_id, moved=lambda: None)
        == "ASSIGNED"
    )
    return Registered(campaign_id=campaign_id, number_id=number_id, number=number)


async def want(
    harness: CampaignHarness, number_id: int, assignment: AssignmentState, campaign_id: int
) -> None:
    async with harness.database.transaction() as db:
        row = await db.get(MessagingNumber, (harness.owner.tenant_id, number_id))
        assert row is not None
        row.assignment, row.campaign_id, row.submission = assignment, campaign_id, 2
        row.taken_at = row.deadline = None


async def sender(harness: CampaignHarness, number: str) -> SenderNumber:
    async with harness.database.read() as db:
        found = await db.get(SenderNumber, number)
    assert found is not None
    return found


async def test_a_number_sends_once_it_is_assigned_and_as_fast_as_its_campaign(
    harness: CampaignHarness, database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    known = await assigned(harness)
    found = await sender(harness, known.number)
    assert found.registered_at is not None
    assert found.segments_per_second == Decimal(4)  # what an unvetted brand's campaign gets
    assert (await ask(database, owner)).sender == known.number


async def test_the_registrys_limit_of_a_campaign_takes_precedence(harness: CampaignHarness) -> None:
    known = await assigned(harness, message_class="C")
    assert (await sender(harness, known.number)).segments_per_second == Decimal(40)


async def test_the_numbers_of_a_campaign_share_its_limit(
    harness: CampaignHarness, database: Database
) -> None:
    first = await assigned(harness)
    second, third = [await join(harness, first.campaign_id, prefix) for prefix in ("214", "215")]

    async def limits() -> list[Decimal | None]:
        numbers = (first.number, second.number, third.number)
        return [(await sender(harness, number)).segments_per_second for number in numbers]

    assert await limits() == [Decimal("1.334"), Decimal("1.333"), Decimal("1.333")]
    async with database.transaction() as db:
        row = await db.get_one(MessagingNumber, (harness.owner.tenant_id, second.number_id))
        row.assignment = AssignmentState.UNASSIGNING
        await db.flush()
        assert await forget_campaign(db, row)
    assert await limits() == [Decimal(2), None, Decimal(2)]


async def test_two_numbers_assigned_at_once_get_a_share_each(harness: CampaignHarness) -> None:
    first = await assigned(harness)
    others = await asyncio.gather(
        *(join(harness, first.campaign_id, prefix) for prefix in ("214", "215", "216"))
    )
    told = [(await sender(harness, n.number)).segments_per_second for n in (first, *others)]
    assert told == [Decimal(1)] * 4


async def test_a_number_that_is_to_be_unassigned_sends_no_more(
    harness: CampaignHarness, database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    known = await assigned(harness)
    async with database.transaction() as db:
        row = await db.get(MessagingNumber, (owner.tenant_id, known.number_id))
        assert row is not None
        assert await forget_campaign(db, row)
    found = await sender(harness, known.number)
    assert (found.registered_at, found.segments_per_second) == (None, None)
    refused = await ask(database, owner)
    assert (refused.sender, refused.unregistered) == (None, True)


async def test_a_bought_number_does_not_send_before_it_is_assigned(
    harness: CampaignHarness, database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    number = f"+1213555{owner.tenant_id % 10_000:04}"
    number_id = await harness.add(
        MessagingNumber(
            **harness.common(), number=number, type=NumberType.LOCAL, state=NumberState.REQUESTED
        )
    )
    await harness.carry(RegistrationOperation.BUY, number_id, moved=lambda: None)
    assert (await ask(database, owner)).sender is None


async def test_anothers_number_is_neither_paced_nor_forgotten(
    harness: CampaignHarness, database: Database
) -> None:
    known = await assigned(harness)
    before = await sender(harness, known.number)
    stranger = await make_owner(database)
    theirs = CampaignHarness(database, stranger)
    row = MessagingNumber(
        **theirs.common(), number=known.number, type=NumberType.LOCAL, state=NumberState.ACTIVE
    )
    async with database.transaction() as db:
        assert not await pace_by_campaign(db, row, now=datetime.now(UTC))
        assert not await forget_campaign(db, row)
    assert await sender(harness, known.number) == before


async def test_a_correction_amends_what_is_at_twilio(
    harness: CampaignHarness, database: Database
) -> None:
    pending = RegistrationState.PENDING
    brand_id = await harness.add(
        Brand(**harness.common(), state=pending, profile=asdict(registry_fixtures.BRAND))
    )

    def reject() -> None:
        for kind in ("CustomerProfiles", "TrustProducts"):
            for found in harness.twilio.all(kind):
                found["status"] = "twilio-approved"
        for brand in harness.twilio.all("BrandRegistrations"):
            brand |= {"status": "FAILED", "brand_feedback": ["TAX_ID"]}

    assert (
        await harness.carry(RegistrationOperation.REGISTER_BRAND, brand_id, moved=reject)
        == "REJECTED"
    )
    async with database.transaction() as db:
        row = await db.get(Brand, (harness.owner.tenant_id, brand_id))
        assert row is not None
        assert [(r["code"], r["field"]) for r in row.reasons] == [("TAX_ID", "ein")]
        row.profile = asdict(replace(registry_fixtures.BRAND, ein="987654321"))
        row.state, row.submission, row.taken_at = pending, 2, None

    def approve() -> None:
        for brand in harness.twilio.all("BrandRegistrations"):
            brand["status"] = "APPROVED"

    assert (
        await harness.carry(RegistrationOperation.REGISTER_BRAND, brand_id, moved=approve)
        == "APPROVED"
    )
    assert len(harness.twilio.all("BrandRegistrations")) == 1
