"""Forged inbound webhooks are refused, and repeated ones change nothing."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from models.enums import DeliveryMode
from tests.delivery_modes import make_over
from tests.inbound.harness import CONTACT, OTHER, InboundHarness, event, signed
from tests.inbound.reporting import mismatches

PATH = "/webhooks/simulator/inbound"


async def _nothing_happened(inbound: InboundHarness) -> bool:
    return (await inbound.stored(), await inbound.history(), await inbound.answers()) == (
        [],
        [],
        [],
    )


async def test_a_forged_one_is_refused_and_changes_nothing(inbound: InboundHarness) -> None:
    await inbound.writes()
    told = event("STOP", sender=CONTACT, number=inbound.owner.sender)
    assert (await inbound.tells(told, secret="guessed")).status_code == 403
    assert (await inbound.client.post(PATH, json=told)).status_code == 403
    body, headers = signed(told)
    altered = body.replace(CONTACT.encode(), OTHER.encode())
    assert (await inbound.client.post(PATH, content=altered, headers=headers)).status_code == 403
    assert await _nothing_happened(inbound)


async def test_a_number_that_is_none_of_ours_is_not_found(inbound: InboundHarness) -> None:
    for number in ("+15999999999", "12345", "", "\0"):
        told = event("STOP", sender=CONTACT, number=number)
        assert (await inbound.tells(told)).status_code == 404
    assert await _nothing_happened(inbound)


async def test_a_stop_that_twilio_passes_on_is_obeyed_once(inbound: InboundHarness) -> None:
    await inbound.writes()
    sid = f"SM{uuid4().hex}"
    for _ in range(2):  # to the second address as well
        assert (await inbound.twilio_tells("STOP", event_id=sid)).status_code == 204
    source = f"sms:STOP:{inbound.owner.sender}"
    assert await inbound.consents() == {inbound.owner.merchant_id: ("OPT_OUT", source)}
    [stored] = await inbound.stored()
    assert (stored.provider, stored.event_id, stored.body) == ("twilio", sid, "STOP")
    assert len(await inbound.answers()) == 1


@pytest.mark.parametrize(
    "mode", [DeliveryMode.SIMULATOR, DeliveryMode.LIVE], ids=["bought elsewhere", "live"]
)
async def test_a_text_that_another_provider_would_pass_on_is_dropped(
    inbound: InboundHarness, mode: DeliveryMode
) -> None:
    await inbound.writes()
    async with inbound.database.transaction() as db:
        if mode is DeliveryMode.LIVE:
            await make_over(db, inbound.owner.tenant_id, mode)
        else:
            moved = text("UPDATE sender_number SET account = 'twilio' WHERE tenant_id = :t")
            await db.execute(moved, {"t": inbound.owner.tenant_id})
    counted = mismatches("ACCOUNT")
    assert (await inbound.texts("STOP")).status_code == 204
    assert await _nothing_happened(inbound)
    assert mismatches("ACCOUNT") == counted + 1
    assert (await inbound.twilio_tells("STOP", event_id=f"SM{uuid4().hex}")).status_code == 204
    assert len(await inbound.stored()) == 1


async def test_a_form_that_twilio_did_not_sign_is_refused(inbound: InboundHarness) -> None:
    await inbound.writes()
    form = {"MessageSid": "SM1", "From": CONTACT, "To": inbound.owner.sender, "Body": "STOP"}
    assert (await inbound.client.post("/webhooks/twilio/inbound", data=form)).status_code == 403
    assert await _nothing_happened(inbound)


async def test_a_text_of_another_account_at_twilio_is_refused(inbound: InboundHarness) -> None:
    await inbound.writes()
    other = "AC" + "0e" * 16
    answer = await inbound.twilio_tells("STOP", event_id="SM1", AccountSid=other)
    assert answer.status_code == 403
    assert await _nothing_happened(inbound)


async def test_an_unknown_provider_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.post("/webhooks/nobody/inbound", json={})).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"eventId": ""},
        {"eventId": "x" * 129},
        {"eventId": "a\0b"},
        {"type": "report"},
        {"body": 7},
        {"body": None},
        {"at": "yesterday"},
        {"at": "2026-04-16T13:20:32"},
        {"at": None},
    ],
)
async def test_one_that_cannot_be_read_is_refused(
    inbound: InboundHarness, wrong: dict[str, Any]
) -> None:
    told = {**event("STOP", sender=CONTACT, number=inbound.owner.sender), **wrong}
    assert (await inbound.tells(told)).status_code == 400
    assert await _nothing_happened(inbound)


@pytest.mark.parametrize("told", [[], "STOP", 7, None, {}])
async def test_one_that_is_something_else_is_refused(inbound: InboundHarness, told: object) -> None:
    assert (await inbound.tells(told)).status_code == 400


async def test_a_report_cannot_be_passed_off_as_a_text_nor_a_text_as_a_report(
    inbound: InboundHarness,
) -> None:
    message_id = await inbound.writes()
    reference = await inbound.reference(message_id)
    report = {
        "eventId": "e",
        "messageId": "m",
        "reference": reference,
        "status": "delivered",
        "at": "2026-04-16T13:20:32Z",
    }
    assert (await inbound.tells(report)).status_code == 400
    body, headers = signed(event("STOP", sender=CONTACT, number=inbound.owner.sender))
    passed_off = await inbound.client.post(
        f"/webhooks/simulator/{reference}", content=body, headers=headers
    )
    assert passed_off.status_code == 400
    assert await _nothing_happened(inbound)


async def test_what_the_database_cannot_hold_is_replaced(inbound: InboundHarness) -> None:
    assert (await inbound.texts("a\0b\ud800c 🙏")).status_code == 204
    [stored] = await inbound.stored()
    assert stored.body == "a\ufffdb\ufffdc 🙏"


async def test_an_empty_text_is_kept(inbound: InboundHarness) -> None:
    assert (await inbound.texts("")).status_code == 204
    [stored] = await inbound.stored()
    assert (stored.body, stored.kind) == ("", "OTHER")


async def test_repeating_one_changes_nothing(inbound: InboundHarness) -> None:
    await inbound.writes()
    stop = event("STOP", sender=CONTACT, number=inbound.owner.sender)
    start = event("START", sender=CONTACT, number=inbound.owner.sender)
    for told in (stop, start):
        assert (await inbound.tells(told)).status_code == 204
    before = (await inbound.stored(), await inbound.consents(), await inbound.history())
    answers = await inbound.answers()
    for told in (stop, start, stop):
        assert (await inbound.tells(told)).status_code == 204
    assert (await inbound.stored(), await inbound.consents(), await inbound.history()) == before
    assert await inbound.answers() == answers
    assert inbound.starts() == [answer.id for answer in answers]


async def test_twenty_at_once_are_one_text_with_one_answer(inbound: InboundHarness) -> None:
    await inbound.writes()
    told = event("STOP", sender=CONTACT, number=inbound.owner.sender)
    responses = await asyncio.gather(*(inbound.tells(told) for _ in range(20)))
    assert {response.status_code for response in responses} == {204}
    assert (len(await inbound.stored()), len(await inbound.history())) == (1, 1)
    [answer] = await inbound.answers()
    assert inbound.starts() == [answer.id]


async def test_twenty_different_stops_at_once_are_answered_once(inbound: InboundHarness) -> None:
    merchant_fixture = await inbound.merchant_fixture()
    await inbound.writes()
    await inbound.writes(merchant_fixture)
    await asyncio.gather(*(inbound.texts("STOP") for _ in range(20)))
    assert (len(await inbound.stored()), len(await inbound.history())) == (20, 2)
    assert len(await inbound.answers()) == 1
