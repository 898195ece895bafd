"""Inbound texts at Twilio: Twilio's signature vectors, parsing, and required settings."""

import hmac
import time
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha1
from urllib.parse import urlencode

import pytest

from providers.ports.messages import ForgedWebhook, InboundText, Webhook
from providers.twilio.client import Account
from providers.twilio.inbound import inbound_verifier
from providers.twilio.signatures import SIGNATURE_HEADER, signature
from tests.vendors.twilio_double import ACCOUNT, TOKEN

URL = "https://api.example.com/webhooks/twilio/inbound"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TEXT = {
    "MessageSid": "SM" + "0d" * 16,
    "AccountSid": ACCOUNT,
    "From": "+18135551234",
    "To": "+12135550123",
    "Body": "STOP & ä",
    "NumMedia": "0",
    "FromZip": "",
}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            {
                "CallSid": ["CA1234567890ABCDE"],
                "Digits": ["1234"],
                "From": ["+14158675309"],
                "To": ["+18005551212"],
                "Caller": ["+14158675309"],
            },
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (
            {"Sid": ["CA123"], "SidAccount": ["AC123"], "Digits": ["5678", "1234", "1234"]},
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
    ],
)
def test_a_signature_is_that_of_twilios_own_examples(
    form: Mapping[str, list[str]], expected: str
) -> None:
    assert signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form) == expected


def signed(
    form: Mapping[str, str], *, url: str = URL, token: str = TOKEN
) -> tuple[dict[str, str], bytes]:
    """Sign a form by an independent implementation."""
    told = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(token.encode(), told.encode(), sha1).digest()
    return {SIGNATURE_HEADER: b64encode(digest).decode()}, urlencode(form).encode()


def posted(headers: Mapping[str, str], body: bytes) -> Webhook:
    return Webhook(url=URL, headers=headers, body=body)


async def read(headers: Mapping[str, str], body: bytes, *, url: str = URL) -> InboundText:
    text = await inbound_verifier(Account(sid=ACCOUNT, token=TOKEN), url, lambda: NOW)(
        posted(headers, body)
    )
    assert text is not None
    return text


async def test_a_signed_text_is_read() -> None:
    assert await read(*signed(TEXT)) == InboundText(
        event_id=TEXT["MessageSid"],
        sender="+18135551234",
        number="+12135550123",
        body="STOP & ä",
        sent_at=NOW,
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("https://a.example:8443/in", "https://a.example/in"),
        ("https://a.example:8443/in", "https://a.example:8443/in"),
        ("https://a.example/in", "https://a.example:443/in"),
        ("http://a.example/in", "http://a.example:80/in"),
    ],
)
async def test_the_port_may_be_signed_or_not(ours: str, theirs: str) -> None:
    headers, body = signed(TEXT, url=theirs)
    assert (await read(headers, body, url=ours)).event_id == TEXT["MessageSid"]


async def test_a_text_without_a_valid_signature_is_forged() -> None:
    headers, body = signed(TEXT)
    forged = [
        ({}, body),
        ({SIGNATURE_HEADER: ""}, body),
        ({SIGNATURE_HEADER: "ä"}, body),
        (headers, body.replace(b"8135551234", b"8135559999")),
        (headers, body + b"&More=1"),
        (headers, b""),
        (headers, b"\xff\xfe"),
        signed(TEXT, token="guessed"),
        signed(TEXT, url="https://api.example.com/webhooks/twilio/other"),
        signed(TEXT, url="https://api.example.com.evil/webhooks/twilio/inbound"),
    ]
    for wrong in forged:
        with pytest.raises(ForgedWebhook):
            await read(*wrong)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        "A" * 27,
        "A" * 28,
        "A" * 29 + "=",
        "A" * 26 + "==",
        "-" * 27 + "=",
        "A" * 60_000,
        "ж" * 27 + "=",
    ],
)
async def test_a_form_without_a_possible_signature_is_not_parsed(given: str) -> None:
    began = time.process_time()
    for _ in range(20):
        with pytest.raises(ForgedWebhook):
            await read({SIGNATURE_HEADER: given}, b"&".join([b"f=1"] * 65_000))
    assert time.process_time() - began < 0.3  # parsing takes 50 ms each time


@pytest.mark.parametrize("body", [b"&".join([b"f=1"] * 65_000), b"&" * 260_000, b"a=b&" * 200])
async def test_a_form_of_more_fields_than_a_text_has_is_forged(body: bytes) -> None:
    with pytest.raises(ForgedWebhook):
        await read({SIGNATURE_HEADER: "A" * 27 + "="}, body)


async def test_a_text_with_ten_media_is_read() -> None:
    media = {f"MediaUrl{n}": f"https://x/{n}" for n in range(10)}
    kinds = {f"MediaContentType{n}": "image/jpeg" for n in range(10)}
    headers, body = signed(TEXT | media | kinds | {f"Further{n}": "x" for n in range(60)})
    assert (await read(headers, body)).sender == "+18135551234"


@pytest.mark.parametrize("missing", ["MessageSid", "To", "Body"])
async def test_a_report_or_a_call_does_not_pass_for_a_text(missing: str) -> None:
    with pytest.raises(KeyError):
        await read(*signed({name: word for name, word in TEXT.items() if name != missing}))
