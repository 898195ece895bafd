"""Twilio's signatures: ours against those of Twilio's own library, in both directions."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from providers.ports.messages import ForgedWebhook, InboundText, Webhook
from providers.twilio.client import Account
from providers.twilio.inbound import inbound_verifier
from providers.twilio.message_reports import report_verifier
from providers.twilio.signatures import SIGNATURE_HEADER, signature, signed_form
from tests.vendors.sms_fixtures import CALLBACK, FROM, NOW, TO, new_sid
from tests.vendors.test_sms_reports import callback
from tests.vendors.twilio_double import ACCOUNT

TOKEN = "the-secret"
PREVIOUS = "the-one-before"
INBOUND_URL = "https://api.example.com/webhooks/twilio-us/inbound"
CHANGING = Account(sid=ACCOUNT, token=TOKEN, previous_token=PREVIOUS, name="twilio-us")
TEXT = {
    "AccountSid": ACCOUNT,
    "MessageSid": new_sid(),
    "From": TO,
    "To": FROM,
    "Body": "Hello & ä = +",
    "FromZip": "",
}


def twilios(token: str, url: str, form: Mapping[str, Any]) -> str:
    """Return the signature by Twilio's own library."""
    return str(RequestValidator(token).compute_signature(url, dict(form)))


def signed(
    form: Mapping[str, str], *, url: str, token: str = TOKEN, received: str | None = None
) -> Webhook:
    """Return a webhook signed by Twilio's library for `url` and received at another address."""
    headers = {SIGNATURE_HEADER: twilios(token, url, form)}
    return Webhook(url=received or url, headers=headers, body=urlencode(form).encode())


async def reports(webhook: Webhook, account: Account = CHANGING) -> int:
    return len(await report_verifier(account, lambda: NOW)(webhook))


async def text(webhook: Webhook, account: Account = CHANGING) -> InboundText | None:
    return await inbound_verifier(account, webhook.url, lambda: NOW)(webhook)


@pytest.mark.parametrize("token", [TOKEN, PREVIOUS])
async def test_both_secrets_verify_while_one_is_being_changed(token: str) -> None:
    assert await reports(signed(callback(), url=CALLBACK, token=token)) == 1
    told = await text(signed(TEXT, url=INBOUND_URL, token=token))
    assert told is not None
    assert told.body == TEXT["Body"]


async def test_the_previous_secret_is_wrong_once_it_is_taken_out() -> None:
    account = Account(sid=ACCOUNT, token=TOKEN)
    with pytest.raises(ForgedWebhook):
        await reports(signed(callback(), url=CALLBACK, token=PREVIOUS), account)
    with pytest.raises(ForgedWebhook):
        await text(signed(TEXT, url=INBOUND_URL, token=PREVIOUS), account)


@pytest.mark.parametrize("token", ["", "guessed", TOKEN.upper(), TOKEN + " ", ACCOUNT])
async def test_a_wrong_key_is_refused(token: str) -> None:
    with pytest.raises(ForgedWebhook):
        await reports(signed(callback(), url=CALLBACK, token=token))
    with pytest.raises(ForgedWebhook):
        await text(signed(TEXT, url=INBOUND_URL, token=token))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/webhooks/twilio-us/hx-1-2-4",
        "https://api.example.com/webhooks/twilio-eu/hx-1-2-3",
        "https://api.example.com.evil/webhooks/twilio-us/hx-1-2-3",
        "http://api.example.com/webhooks/twilio-us/hx-1-2-3",
        CALLBACK + "/",
        CALLBACK + "?a=1",
        CALLBACK.upper(),
        INBOUND_URL,
    ],
)
async def test_a_webhook_at_another_address_than_it_was_signed_for_is_refused(url: str) -> None:
    with pytest.raises(ForgedWebhook):
        await reports(signed(callback(), url=CALLBACK, received=url))
    with pytest.raises(ForgedWebhook):
        await reports(signed(callback(), url=url, received=CALLBACK))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"delivered", b"undelivered"),
        (b"MessageSid=SM0", b"MessageSid=SM1"),
        (b"To=%2B1813", b"To=%2B1814"),
        (b"MessageStatus=", b"messagestatus="),
        (b"ApiVersion=2010-04-01&", b""),
    ],
)
async def test_a_changed_body_is_refused(old: bytes, new: bytes) -> None:
    right = signed(callback(), url=CALLBACK)
    body = right.body.replace(old, new)
    assert body != right.body
    for wrong in (body, right.body + b"&More=1", b"", b"\xff", b"MessageStatus=failed"):
        with pytest.raises(ForgedWebhook):
            await reports(Webhook(url=right.url, headers=right.headers, body=wrong))


