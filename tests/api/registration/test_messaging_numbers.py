"""Numbers: bought once, assigned to one approved campaign, released in order."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from models.enums import DeliveryMode
from models.queries.consent.inbound_numbers import find_number
from models.rules.registration.vocabulary import RegistrationOperation
from providers.ports.messages import Unanswered
from tests.api.integrator import GYM, Integrator
from tests.api.registrar import FakeRegistrationStarter, Registrar, refused
from tests.delivery_modes import make_over
from tests.registration.harness import ScriptedRegistry


async def test_the_numbers_for_sale_are_the_registrys(registrar: Registrar) -> None:
    found = (await registrar.get("numbers/available", areaCode="813", type="LOCAL")).json()
    assert found == [
        {"number": "+18132201000", "type": "LOCAL", "locality": "Tampa", "region": "FL"},
        {"number": "+18132571919", "type": "LOCAL", "locality": None, "region": None},
    ]


async def test_a_registry_out_of_reach_is_503(
    registrar: Registrar, registry: ScriptedRegistry
) -> None:
    registry._offers = Unanswered(reason="ConnectError")
    response = await registrar.get("numbers/available")
    assert refused(response) == (503, "TEMPORARILY_UNAVAILABLE")
    assert response.headers["Retry-After"]


async def test_a_tenant_without_a_registry_can_register_nothing(registrar: Registrar) -> None:
    async with registrar.database.transaction() as db:
        await make_over(db, registrar.integrator.tenant_id, DeliveryMode.LIVE)
    assert refused(await registrar.brand()) == (503, "TEMPORARILY_UNAVAILABLE")
    assert await registrar.rows() == []


async def test_a_number_is_requested_once_per_key_and_a_retry_returns_its_status(
    registrar: Registrar, registrations: FakeRegistrationStarter
) -> None:
    number = f"+18132{registrar.integrator.tenant_id % 10**6:06d}"
    answers = await asyncio.gather(*(registrar.buy(number, key="k") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["numberId"] for answer in answers}) == 1
    assert [fresh for _, fresh in registrations.started].count(True) == 1
    await registrar.stands("number", "ACTIVE")
    late = await registrar.buy(number, key="k")
    assert (late.json()["status"], late.headers["Idempotency-Replayed"]) == ("ACTIVE", "true")
    assert len((await registrar.get("numbers")).json()) == 1
    other = await registrar.buy("+18132201000", key="k")
    assert refused(other) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_of_concurrent_purchases_of_a_number_one_succeeds(registrar: Registrar) -> None:
    number = f"+18132{registrar.integrator.tenant_id % 10**6:06d}"
    answers = await asyncio.gather(*(registrar.buy(number) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
    assert {refused(a)[1] for a in answers if a.status_code == 409} == {"NUMBER_TAKEN"}


@pytest.mark.parametrize("state", ["REQUESTED", "ACTIVE", "RELEASING", "RELEASE_FAILED"])
async def test_a_number_the_merchant_has_cannot_be_bought_again(
    registrar: Registrar, state: str
) -> None:
    number = await registrar.bought()
    await registrar.stands("number", state)
    assert refused(await registrar.buy(number)) == (409, "NUMBER_TAKEN")


@pytest.mark.parametrize("state", ["FAILED", "RELEASED"])
async def test_a_number_that_is_gone_may_be_tried_again(registrar: Registrar, state: str) -> None:
    number = await registrar.bought()
    await registrar.stands("number", state)
    assert (await registrar.buy(number)).json()["status"] == "REQUESTED"


async def test_a_number_in_use_is_taken(registrar: Registrar, stranger: Integrator) -> None:
    number = f"+18142{stranger.tenant_id % 10**6:06d}"
    async with registrar.database.transaction() as db:
        statement = text(
            "INSERT INTO sender_number (number, tenant_id, created_at) VALUES (:n, :t, now())"
        )
        await db.execute(statement, {"n": number, "t": stranger.tenant_id})
    assert refused(await registrar.buy(number)) == (409, "NUMBER_TAKEN")


async def test_of_two_tenants_that_buy_a_number_one_succeeds(
    registrar: Registrar, stranger: Integrator
) -> None:
    assert (await stranger.post("/merchants", GYM)).status_code == 200
    other = Registrar(stranger, registrar.database)
    number = f"+18142{stranger.tenant_id % 10**6:06d}"
    answers = await asyncio.gather(*(who.buy(number) for who in (registrar, other) * 3))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 5]
    winner, loser = (registrar, other)
    if not await registrar.holds(number):
        winner, loser = (other, registrar)
    assert [await who.holds(number) for who in (winner, loser)] == [True, False]
    async with registrar.database.read() as db:
        found = await find_number(db, number, datetime.now(UTC))
    assert found is not None
    assert found.tenant_id == winner.integrator.tenant_id
    await winner.stands("number", "FAILED")
    assert (await loser.buy(number)).json()["status"] == "REQUESTED"


async def test_a_refused_purchase_leaves_no_claim(registrar: Registrar) -> None:
    number = await registrar.bought()
    await registrar.stands("number", "RELEASING")
    async with registrar.database.transaction() as db:
        await db.execute(text("DELETE FROM sender_number WHERE number = :n"), {"n": number})
    before = await registrar.rows()
    assert refused(await registrar.buy(number, key="k")) == (409, "NUMBER_TAKEN")
    assert await registrar.rows() == before


async def test_a_number_is_assigned_to_an_approved_campaign(
    registrar: Registrar, registrations: FakeRegistrationStarter
) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    view = (await registrar.assign(number, campaign, key="k")).json()
    assert (view["status"], view["campaignId"], view["number"]) == ("PENDING", campaign, number)
    assert registrations.started[-1][0].registry_operation is RegistrationOperation.ASSIGN
    await registrar.stands("assignment", "ASSIGNED")
    again = await registrar.assign(number, campaign, key="k")
    assert (again.json()["status"], again.headers["Idempotency-Replayed"]) == ("ASSIGNED", "true")


@pytest.mark.parametrize("state", ["DRAFT", "PENDING", "REJECTED"])
async def test_no_number_is_assigned_to_a_campaign_that_is_not_approved(
    registrar: Registrar, state: str
) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    await registrar.stands("campaign", state)
    before = await registrar.rows()
    assert refused(await registrar.assign(number, campaign, key="k")) == (
        409,
        "CAMPAIGN_NOT_APPROVED",
    )
    assert await registrar.rows() == before


@pytest.mark.parametrize("state", ["REQUESTED", "FAILED", "RELEASING", "RELEASED"])
async def test_no_number_is_assigned_that_is_not_active(registrar: Registrar, state: str) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    await registrar.stands("number", state)
    before = await registrar.rows()
    assert refused(await registrar.assign(number, campaign, "k")) == (409, "NUMBER_NOT_ACTIVE")
    assert await registrar.rows() == before


@pytest.mark.parametrize("state", ["PENDING", "ASSIGNED", "UNASSIGNING", "UNASSIGN_FAILED"])
async def test_a_number_that_a_campaign_has_is_assigned_to_no_other(
    registrar: Registrar, state: str
) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    await registrar.assign(number, campaign)
    await registrar.stands("assignment", state)
    before = await registrar.rows()
    assert refused(await registrar.assign(number, campaign, "k")) == (
        409,
        "NUMBER_ALREADY_ASSIGNED",
    )
    assert await registrar.rows() == before


async def test_a_failed_assignment_may_be_requested_again(registrar: Registrar) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    await registrar.assign(number, campaign)
    await registrar.stands("assignment", "FAILED")
    assert (await registrar.assign(number, campaign)).json()["status"] == "PENDING"


async def test_a_toll_free_number_has_no_campaign(registrar: Registrar) -> None:
    campaign = await registrar.approved()
    number = f"+1833{2_000_000 + registrar.integrator.tenant_id % 10_000}"
    assert (await registrar.buy(number)).json()["type"] == "TOLL_FREE"
    await registrar.stands("number", "ACTIVE")
    assert refused(await registrar.assign(number, campaign)) == (409, "NUMBER_NOT_ASSIGNABLE")


async def test_a_sole_proprietor_has_one_campaign_and_one_number(registrar: Registrar) -> None:
    await registrar.brand(
        entityType="SOLE_PROPRIETOR",
        firstName="Ada",
        lastName="Smith",
        mobilePhone="+18135551234",
    )
    await registrar.stands("brand", "APPROVED")
    campaign = (await registrar.campaign()).json()["campaignId"]
    before = await registrar.rows()
    assert refused(await registrar.campaign(key="k")) == (409, "SOLE_PROPRIETOR_LIMIT")
    assert await registrar.rows() == before
    await registrar.stands("campaign", "APPROVED")
    tenant = registrar.integrator.tenant_id
    first, second = (f"+1{code}2{tenant % 10**6:06d}" for code in (813, 814))
    for number in (first, second):
        await registrar.buy(number)
    await registrar.stands("number", "ACTIVE")
    assert (await registrar.assign(first, campaign)).status_code == 200
    assert refused(await registrar.assign(second, campaign)) == (409, "SOLE_PROPRIETOR_LIMIT")


@pytest.mark.parametrize("number", ["+18132000000", "nonsense", "8132201000"])
async def test_a_number_the_merchant_never_had_is_404(registrar: Registrar, number: str) -> None:
    campaign = await registrar.approved()
    assert refused(await registrar.assign(number, campaign)) == (404, "NUMBER_NOT_FOUND")
    assert refused(await registrar.release(number)) == (404, "NUMBER_NOT_FOUND")


async def test_a_number_without_a_campaign_is_released_at_once(
    registrar: Registrar, registrations: FakeRegistrationStarter
) -> None:
    number = await registrar.bought()
    view = (await registrar.release(number, key="k")).json()
    assert (view["status"], view["assignmentStatus"]) == ("RELEASING", None)
    assert registrations.started[-1][0].registry_operation is RegistrationOperation.RELEASE
    await registrar.stands("number", "RELEASED")
    again = await registrar.release(number, key="k")
    assert (again.json()["status"], again.headers["Idempotency-Replayed"]) == ("RELEASED", "true")


@pytest.mark.parametrize("state", ["ASSIGNED", "UNASSIGN_FAILED"])
async def test_a_number_with_a_campaign_is_unassigned_first(
    registrar: Registrar, registrations: FakeRegistrationStarter, state: str
) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    await registrar.assign(number, campaign)
    await registrar.stands("assignment", state)
    view = (await registrar.release(number)).json()
    assert (view["status"], view["assignmentStatus"]) == ("ACTIVE", "UNASSIGNING")
    assert registrations.started[-1][0].registry_operation is RegistrationOperation.UNASSIGN
    before = (await registrar.get("numbers")).json()
    assert (await registrar.release(number)).json() == before[0]


@pytest.mark.parametrize("state", ["REQUESTED", "FAILED"])
async def test_a_number_that_was_not_bought_cannot_be_released(
    registrar: Registrar, state: str
) -> None:
    number = await registrar.bought()
    await registrar.stands("number", state)
    before = await registrar.rows()
    assert refused(await registrar.release(number, "k")) == (409, "NUMBER_NOT_ACTIVE")
    assert await registrar.rows() == before


async def test_a_number_cannot_be_released_during_its_assignment(registrar: Registrar) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    await registrar.assign(number, campaign)
    before = await registrar.rows()
    assert refused(await registrar.release(number, "k")) == (409, "ASSIGNMENT_PENDING")
    assert await registrar.rows() == before
