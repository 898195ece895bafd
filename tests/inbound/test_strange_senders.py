"""Texts from short codes, names and withheld numbers, and from both numbers of one subscriber."""

from typing import Any

import pytest

from providers.twilio.signatures import SIGNATURE_HEADER, signature
from tests.contacts import key_of
from tests.inbound.harness import SECRET, TWILIO_URL, InboundHarness
from tests.inbound.test_reading import PATH
from tests.vendors.twilio_double import ACCOUNT

NO_NUMBERS = [
    "12345",  # a short code
    "+12345",
    "555888",
    "GYMSHOP",  # a name
    "Gym & Söhne",
    "anonymous",
    "Restricted",
    "+266696687",  # ANONYMOUS on a keypad, as Twilio writes it
    "+7378742833",  # RESTRICTED
    "8135551234",  # no country code
    "+18131551234",
    "18131551234",
    "0018131551234",
    "1234567",
    "12345678",
    "00",
    "00007",
    "0813555123456",
    "tel:12345",
    "tel:GYM",
    "tel:",
    "tel:5577781;phone-context=+1813",
    "tel:18135551234;phone-context=gym.example",
    "1813555123456789",  # 16 digits
    "99999999999",
    "18135551234,18135551235",
    "++18135551234",
    "anna@carrier.example",
    "+1813555123a",
    "",
    " ",
    "x" * 500,
]
"""Senders that a vendor may report and that cannot be answered."""

TWO_FORMS = [
    ("+5215512345678", "+525512345678"),
    ("+541123456789", "+5491123456789"),
    ("+5491123456789", "+541123456789"),
    ("+551187654321", "+5511987654321"),
    ("+22997123456", "+2290197123456"),
    ("+970599123456", "+972599123456"),
    ("+972599123456", "+970599123456"),
]
"""The number that sends STOP, and the one that was sent to."""

STRANGERS = [
    ("+5215512345678", "+525512345679"),
    ("+541123456789", "+542914567890"),
    ("+551177654321", "+5511977654321"),
    ("+970599123456", "+970569123456"),
]


WITHOUT_PLUS = [
    ("18135577777", "+18135577777"),
    ("0018135577780", "+18135577780"),
    ("00 1 813 557 7780", "+18135577780"),
    ("1 (813) 557-7777", "+18135577777"),
    (" 18135577777 ", "+18135577777"),
    ("tel:+18135577781", "+18135577781"),
    ("TEL:+1-813-557-7781", "+18135577781"),
    ("tel:18135577781", "+18135577781"),
    ("tel:0018135577781", "+18135577781"),
    ("+18135577781;ext=1", "+18135577781"),
    ("18135577781;ext=1", "+18135577781"),
    ("tel:+18135577781;phone-context=+1", "+18135577781"),
    ("447911123456", "+447911123456"),
    ("00447911123456", "+447911123456"),
    ("5215512345678", "+525512345678"),  # the form that Mexico withdrew
    ("4790123456", "+4790123456"),
    ("29051234", "+29051234"),  # Saint Helena, 8 digits
]
"""Phone numbers as some vendors report them, and in E.164 form."""

OUR_NUMBER = [
    "{digits}",
    "00{digits}",
    "tel:+{digits}",
    "tel:{digits}",
    "+{digits};ext=1",
    " +{digits}",
]


