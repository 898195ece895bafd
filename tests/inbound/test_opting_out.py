"""STOP and START: who is opted out by them, who comes back, and the one answer."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from models.database.limits import API
from models.enums import Channel, ConsentStatus, ErrorCode, MessageType
from models.queries.consent.consents import lock_contact
from models.rules.consent.keywords import MOST_ANSWERS
from models.session import Database
from providers.ports.messages import Refused
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEYS, key_of
from tests.factories import make_owner, say
from tests.inbound.harness import CONTACT, OTHER, Line, Started, event, inbox, signed
from tests.stack import async_url
from workflows.messages.types import Verdict

_WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
OPTED_OUT = Refused(error_code=ErrorCode.OPTED_OUT, provider_code="21610", everywhere=True)


async def test_stop_to_a_merchants_own_number_opts_out_of_that_merchant(line: Line) -> None:
    merchant_fixture = await line.merchant_fixture()
    await line.writes(merchant_fixture)
    number = await line.own_number()
    response = await line.texts("Stop.", number=number)
    assert response.status_code == 204
    source = f"sms:STOP:{number}"
    assert await line.consents() == {line.owner.merchant_id: ("OPT_OUT", source)}
    assert await line.history() == [(line.owner.merchant_id, "OPT_OUT", source)]


async def test_stop_to_a_shared_number_opts_out_of_all_who_wrote_from_it(line: Line) -> None:
    merchant_fixture, silent = (
        await line.merchant_fixture("Shop B"),
        await line.merchant_fixture("Silent"),
    )
    await line.writes()
    await line.writes(merchant_fixture)
    await line.writes(silent, to=OTHER)
    await line.texts("STOP")
    assert {merchant: status for merchant, (status, _) in (await line.consents()).items()} == {
        line.owner.merchant_id: "OPT_OUT",
        merchant_fixture.merchant_id: "OPT_OUT",
    }
    [answer] = await line.answers()
    assert answer.merchant_id == merchant_fixture.merchant_id
    assert answer.body.startswith("Shop B: ")


async def test_a_locked_contact_of_one_tenant_holds_up_no_text_to_another(
    line: Line, database_url: str, started: Started
) -> None:
    await line.writes()
    theirs = Line(line.database, await make_owner(line.database), line.client, started)
    await theirs.writes()
    limits = replace(API, slot_wait=timedelta(seconds=0.2))
    narrow = Database(
        async_url(database_url), pool_size=2, limits=limits, contact_keys=CONTACT_KEYS
    )
    taking = inbox(narrow, started)
    mine, other = (
        signed(event("STOP", sender=CONTACT, number=one.owner.sender)) for one in (line, theirs)
    )
    async with line.database.transaction() as db:
        await lock_contact(
            db,
            line.owner.tenant_id,
            line.owner.merchant_id,
            Channel.SMS,
            key_of(CONTACT),
            shared=True,
        )
        stopping = asyncio.create_task(taking.take("simulator", mine[1], mine[0]))
        async with asyncio.timeout(5):
            while not await line.rows(_WAITING):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await taking.take("simulator", other[1], other[0])
    await stopping
    await narrow.close()
    assert [status for status, _ in (await theirs.consents()).values()] == ["OPT_OUT"]


async def test_who_writes_while_a_stop_waits_for_its_locks_is_left_as_well(line: Line) -> None:
    merchant_fixture = await line.merchant_fixture("Shop B")
    await line.writes()
    async with line.database.transaction() as db:
        await lock_contact(
            db,
            line.owner.tenant_id,
            line.owner.merchant_id,
            Channel.SMS,
            key_of(CONTACT),
            shared=True,
        )
        stopping = asyncio.create_task(line.texts("STOP"))
        async with asyncio.timeout(5):
            while not await line.rows(_WAITING):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await line.writes(merchant_fixture)
    assert (await stopping).status_code == 204
    assert {merchant: status for merchant, (status, _) in (await line.consents()).items()} == {
        line.owner.merchant_id: "OPT_OUT",
        merchant_fixture.merchant_id: "OPT_OUT",
    }


async def test_the_answer_is_an_ordinary_message_that_costs_nothing(line: Line) -> None:
    await line.writes()
    await line.texts("STOP", eventId="evt_the_one")
    [answer] = await line.answers()
    assert (answer.contact_key, answer.sender) == (key_of(CONTACT), line.owner.sender)
    assert (answer.type, answer.status, answer.idempotency_key) == (
        MessageType.TRANSACTIONAL,
        "QUEUED",
        "simulator:evt_the_one",
    )
    assert (answer.funded, answer.units, answer.held_allowance, answer.held_credits) == (
        False,
        1,
        0,
        0,
    )
    assert line.starts() == [answer.id]


async def test_the_answer_goes_out_although_the_recipient_opted_out_and_nothing_else_does(
    line: Line,
) -> None:
    await line.writes()
    harness = Harness(line.database, line.owner, Scripted(name="simulator"))
    waiting = await harness.accept()
    await line.texts("STOP")
    [answer] = await line.answers()
    assert (await harness.dispatch(answer.id)).verdict is Verdict.ACCEPTED
    blocked = await harness.dispatch(waiting)
    assert (blocked.verdict, blocked.error_code) == (Verdict.BLOCKED, ErrorCode.CONSENT_OPTED_OUT)


async def test_who_opted_out_is_refused_when_a_send_is_asked_for(line: Line) -> None:
    await line.writes()
    await line.texts("STOP")
    order = {
        "merchantId": line.owner.merchant,
        "to": CONTACT,
        "message": "Hello",
        "type": "TRANSACTIONAL",
    }
    response = await line.client.post(
        "/api/v1/messages/sms", json=order, headers=line.owner.headers
    )
    assert (response.status_code, response.json()["code"]) == (403, "CONSENT_OPTED_OUT")


async def test_a_second_stop_changes_nothing_and_is_not_answered(line: Line) -> None:
    await line.writes()
    await line.texts("STOP")
    await line.texts("stop!!")
    assert len(await line.stored()) == 2
    assert (len(await line.answers()), len(await line.history())) == (1, 1)


async def test_stop_from_somebody_nobody_wrote_to_is_kept_and_that_is_all(line: Line) -> None:
    await Harness(line.database, line.owner, Scripted()).accept()  # it waits: nothing was sent
    assert (await line.texts("STOP")).status_code == 204
    [stored] = await line.stored()
    assert (stored.kind, stored.merchant_id) == ("OPT_OUT", None)
    assert (await line.consents(), await line.answers()) == ({}, [])


async def test_our_own_answers_make_nobody_a_writer(line: Line) -> None:
    merchant_fixture = await line.merchant_fixture("Shop B")
    await line.writes()
    await line.texts("HELP")
    [answer] = await line.answers()
    await Harness(line.database, line.owner, Scripted()).dispatch(answer.id)
    await line.writes(merchant_fixture)
    await line.texts("HELP")
    assert [a.merchant_id for a in await line.answers()] == [
        line.owner.merchant_id,
        merchant_fixture.merchant_id,
    ]


async def test_start_undoes_exactly_what_stop_did(line: Line) -> None:
    merchant_fixture = await line.merchant_fixture("Shop B")
    left = await line.merchant_fixture("Left by form")
    for owner in (line.owner, merchant_fixture, left):
        await line.writes(owner)
    await say(line.database, left, contact=CONTACT, status=ConsentStatus.OPT_OUT)
    await line.texts("STOP")
    await line.texts("START")
    source = f"sms:START:{line.owner.sender}"
    assert await line.consents() == {
        line.owner.merchant_id: ("OPT_IN", source),
        merchant_fixture.merchant_id: ("OPT_IN", source),
        left.merchant_id: ("OPT_OUT", "test"),
    }
    bodies = [answer.body for answer in await line.answers()]
    assert len(bodies) == 2
    assert "opted back in" in bodies[1]


async def test_start_to_another_number_undoes_nothing(line: Line) -> None:
    await line.writes()
    await line.texts("STOP")
    merchant_fixture = await line.merchant_fixture()
    await line.texts("START", number=await line.own_number(merchant_fixture))
    consents = await line.consents()
    assert consents[line.owner.merchant_id][0] == "OPT_OUT"
    assert consents[merchant_fixture.merchant_id][0] == "OPT_IN"


async def test_start_to_a_merchants_own_number_is_an_opt_in_whatever_was_said(line: Line) -> None:
    number = await line.own_number()
    await line.texts("START", number=number)
    await line.texts("YES", number=number)
    source = f"sms:START:{number}"
    assert await line.history() == [(line.owner.merchant_id, "OPT_IN", source)]
    assert len(await line.answers()) == 1


async def test_start_to_a_shared_number_opts_nobody_in_who_was_not_out(line: Line) -> None:
    await line.writes()
    await line.texts("YES")
    assert (await line.consents(), await line.answers()) == ({}, [])


async def test_start_lifts_a_carriers_opt_out(line: Line) -> None:
    merchant_fixture = await line.merchant_fixture()
    await line.writes(None, OPTED_OUT)
    await line.writes(merchant_fixture, OPTED_OUT)
    assert await line.suppressions() == {
        (line.owner.merchant_id, "CARRIER_OPT_OUT"),
        (merchant_fixture.merchant_id, "CARRIER_OPT_OUT"),
    }
    await line.texts("START")
    assert await line.suppressions() == set()
    assert [status for _, status, _ in await line.history()] == [
        "SUPPRESSED",
        "SUPPRESSED",
        "RESTORED",
        "RESTORED",
    ]
    [answer] = await line.answers()
    assert answer.merchant_id == merchant_fixture.merchant_id


async def test_a_start_that_was_sent_before_a_stop_but_comes_after_it_changes_nothing(
    line: Line,
) -> None:
    await line.writes()
    await line.texts("STOP")
    earlier = datetime.now(UTC) - timedelta(seconds=10)
    await line.texts("START", at=earlier.isoformat())
    assert (await line.consents())[line.owner.merchant_id][0] == "OPT_OUT"
    assert len(await line.answers()) == 1


@pytest.mark.parametrize("own", ["Gym A. Call 813 555 0100.", None])
async def test_help_is_answered_by_the_merchants_text_or_ours(line: Line, own: str | None) -> None:
    await line.writes()
    if own:
        async with line.database.transaction() as db:
            await db.execute(
                text("UPDATE merchant SET help_text = :own WHERE id = :m"),
                {"own": own, "m": line.owner.merchant_id},
            )
    await line.texts("Help?")
    [answer] = await line.answers()
    assert answer.body == (own or answer.body)
    assert "Gym A" in answer.body


async def test_help_names_the_way_to_reach_the_merchant(line: Line) -> None:
    await line.writes()
    async with line.database.transaction() as db:
        await db.execute(
            text("UPDATE merchant SET support_contact = '813-555-0100' WHERE id = :m"),
            {"m": line.owner.merchant_id},
        )
    await line.texts("HELP")
    [answer] = await line.answers()
    assert ("Gym A" in answer.body, "813-555-0100" in answer.body) == (True, True)


async def test_help_after_stop_is_still_answered(line: Line) -> None:
    await line.writes()
    await line.texts("STOP")
    await line.texts("INFO")
    [_, answer] = await line.answers()
    harness = Harness(line.database, line.owner, Scripted())
    assert (await harness.dispatch(answer.id)).verdict is Verdict.ACCEPTED


async def test_an_ordinary_text_is_kept_and_not_answered(line: Line) -> None:
    await line.writes()
    await line.texts("please stop by at ten")
    [stored] = await line.stored()
    assert (stored.kind, stored.merchant_id) == ("OTHER", line.owner.merchant_id)
    assert (await line.answers(), await line.history()) == ([], [])


async def test_two_machines_do_not_talk_for_ever(line: Line) -> None:
    await line.writes()
    for _ in range(MOST_ANSWERS + 3):
        await line.texts("HELP")
    assert len(await line.answers()) == MOST_ANSWERS
    await line.texts("STOP")  # obeyed all the same
    assert (await line.consents())[line.owner.merchant_id][0] == "OPT_OUT"
    assert len(await line.answers()) == MOST_ANSWERS


async def test_answers_are_counted_exactly_when_questions_come_at_once(line: Line) -> None:
    await line.writes()
    await asyncio.gather(*(line.texts("HELP") for _ in range(12)))
    assert len(await line.answers()) == MOST_ANSWERS


async def test_an_answer_that_is_late_is_not_sent(line: Line) -> None:
    await line.writes()
    await line.texts("HELP")
    [answer] = await line.answers()
    assert answer.expires_at - answer.accepted_at == timedelta(minutes=5)


async def test_another_tenant_is_not_touched(line: Line) -> None:
    stranger = replace(line, owner=await make_owner(line.database))
    await line.writes()
    await stranger.writes()
    await line.texts("STOP")
    assert await stranger.consents() == {}
    assert (await stranger.stored(), await stranger.answers()) == ([], [])
