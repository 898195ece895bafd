"""Which inbound texts Twilio has answered itself."""

from urllib.parse import urlencode

import pytest

from models.enums import InboundKind
from providers.ports.messages import InboundText, Webhook
from providers.twilio.client import Account
from providers.twilio.inbound import inbound_verifier
from providers.twilio.signatures import SIGNATURE_HEADER, signature
from tests.vendors.sms_fixtures import FROM, NOW, TO, new_sid
from tests.vendors.twilio_double import ACCOUNT, TOKEN

URL = "https://api.example.com/webhooks/twilio-us/inbound"
TOLL_FREE = "+18335550123"


async def read(
    body: str, *, answers_keywords: bool, number: str = FROM, **fields: str
) -> InboundText:
    form = {
        "MessageSid": new_sid(),
        "AccountSid": ACCOUNT,
        "From": TO,
        "To": number,
        "Body": body,
        **fields,
    }
    told = signature(TOKEN, URL, {name: [value] for name, value in form.items()})
    webhook = Webhook(
        url=URL, headers={SIGNATURE_HEADER: told}, body=urlencode(form).encode("ascii")
    )
    verify = inbound_verifier(
        Account(sid=ACCOUNT, token=TOKEN, answers_keywords=answers_keywords), URL, lambda: NOW
    )
    text = await verify(webhook)
    assert text is not None
    return text


WORDS = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"]
WORDS += ["START", "YES", "UNSTOP", "HELP", "INFO"]


@pytest.mark.parametrize("word", [*WORDS, "stop", "sToP", " STOP ", "STOP\n", "help"])
async def test_by_default_twilio_answers_its_words(word: str) -> None:
    assert (await read(word, answers_keywords=True)).answered
    assert not (await read(word, answers_keywords=False)).answered


@pytest.mark.parametrize(
    "text",
    ["STOP PLEASE", "please stop", "STOP STOP", "STOP.", "OPT OUT", "REMOVE", "BAJA", "ARRET", ""],
)
async def test_other_texts_are_left_to_us(text: str) -> None:
    assert not (await read(text, answers_keywords=True)).answered


@pytest.mark.parametrize("answers_keywords", [True, False])
@pytest.mark.parametrize("word", ["STOP", "START", "UNSTOP", "stop"])
async def test_the_network_of_a_toll_free_number_always_answers(
    word: str, answers_keywords: bool
) -> None:
    assert (await read(word, answers_keywords=answers_keywords, number=TOLL_FREE)).answered


@pytest.mark.parametrize("word", ["HELP", "INFO", "CANCEL", "QUIT", "YES"])
async def test_the_network_of_a_toll_free_number_answers_nothing_else(word: str) -> None:
    assert not (await read(word, answers_keywords=False, number=TOLL_FREE)).answered
    assert (await read(word, answers_keywords=True, number=TOLL_FREE)).answered


@pytest.mark.parametrize("number", ["+448335550123", "+18335550", "8335550123", "+28335550123"])
async def test_only_a_north_american_number_is_toll_free(number: str) -> None:
    assert not (await read("STOP", answers_keywords=False, number=number)).answered


@pytest.mark.parametrize("answers_keywords", [True, False])
@pytest.mark.parametrize("body", ["STOP", "ARRET", "anything", ""])
@pytest.mark.parametrize(
    ("type", "kind"),
    [("STOP", InboundKind.OPT_OUT), ("START", InboundKind.OPT_IN), ("HELP", InboundKind.HELP)],
)
async def test_advanced_opt_out_states_what_it_has_answered(
    type: str, kind: InboundKind, body: str, answers_keywords: bool
) -> None:
    text = await read(body, answers_keywords=answers_keywords, OptOutType=type)
    assert (text.answered, text.keyword, text.body) == (True, kind, body)


@pytest.mark.parametrize("type", ["", "stop", "STOPPED"])
async def test_another_type_states_nothing(type: str) -> None:
    text = await read("STOP", answers_keywords=False, OptOutType=type)
    assert (text.answered, text.keyword) == (False, None)