@pytest.mark.parametrize("headers", [{}, {SIGNATURE_HEADER: ""}, {SIGNATURE_HEADER: "ä" * 28}])
async def test_a_missing_signature_is_refused(headers: Mapping[str, str]) -> None:
    body = urlencode(callback()).encode()
    with pytest.raises(ForgedWebhook):
        await reports(Webhook(url=CALLBACK, headers=headers, body=body))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("https://a.example/w/x/hx-1-2-3", "https://a.example:443/w/x/hx-1-2-3"),
        ("https://a.example:443/w/x/hx-1-2-3", "https://a.example/w/x/hx-1-2-3"),
        ("https://a.example:8443/w/x/hx-1-2-3", "https://a.example/w/x/hx-1-2-3"),
        ("https://a.example:8443/w/x/hx-1-2-3", "https://a.example:8443/w/x/hx-1-2-3"),
        ("http://a.example/w/x/hx-1-2-3", "http://a.example:80/w/x/hx-1-2-3"),
        ("https://a.example/w/x/hx-1-2-3?b=1&a=2", "https://a.example:443/w/x/hx-1-2-3?b=1&a=2"),
        ("https://a.example:8443/w/x/hx-1-2-3?q=%C3%A4", "https://a.example/w/x/hx-1-2-3?q=%C3%A4"),
    ],
)
async def test_the_port_may_be_signed_or_not(ours: str, theirs: str) -> None:
    assert await reports(signed(callback(), url=theirs, received=ours)) == 1
    assert await text(signed(TEXT, url=theirs, received=ours)) is not None
    assert RequestValidator(TOKEN).validate(ours, callback(), twilios(TOKEN, theirs, callback()))


async def test_a_signature_for_another_port_is_refused() -> None:
    ours, theirs = "https://a.example:8443/hx-1-2-3", "https://a.example:9443/hx-1-2-3"
    with pytest.raises(ForgedWebhook):
        await reports(signed(callback(), url=theirs, received=ours))


OTHER = "AC" + "0e" * 16


@pytest.mark.parametrize(
    "fields",
    [
        f"AccountSid={OTHER}",
        f"AccountSid={ACCOUNT.lower()}",
        f"AccountSid={ACCOUNT}%00",
        f"AccountSid={ACCOUNT}+",
        f"AccountSid={ACCOUNT}&AccountSid={OTHER}",
        f"AccountSid={OTHER}&AccountSid={ACCOUNT}",
        f"accountsid={ACCOUNT}",
        "AccountSid=",
        "x=1",
    ],
)
async def test_a_form_of_another_account_is_refused(fields: str) -> None:
    for read, form, url in ((reports, callback(), CALLBACK), (text, TEXT, INBOUND_URL)):
        others = {name: word for name, word in form.items() if name != "AccountSid"}
        body = f"{urlencode(others)}&{fields}"
        told = signature(TOKEN, url, parse_qs(body, keep_blank_values=True))
        with pytest.raises(ForgedWebhook):
            await read(Webhook(url=url, headers={SIGNATURE_HEADER: told}, body=body.encode()))


FORMS = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8),
    st.text(st.characters(codec="utf-8"), max_size=20),
    min_size=1,
    max_size=8,
)
URLS = st.sampled_from([CALLBACK, f"{CALLBACK}?a=1&b=%20", "http://h:8080/hx-1-2-3", INBOUND_URL])


@settings(max_examples=200)
@given(FORMS, URLS)
def test_our_signature_of_any_form_is_that_of_twilios_library(
    form: dict[str, str], url: str
) -> None:
    ours = signature(TOKEN, url, {name: [value] for name, value in form.items()})
    assert RequestValidator(TOKEN).validate(url, form, ours)


@settings(max_examples=200)
@given(FORMS, URLS)
def test_we_read_any_form_that_twilios_library_signed(form: dict[str, str], url: str) -> None:
    read = signed_form(signed(form, url=url), url, [TOKEN])
    assert read == {name: [value] for name, value in form.items()}
