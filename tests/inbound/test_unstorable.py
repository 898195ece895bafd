"""Signed webhooks with characters that the database cannot hold: refused or dropped, never 500."""

from typing import Any

import httpx
import pytest

from tests.inbound.harness import CONTACT, InboundHarness, event, signed
from tests.inbound.reporting import Reporting
from tests.inbound.test_twilio_sms import TwilioHarness, delivered
from tests.vendors.twilio_double import ACCOUNT

UNREADABLE, NOT_FOUND, DONE = 400, 404, 204
WRONG = ["\0", "{}\0", "\0{}", "{}\n", "{}\x1b", "{}" + "9" * 5000]
WRONG_JSON = [*WRONG, "\ud800", "{}\udfff"]
FORM = [
    *(
        "MessageSid",
        "SmsSid",
        "MessageStatus",
        "SmsStatus",
        "To",
        "From",
        "ErrorCode",
        "ApiVersion",
    ),
    *("RawDlrDoneDate", "ChannelToAddress", "ErrorMessage", "MessagingServiceSid", "a\0b", "\0"),
]
EVENT = [
    *("eventId", "messageId", "status", "at", "errorCode", "durationSeconds", "recipient"),
    *("bounceType", "price", "channel", "type", "other"),
]
"""Fields of a report of the simulator, besides the reference, which is checked in the address."""


@pytest.fixture
async def twilio(inbound: InboundHarness) -> TwilioHarness:
    twilio = TwilioHarness(inbound)
    await twilio.harness.dispatch(await twilio.harness.accept())
    return twilio


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("field", FORM)
async def test_twilios_report(twilio: TwilioHarness, field: str, wrong: str) -> None:
    form = delivered(twilio.message()["sid"], MessageStatus="undelivered", ErrorCode="30003")
    form[field] = wrong.replace("{}", form.get(field, "x"))
    answer = await twilio.posts(form)
    assert answer == (UNREADABLE if field in ("MessageSid", "To") else DONE)
    untouched = field in ("MessageSid", "To", "MessageStatus")
    assert await twilio.stored() == ([] if untouched else [("UNDELIVERED", "undelivered")])


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("field", ["MessageSid", "From", "To", "Body", "OptOutType", "a\0b"])
async def test_twilios_text(inbound: InboundHarness, field: str, wrong: str) -> None:
    form = {"MessageSid": "SM1", "From": CONTACT, "To": inbound.owner.sender, "Body": "Hello"}
    form |= {"AccountSid": ACCOUNT, field: wrong.replace("{}", form.get(field, "x"))}
    expected = {"MessageSid": UNREADABLE, "To": NOT_FOUND}
    if wrong == "{}\n":  # white space around a number is ignored
        del expected["To"]
    assert (await inbound.twilio_posts(form)).status_code == expected.get(field, DONE)
    assert len(await inbound.stored()) == (field not in expected)


async def posted(inbound: InboundHarness, told: Any, end: str) -> httpx.Response:
    body, headers = signed(told)
    return await inbound.client.post(f"/webhooks/simulator/{end}", content=body, headers=headers)


@pytest.mark.parametrize("wrong", WRONG_JSON)
@pytest.mark.parametrize("field", EVENT)
async def test_the_simulators_report(inbound: InboundHarness, field: str, wrong: str) -> None:
    reporting = Reporting(inbound)
    message_id = await reporting.text_to(CONTACT)
    right = await reporting.told(message_id)
    value = wrong.replace("{}", str(right.get(field, "x")))
    answer = await posted(inbound, right | {field: value}, right["reference"])
    # An error code is cut, an unknown status dropped, and what is not needed is not read.
    if answer.status_code != DONE or field == "status":
        assert answer.status_code in (DONE, UNREADABLE)
        assert await reporting.reported(message_id) == []
    else:
        assert await reporting.reported(message_id) == [("DELIVERED", None)]
    assert (field == "recipient") <= (answer.status_code == UNREADABLE)


@pytest.mark.parametrize("wrong", WRONG_JSON)
@pytest.mark.parametrize("field", ["eventId", "type", "from", "to", "body", "at", "other"])
async def test_the_simulators_text(inbound: InboundHarness, field: str, wrong: str) -> None:
    right = event("Hello", sender=CONTACT, number=inbound.owner.sender)
    value = wrong.replace("{}", str(right.get(field, "x")))
    answer = await posted(inbound, right | {field: value}, "inbound")
    assert answer.status_code in (DONE, UNREADABLE, NOT_FOUND)
    assert len(await inbound.stored()) == (answer.status_code == DONE)
    assert (field in ("eventId", "type")) == (answer.status_code == UNREADABLE and field != "at")


@pytest.mark.parametrize("account", ["simulator", "twilio", "tw%00ilio"])
@pytest.mark.parametrize("reference", ["%00", "hx-1-2-3%00", "%ED%A0%80", "inbound%00"])
async def test_an_address(inbound: InboundHarness, account: str, reference: str) -> None:
    answer = await inbound.client.post(f"/webhooks/{account}/{reference}", content=b"{}")
    assert answer.status_code in (403, NOT_FOUND)