async def inbox_of(inbound: InboundHarness, **query: str) -> list[dict[str, Any]]:
    """Return the texts in the API."""
    answer = await inbound.client.get(PATH, params=query, headers=inbound.owner.headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()
    return items


@pytest.mark.parametrize("sender", NO_NUMBERS)
async def test_a_text_from_what_is_no_number_is_stored_as_received(
    inbound: InboundHarness, sender: str
) -> None:
    number = await inbound.own_number()
    answer = await inbound.texts("Your parcel is here", number=number, sender=sender)
    assert answer.status_code == 204
    (shown,) = await inbox_of(inbound)
    assert (shown["from"], shown["to"], shown["body"]) == (sender, number, "Your parcel is here")
    assert shown["kind"] == "OTHER"
    if 0 < len(sender) <= 64:
        assert await inbox_of(inbound, **{"from": sender}) == [shown]
    assert await inbox_of(inbound, **{"from": "54321"}) == []


@pytest.mark.parametrize("body", ["STOP", "START", "HELP"])
@pytest.mark.parametrize("sender", NO_NUMBERS[:-3])
async def test_nothing_is_answered_or_changed_for_what_is_no_number(
    inbound: InboundHarness, sender: str, body: str
) -> None:
    number = await inbound.own_number()
    assert (await inbound.texts(body, number=number, sender=sender)).status_code == 204
    assert [row.kind for row in await inbound.stored()] == ["OTHER"]
    assert (await inbound.answers(), await inbound.history(), inbound.starts()) == ([], [], [])


async def test_what_the_database_cannot_hold_is_replaced_in_a_sender(
    inbound: InboundHarness,
) -> None:
    assert (await inbound.texts("Hello", sender="a\0b\ud800")).status_code == 204
    (stored,) = await inbound.stored()
    assert stored.sender == "a\ufffdb\ufffd"


@pytest.mark.parametrize("withheld", [None, ""])
async def test_a_sender_that_is_withheld_is_stored_as_nothing(
    inbound: InboundHarness, withheld: str | None
) -> None:
    told: dict[str, Any] = {"from": withheld}
    assert (await inbound.texts("Hello", sender="x", **told)).status_code == 204
    assert [row.sender for row in await inbound.stored()] == [""]


@pytest.mark.parametrize("sender", [{"From": "12345"}, {"From": "GYM"}, {"From": ""}, {}])
async def test_twilio_may_report_any_sender_or_none(
    inbound: InboundHarness, sender: dict[str, str]
) -> None:
    form = {
        "AccountSid": ACCOUNT,
        "MessageSid": "SM1",
        "To": inbound.owner.sender,
        "Body": "Hello",
        **sender,
    }
    signed = signature(SECRET, TWILIO_URL, {name: [word] for name, word in form.items()})
    answer = await inbound.client.post(
        "/webhooks/twilio/inbound", data=form, headers={SIGNATURE_HEADER: signed}
    )
    assert answer.status_code == 204
    assert [row.sender for row in await inbound.stored()] == [sender.get("From", "")]


@pytest.mark.parametrize(("sender", "to"), TWO_FORMS)
async def test_stop_from_one_number_opts_the_other_one_out(
    inbound: InboundHarness, sender: str, to: str
) -> None:
    await inbound.writes(to=to)
    assert (await inbound.texts("STOP", sender=sender)).status_code == 204
    source = f"sms:STOP:{inbound.owner.sender}"
    assert await inbound.history() == [(inbound.owner.merchant_id, "OPT_OUT", source)]
    consents = await inbound.client.get(
        "/api/v1/consents", params={"contact": to}, headers=inbound.owner.headers
    )
    assert [consent["status"] for consent in consents.json()] == ["OPT_OUT"]
    refused = await inbound.client.post(
        "/api/v1/messages/sms",
        json={
            "merchantId": inbound.owner.merchant,
            "to": to,
            "message": "Sale!",
            "type": "REMINDER",
        },
        headers=inbound.owner.headers,
    )
    assert refused.json()["code"] == "CONSENT_OPTED_OUT"
    (answer,) = await inbound.answers()
    assert answer.contact_key == key_of(to)
    assert await inbox_of(inbound, **{"from": to}) == await inbox_of(inbound, **{"from": sender})
    assert [row.sender for row in await inbound.stored()] == [sender]


@pytest.mark.parametrize(("sender", "to"), STRANGERS)
async def test_stop_from_another_contact_opts_only_it_out(
    inbound: InboundHarness, sender: str, to: str
) -> None:
    await inbound.writes(to=to)
    assert (await inbound.texts("STOP", sender=sender)).status_code == 204
    assert (await inbound.history(), await inbound.answers()) == ([], [])


async def test_start_from_one_number_takes_back_what_stop_from_the_other_one_did(
    inbound: InboundHarness,
) -> None:
    await inbound.writes(to="+525512345678")
    await inbound.texts("STOP", sender="+5215512345678")
    await inbound.texts("START", sender="+525512345678")
    assert [status for _, status, _ in await inbound.history()] == ["OPT_OUT", "OPT_IN"]


async def test_a_stop_is_answered_to_a_number_that_connects(inbound: InboundHarness) -> None:
    await inbound.writes(to="+525512345678")
    await inbound.texts("STOP", sender="+5215512345678")
    assert [answer.to_contact for answer in await inbound.answers()] == ["+525512345678"]


@pytest.mark.parametrize(("sender", "contact"), WITHOUT_PLUS)
async def test_a_number_without_its_plus_sign_is_opted_out(
    inbound: InboundHarness, sender: str, contact: str
) -> None:
    await inbound.writes(to=contact)
    assert (await inbound.texts("STOP", sender=sender)).status_code == 204
    source = f"sms:STOP:{inbound.owner.sender}"
    assert await inbound.history() == [(inbound.owner.merchant_id, "OPT_OUT", source)]
    assert [answer.to_contact for answer in await inbound.answers()] == [contact]
    (shown,) = await inbox_of(inbound, **{"from": contact})
    assert (shown["from"], shown["kind"]) == (sender, "OPT_OUT")
    assert await inbox_of(inbound, **{"from": sender.strip()}) == [shown]


@pytest.mark.parametrize("written", OUR_NUMBER)
async def test_our_number_is_recognized_without_its_plus_sign(
    inbound: InboundHarness, written: str
) -> None:
    await inbound.writes()
    number = written.format(digits=inbound.owner.sender.removeprefix("+"))
    assert (await inbound.texts("STOP", number=number)).status_code == 204
    assert [row.number for row in await inbound.stored()] == [inbound.owner.sender]
    assert [status for _, status, _ in await inbound.history()] == ["OPT_OUT"]


@pytest.mark.parametrize("number", ["12345", "GYM", "", "8005550001", "tel:", "00"])
async def test_what_is_none_of_our_numbers_is_not_found(
    inbound: InboundHarness, number: str
) -> None:
    assert (await inbound.texts("STOP", to=number)).status_code == 404
    assert await inbound.stored() == []
