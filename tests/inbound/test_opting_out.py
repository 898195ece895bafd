"""STOP and START: which merchants they affect, and the one answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from tests.inbound.harness import CONTACT, OTHER, InboundHarness, Started, event, inbox, posted
from tests.stack import async_url
from workflows.messages.types import Verdict

_WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
OPTED_OUT = Refused(error_code=ErrorCode.OPTED_OUT, provider_code="21610", everywhere=True)


@asynccontextmanager
async def locked_contact(inbound: InboundHarness) -> AsyncIterator[None]:
    """Hold the lock that a STOP of the contact needs."""
    async with inbound.database.transaction() as db:
        await lock_contact(
            db,
            inbound.owner.tenant_id,
            inbound.owner.merchant_id,
            Channel.SMS,
            key_of(CONTACT),
            shared=True,
        )
        yield


async def until_it_waits(inbound: InboundHarness) -> None:
    """Return once a transaction waits for the lock of a contact."""
    async with asyncio.timeout(5):
        while not await inbound.rows(_WAITING):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_stop_to_a_merchants_own_number_opts_out_of_that_merchant(
    inbound: InboundHarness,
) -> None:
    merchant_fixture = await inbound.merchant_fixture()
    await inbound.writes(merchant_fixture)
    number = await inbound.own_number()
    response = await inbound.texts("Stop.", number=number)
    assert response.status_code == 204
    source = f"sms:STOP:{number}"
    assert await inbound.consents() == {inbound.owner.merchant_id: ("OPT_OUT", source)}
    assert await inbound.history() == [(inbound.owner.merchant_id, "OPT_OUT", source)]


async def test_stop_to_a_shared_number_opts_out_of_all_who_wrote_from_it(
    inbound: InboundHarness,
) -> None:
    merchant_fixture, silent = (
        await inbound.merchant_fixture("Shop B"),
        await inbound.merchant_fixture("Silent"),
    )
    await inbound.writes()
    await inbound.writes(merchant_fixture)
    await inbound.writes(silent, to=OTHER)
    await inbound.texts("STOP")
    assert {merchant: status for merchant, (status, _) in (await inbound.consents()).items()} == {
        inbound.owner.merchant_id: "OPT_OUT",
        merchant_fixture.merchant_id: "OPT_OUT",
    }
    [answer] = await inbound.answers()
    assert answer.merchant_id == merchant_fixture.merchant_id
    assert answer.body.startswith("Shop B: ")


async def test_a_locked_contact_of_one_tenant_holds_up_no_text_to_another(
    inbound: InboundHarness, database_url: str, started: Started
) -> None:
    await inbound.writes()
    theirs = InboundHarness(
        inbound.database, await make_owner(inbound.database), inbound.client, started
    )
    await theirs.writes()
    limits = replace(API, slot_wait=timedelta(seconds=0.2))
    narrow = Database(
        async_url(database_url), pool_size=2, limits=limits, contact_keys=CONTACT_KEYS
    )
    taking = inbox(narrow, started)
    mine, other = (
        posted(event("STOP", sender=CONTACT, number=one.owner.sender)) for one in (inbound, theirs)
    )
    async with locked_contact(inbound):
        stopping = asyncio.create_task(taking.take("simulator", mine))
        await until_it_waits(inbound)
        await taking.take("simulator", other)
    await stopping
    await narrow.close()
    assert [status for status, _ in (await theirs.consents()).values()] == ["OPT_OUT"]


async def test_who_writes_while_a_stop_waits_for_its_locks_is_left_as_well(
    inbound: InboundHarness,
) -> None:
    merchant_fixture = await inbound.merchant_fixture("Shop B")
    await inbound.writes()
    async with locked_contact(inbound):
        stopping = asyncio.create_task(inbound.texts("STOP"))
        await until_it_waits(inbound)
        await inbound.writes(merchant_fixture)
    assert (await stopping).status_code == 204
    assert {merchant: status for merchant, (status, _) in (await inbound.consents()).items()} == {
        inbound.owner.merchant_id: "OPT_OUT",
        merchant_fixture.merchant_id: "OPT_OUT",
    }


async def test_the_answer_is_an_ordinary_message_that_costs_nothing(
    inbound: InboundHarness,
) -> None:
    await inbound.writes()
    await inbound.texts("STOP", eventId="evt_the_one")
    [answer] = await inbound.answers()
    assert (answer.contact_key, answer.sender) == (key_of(CONTACT), inbound.owner.sender)
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
    assert inbound.starts() == [answer.id]


async def test_the_answer_goes_out_although_the_recipient_opted_out_and_nothing_else_does(
    inbound: InboundHarness,
) -> None:
    await inbound.writes()
    harness = Harness(inbound.database, inbound.owner, Scripted(name="simulator"))
    waiting = await harness.accept()
    await inbound.texts("STOP")
    [answer] = await inbound.answers()
    assert (await harness.dispatch(answer.id)).verdict is Verdict.ACCEPTED
    blocked = await harness.dispatch(waiting)
    assert (blocked.verdict, blocked.error_code) == (Verdict.BLOCKED, ErrorCode.CONSENT_OPTED_OUT)


async def test_a_send_to_an_opted_out_contact_is_refused(inbound: InboundHarness) -> None:
    await inbound.writes()
    await inbound.texts("STOP")
    order = {
        "merchantId": inbound.owner.merchant,
        "to": CONTACT,
        "message": "Hello",
        "type": "TRANSACTIONAL",
    }
    response = await inbound.client.post(
        "/api/v1/messages/sms", json=order, headers=inbound.owner.headers
    )
    assert (response.status_code, response.json()["code"]) == (403, "CONSENT_OPTED_OUT")


async def test_a_second_stop_changes_nothing_and_is_not_answered(inbound: InboundHarness) -> None:
    await inbound.writes()
    await inbound.texts("STOP")
    await inbound.texts("stop!!")
    assert len(await inbound.stored()) == 2
    assert (len(await inbound.answers()), len(await inbound.history())) == (1, 1)


async def test_stop_from_a_contact_without_messages_is_only_stored(
    inbound: InboundHarness,
) -> None:
    await Harness(
        inbound.database, inbound.owner, Scripted()
    ).accept()  # it waits: no provider was called
    assert (await inbound.texts("STOP")).status_code == 204
    [stored] = await inbound.stored()
    assert (stored.kind, stored.merchant_id) == ("OPT_OUT", None)
    assert (await inbound.consents(), await inbound.answers()) == ({}, [])


async def test_our_own_answers_do_not_count_as_a_merchants_messages(
    inbound: InboundHarness,
) -> None:
    merchant_fixture = await inbound.merchant_fixture("Shop B")
    await inbound.writes()
    await inbound.texts("HELP")
    [answer] = await inbound.answers()
    await Harness(inbound.database, inbound.owner, Scripted()).dispatch(answer.id)
    await inbound.writes(merchant_fixture)
    await inbound.texts("HELP")
    assert [a.merchant_id for a in await inbound.answers()] == [
        inbound.owner.merchant_id,
        merchant_fixture.merchant_id,
    ]


async def test_start_undoes_exactly_what_stop_did(inbound: InboundHarness) -> None:
    merchant_fixture = await inbound.merchant_fixture("Shop B")
    left = await inbound.merchant_fixture("Left by form")
    for owner in (inbound.owner, merchant_fixture, left):
        await inbound.writes(owner)
    await say(inbound.database, left, contact=CONTACT, status=ConsentStatus.OPT_OUT)
    await inbound.texts("STOP")
    await inbound.texts("START")
    source = f"sms:START:{inbound.owner.sender}"
    assert await inbound.consents() == {
        inbound.owner.merchant_id: ("OPT_IN", source),
        merchant_fixture.merchant_id: ("OPT_IN", source),
        left.merchant_id: ("OPT_OUT", "test"),
    }
    bodies = [answer.body for answer in await inbound.answers()]
    assert len(bodies) == 2
    assert "opted back in" in bodies[1]


async def test_start_to_another_number_undoes_nothing(inbound: InboundHarness) -> None:
    await inbound.writes()
    await inbound.texts("STOP")
    merchant_fixture = await inbound.merchant_fixture()
    await inbound.texts("START", number=await inbound.own_number(merchant_fixture))
    consents = await inbound.consents()
    assert consents[inbound.owner.merchant_id][0] == "OPT_OUT"
    assert consents[merchant_fixture.merchant_id][0] == "OPT_IN"


async def test_start_to_a_merchants_own_number_is_an_opt_in_whatever_was_said(
    inbound: InboundHarness,
) -> None:
    number = await inbound.own_number()
    await inbound.texts("START", number=number)
    await inbound.texts("YES", number=number)
    source = f"sms:START:{number}"
    assert await inbound.history() == [(inbound.owner.merchant_id, "OPT_IN", source)]
    assert len(await inbound.answers()) == 1


async def test_start_to_a_shared_number_only_reverts_opt_outs(
    inbound: InboundHarness,
) -> None:
    await inbound.writes()
    await inbound.texts("YES")
    assert (await inbound.consents(), await inbound.answers()) == ({}, [])


async def test_start_lifts_a_carriers_opt_out(inbound: InboundHarness) -> None:
    merchant_fixture = await inbound.merchant_fixture()
    await inbound.writes(None, OPTED_OUT)
    await inbound.writes(merchant_fixture, OPTED_OUT)
    assert await inbound.suppressions() == {
        (inbound.owner.merchant_id, "CARRIER_OPT_OUT"),
        (merchant_fixture.merchant_id, "CARRIER_OPT_OUT"),
    }
    await inbound.texts("START")
    assert await inbound.suppressions() == set()
    assert [status for _, status, _ in await inbound.history()] == [
        "SUPPRESSED",
        "SUPPRESSED",
        "RESTORED",
        "RESTORED",
    ]
    [answer] = await inbound.answers()
    assert answer.merchant_id == merchant_fixture.merchant_id


async def test_a_start_that_was_sent_before_a_stop_but_comes_after_it_changes_nothing(
    inbound: InboundHarness,
) -> None:
    await inbound.writes()
    await inbound.texts("STOP")
    earlier = datetime.now(UTC) - timedelta(seconds=10)
    await inbound.texts("START", at=earlier.isoformat())
    assert (await inbound.consents())[inbound.owner.merchant_id][0] == "OPT_OUT"
    assert len(await inbound.answers()) == 1


@pytest.mark.parametrize("own", ["Gym A. Call 813 555 0100.", None])
async def test_help_is_answered_by_the_merchants_text_or_ours(
    inbound: InboundHarness, own: str | None
) -> None:
    await inbound.writes()
    if own:
        async with inbound.database.transaction() as db:
            await db.execute(
                text("UPDATE merchant SET help_text = :own WHERE id = :m"),
                {"own": own, "m": inbound.owner.merchant_id},
            )
    await inbound.texts("Help?")
    [answer] = await inbound.answers()
    assert answer.body == (own or answer.body)
    assert "Gym A" in answer.body


async def test_help_names_the_way_to_reach_the_merchant(inbound: InboundHarness) -> None:
    await inbound.writes()
    async with inbound.database.transaction() as db:
        await db.execute(
            text("UPDATE merchant SET support_contact = '813-555-0100' WHERE id = :m"),
            {"m": inbound.owner.merchant_id},
        )
    await inbound.texts("HELP")
    [answer] = await inbound.answers()
    assert ("Gym A" in answer.body, "813-555-0100" in answer.body) == (True, True)


async def test_help_after_stop_is_still_answered(inbound: InboundHarness) -> None:
    await inbound.writes()
    await inbound.texts("STOP")
    await inbound.texts("INFO")
    [_, answer] = await inbound.answers()
    harness = Harness(inbound.database, inbound.owner, Scripted())
    assert (await harness.dispatch(answer.id)).verdict is Verdict.ACCEPTED


async def test_an_ordinary_text_is_kept_and_not_answered(inbound: InboundHarness) -> None:
    await inbound.writes()
    await inbound.texts("please stop by at ten")
    [stored] = await inbound.stored()
    assert (stored.kind, stored.merchant_id) == ("OTHER", inbound.owner.merchant_id)
    assert (await inbound.answers(), await inbound.history()) == ([], [])


async def test_two_machines_do_not_talk_for_ever(inbound: InboundHarness) -> None:
    await inbound.writes()
    for _ in range(MOST_ANSWERS + 3):
        await inbound.texts("HELP")
    assert len(await inbound.answers()) == MOST_ANSWERS
    await inbound.texts("STOP")  # applied nevertheless
    assert (await inbound.consents())[inbound.owner.merchant_id][0] == "OPT_OUT"
    assert len(await inbound.answers()) == MOST_ANSWERS


async def test_answers_are_counted_exactly_when_questions_come_at_once(
    inbound: InboundHarness,
) -> None:
    await inbound.writes()
    await asyncio.gather(*(inbound.texts("HELP") for _ in range(12)))
    assert len(await inbound.answers()) == MOST_ANSWERS


async def test_an_answer_that_is_late_is_not_sent(inbound: InboundHarness) -> None:
    await inbound.writes()
    await inbound.texts("HELP")
    [answer] = await inbound.answers()
    assert answer.expires_at - answer.accepted_at == timedelta(minutes=5)


async def test_another_tenant_is_not_touched(inbound: InboundHarness) -> None:
    stranger = replace(inbound, owner=await make_owner(inbound.database))
    await inbound.writes()
    await stranger.writes()
    await inbound.texts("STOP")
    assert await stranger.consents() == {}
    assert (await stranger.stored(), await stranger.answers()) == ([], [])
