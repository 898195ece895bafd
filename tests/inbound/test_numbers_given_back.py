"""A STOP to a number that was given back is obeyed for 90 days; nothing is sent from it."""

from datetime import UTC, datetime, timedelta

import pytest

from models.rules.registration.vocabulary import AssignmentState, NumberState
from models.tables.tenant import SenderNumber
from tests.inbound.harness import Line
from tests.inbound.registered_fixtures import register


async def given_back(line: Line, ago: timedelta) -> str:
    """Return a number that the merchant owned and gave back."""
    number = await line.own_number()
    await register(
        line,
        number,
        state=NumberState.RELEASED,
        assignment=AssignmentState.UNASSIGNED,
        released_ago=ago,
    )
    return number


@pytest.mark.parametrize("text", ["STOP", "stop.", "Stop. Thank you", "BAJA", "UNSUBSCRIBE"])
@pytest.mark.parametrize("days", [0, 1, 89])
async def test_a_stop_is_obeyed_and_not_answered(line: Line, text: str, days: int) -> None:
    number = await given_back(line, timedelta(days=days, minutes=1))
    assert (await line.texts(text, number=number)).status_code == 204
    assert [status for status, _ in (await line.consents()).values()] == ["OPT_OUT"]
    [stored] = await line.stored()
    assert (stored.number, stored.merchant_id) == (number, line.owner.merchant_id)
    assert await line.answers() == []


async def test_after_90_days_it_is_no_number_of_ours(line: Line) -> None:
    number = await given_back(line, timedelta(days=90, minutes=1))
    assert (await line.texts("STOP", number=number)).status_code == 404
    assert (await line.consents(), await line.stored()) == ({}, [])


async def test_start_takes_back_the_stop_and_opts_nobody_in_anew(line: Line) -> None:
    number = await given_back(line, timedelta(days=1))
    await line.texts("START", number=number)
    assert await line.consents() == {}
    await line.texts("STOP", number=number)
    await line.texts("START", number=number)
    assert [status for status, _ in (await line.consents()).values()] == ["OPT_IN"]
    assert await line.answers() == []


@pytest.mark.parametrize("text", ["HELP", "When do you open?"])
async def test_other_texts_are_stored_and_not_answered(line: Line, text: str) -> None:
    number = await given_back(line, timedelta(days=1))
    await line.texts(text, number=number)
    assert (len(await line.stored()), await line.answers()) == (1, [])


async def test_whoever_has_the_number_now_gets_what_is_sent_to_it(line: Line) -> None:
    number = await given_back(line, timedelta(days=1))
    other = await line.merchant_fixture()
    async with line.database.transaction() as db:
        db.add(
            SenderNumber(
                number=number,
                tenant_id=other.tenant_id,
                merchant_id=other.merchant_id,
                created_at=datetime.now(UTC),
            )
        )
    await line.texts("STOP", number=number)
    assert set(await line.consents()) == {other.merchant_id}
