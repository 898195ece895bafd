"""Inbound webhooks can't be forged, and repeating one changes nothing."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from models.enums import DeliveryMode
from tests.delivery_modes import make_over
from tests.inbound.harness import CONTACT, OTHER, Line, event, signed
from tests.inbound.reporting import mismatches

PATH = "/webhooks/simulator/inbound"


async def _nothing_happened(line: Line) -> bool:
    return (await line.stored(), await line.history(), await line.answers()) == ([], [], [])


async def test_a_forged_one_is_refused_and_changes_nothing(line: Line) -> None:
    await line.writes()
    told = event("STOP", sender=CONTACT, number=line.owner.sender)
    assert (await line.tells(told, secret="guessed")).status_code == 403
    assert (await line.client.post(PATH, json=told)).status_code == 403
    body, headers = signed(told)
    altered = body.replace(CONTACT.encode(), OTHER.encode())
    assert (await line.client.post(PATH, content=altered, headers=headers)).status_code == 403
    assert await _nothing_happened(line)


async def test_a_number_that_is_none_of_ours_is_not_found(line: Line) -> None:
    for number in ("+15999999999", "12345", "", "\0"):
        told = event("STOP", sender=CONTACT, number=number)
        assert (await line.tells(told)).status_code == 404
    assert await _nothing_happened(line)


async def test_a_stop_that_twilio_passes_on_is_obeyed_once(line: Line) -> None:
    await line.writes()
    sid = f"SM{uuid4().hex}"
    for _ in range(2):  # to the second address as well
        assert (await line.twilio_tells("STOP", event_id=sid)).status_code == 204
    source = f"sms:STOP:{line.owner.sender}"
    assert await line.consents() == {line.owner.merchant_id: ("OPT_OUT", source)}
    [stored] = await line.stored()
    assert (stored.provider, stored.event_id, stored.body) == ("twilio", sid, "STOP")
    assert len(await line.answers()) == 1


@pytest.mark.parametrize(
    "mode", [DeliveryMode.SIMULATOR, DeliveryMode.LIVE], ids=["bought elsewhere", "live"]
)
async def test_a_text_that_another_provider_would_pass_on_is_dropped(
    line: Line, mode: DeliveryMode
) -> None:
    await line.writes()
    async with line.database.transaction() as db:
        if mode is DeliveryMode.LIVE:
            await make_over(db, line.owner.tenant_id, mode)
        else:
            moved = text("UPDATE sender_number SET provider = 'twilio' WHERE tenant_id = :t")
            await db.execute(moved, {"t": line.owner.tenant_id})
    counted = mismatches("PROVIDER")
    assert (await line.texts("STOP")).status_code == 204
    assert await _nothing_happened(line)
    assert mismatches("PROVIDER") == counted + 1
    assert (await line.twilio_tells("STOP", event_id=f"SM{uuid4().hex}")).status_code == 204
    assert len(await line.stored()) == 1


async def test_a_form_that_twilio_did_not_sign_is_refused(line: Line) -> None:
    await line.writes()
    form = {"MessageSid": "SM1", "From": CONTACT, "To": line.owner.sender, "Body": "STOP"}
    assert (await line.client.post("/webhooks/twilio/inbound", data=form)).status_code == 403
    assert await _nothing_happened(line)


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
async def test_one_that_cannot_be_read_is_refused(line: Line, wrong: dict[str, Any]) -> None:
    told = {**event("STOP", sender=CONTACT, number=line.owner.sender), **wrong}
    assert (await line.tells(told)).status_code == 400
    assert await _nothing_happened(line)


@pytest.mark.parametrize("told", [[], "STOP", 7, None, {}])
async def test_one_that_is_something_else_is_refused(line: Line, told: object) -> None:
    assert (await line.tells(told)).status_code == 400


async def test_a_report_cannot_be_passed_off_as_a_text_nor_a_text_as_a_report(line: Line) -> None:
    message_id = await line.writes()
    reference = await line.reference(message_id)
    report = {
        "eventId": "e",
        "messageId": "m",
        "reference": reference,
        "status": "delivered",
        "at": "2026-04-16T13:20:32Z",
    }
    assert (await line.tells(report)).status_code == 400
    body, headers = signed(event("STOP", sender=CONTACT, number=line.owner.sender))
    passed_off = await line.client.post(
        f"/webhooks/simulator/{reference}", content=body, headers=headers
    )
    assert passed_off.status_code == 400
    assert await _nothing_happened(line)


async def test_what_the_database_cannot_hold_is_replaced(line: Line) -> None:
    assert (await line.texts("a\0b\ud800c 🙏")).status_code == 204
    [stored] = await line.stored()
    assert stored.body == "a\ufffdb\ufffdc 🙏"


async def test_an_empty_text_is_kept(line: Line) -> None:
    assert (await line.texts("")).status_code == 204
    [stored] = await line.stored()
    assert (stored.body, stored.kind) == ("", "OTHER")


async def test_repeating_one_changes_nothing(line: Line) -> None:
    await line.writes()
    stop = event("STOP", sender=CONTACT, number=line.owner.sender)
    start = event("START", sender=CONTACT, number=line.owner.sender)
    for told in (stop, start):
        assert (await line.tells(told)).status_code == 204
    before = (await line.stored(), await line.consents(), await line.history())
    answers = await line.answers()
    for told in (stop, start, stop):
        assert (await line.tells(told)).status_code == 204
    assert (await line.stored(), await line.consents(), await line.history()) == before
    assert await line.answers() == answers
    assert line.starts() == [answer.id for answer in answers]


async def test_twenty_at_once_are_one_text_with_one_answer(line: Line) -> None:
    await line.writes()
    told = event("STOP", sender=CONTACT, number=line.owner.sender)
    responses = await asyncio.gather(*(line.tells(told) for _ in range(20)))
    assert {response.status_code for response in responses} == {204}
    assert (len(await line.stored()), len(await line.history())) == (1, 1)
    [answer] = await line.answers()
    assert line.starts() == [answer.id]


async def test_twenty_different_stops_at_once_are_answered_once(line: Line) -> None:
    merchant_fixture = await line.merchant_fixture()
    await line.writes()
    await line.writes(merchant_fixture)
    await asyncio.gather(*(line.texts("STOP") for _ in range(20)))
    assert (len(await line.stored()), len(await line.history())) == (20, 2)
    assert len(await line.answers()) == 1
