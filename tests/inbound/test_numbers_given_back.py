"""A STOP to a released number is applied for 90 days; nothing is sent from it."""

from datetime import UTC, datetime, timedelta

import pytest

from models.rules.registration.vocabulary import AssignmentState, NumberState
from models.tables.tenant import SenderNumber
from tests.inbound.harness import InboundHarness
from tests.inbound.registered_fixtures import register


async def given_back(inbound: InboundHarness, ago: timedelta) -> str:
    """Return a number that the merchant owned and released."""
    number = await inbound.own_number()
    await register(
        inbound,
        number,
        state=NumberState.RELEASED,
        assignment=AssignmentState.UNASSIGNED,
        released_ago=ago,
    )
    return number


@pytest.mark.parametrize("text", ["STOP", "stop.", "Stop. Thank you", "BAJA", "UNSUBSCRIBE"])
@pytest.mark.parametrize("days", [0, 1, 89])
async def test_a_stop_is_obeyed_and_not_answered(
    inbound: InboundHarness, text: str, days: int
) -> None:
    number = await given_back(inbound, timedelta(days=days, minutes=1))
    assert (await inbound.texts(text, number=number)).status_code == 204
    assert [status for status, _ in (await inbound.consents()).values()] == ["OPT_OUT"]
    [stored] = await inbound.stored()
    assert (stored.number, stored.merchant_id) == (number, inbound.owner.merchant_id)
    assert await inbound.answers() == []


async def test_after_90_days_it_is_no_number_of_ours(inbound: InboundHarness) -> None:
    number = await given_back(inbound, timedelta(days=90, minutes=1))
    assert (await inbound.texts("STOP", number=number)).status_code == 404
    assert (await inbound.consents(), await inbound.stored()) == ({}, [])


async def test_start_reverts_the_stop_and_adds_no_opt_in(inbound: InboundHarness) -> None:
    number = await given_back(inbound, timedelta(days=1))
    await inbound.texts("START", number=number)
    assert await inbound.consents() == {}
    await inbound.texts("STOP", number=number)
    await inbound.texts("START", number=number)
    assert [status for status, _ in (await inbound.consents()).values()] == ["OPT_IN"]
    assert await inbound.answers() == []


@pytest.mark.parametrize("text", ["HELP", "When do you open?"])
async def test_other_texts_are_stored_and_not_answered(inbound: InboundHarness, text: str) -> None:
    number = await given_back(inbound, timedelta(days=1))
    await inbound.texts(text, number=number)
    assert (len(await inbound.stored()), await inbound.answers()) == (1, [])


async def test_the_current_owner_of_the_number_gets_its_texts(inbound: InboundHarness) -> None:
    number = await given_back(inbound, timedelta(days=1))
    other = await inbound.merchant_fixture()
    async with inbound.database.transaction() as db:
        db.add(
            SenderNumber(
                number=number,
                tenant_id=other.tenant_id,
                merchant_id=other.merchant_id,
                created_at=datetime.now(UTC),
            )
        )
    await inbound.texts("STOP", number=number)
    assert set(await inbound.consents()) == {other.merchant_id}
