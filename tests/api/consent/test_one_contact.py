"""An opt-out blocks every spelling of one contact, and no other contact."""

from typing import Any

import pytest

from models.session import Database
from tests.api.integrator import CONSENT, EMAIL, GYM, SMS, VOICE, Integrator, make_senders


@pytest.fixture
async def gym(integrator: Integrator, database: Database) -> Integrator:
    """An integrator that has the guide's merchant, and a number and addresses to send from."""
    await make_senders(database, integrator.tenant_id)
    await integrator.post("/merchants", GYM)
    return integrator


async def opt_out(gym: Integrator, channel: str, contact: str) -> None:
    """Opt a contact out of a channel."""
    word = {**CONSENT, "channel": channel, "contact": contact, "status": "OPT_OUT"}
    assert (await gym.post("/consents", word)).status_code == 200


async def sent(gym: Integrator, path: str, body: dict[str, Any], to: str) -> str:
    """Send to a contact; return the status of the message, or the error code."""
    answer = (await gym.post(f"/messages/{path}", {**body, "to": to})).json()
    status: str = answer.get("code") or answer["status"]
    return status


@pytest.mark.parametrize("to", ["anna@xn--strae-oqa.example", "ANNA@STRAßE.EXAMPLE"])
async def test_an_opted_out_address_gets_nothing_in_another_writing(
    gym: Integrator, to: str
) -> None:
    await opt_out(gym, "EMAIL", "anna@straße.example")
    assert await sent(gym, "email", EMAIL, to) == "CONSENT_OPTED_OUT"
    (record,) = (await gym.get("/consents", contact=to)).json()
    assert (record["contact"], record["status"]) == ("anna@straße.example", "OPT_OUT")


@pytest.mark.parametrize("to", ["anna@strasse.example", "änna@straße.example"])
async def test_another_contacts_address_is_not_opted_out(gym: Integrator, to: str) -> None:
    await opt_out(gym, "EMAIL", "anna@straße.example")
    assert await sent(gym, "email", EMAIL, to) == "QUEUED"
    assert (await gym.get("/consents", contact=to)).json() == []


async def test_one_mail_to_a_list_counts_a_person_once(gym: Integrator) -> None:
    to = ["anna@straße.example", "anna@xn--strae-oqa.example", "anna@strasse.example"]
    body = {"to": to, "subject": "Hello", "body": "<p>Hello</p>"}
    message_id = (await gym.post("/email/send", body)).json()["messageId"]
    message = (await gym.get(f"/messages/{message_id}")).json()
    assert message["units"] == len(message["recipients"]) == 2


@pytest.mark.parametrize("to", ["+15551234", "+10135551234", "+18131551234"])
async def test_an_unreachable_number_is_neither_texted_nor_called(gym: Integrator, to: str) -> None:
    assert await sent(gym, "sms", SMS, to) == "INVALID_PHONE_NUMBER"
    assert await sent(gym, "voice", VOICE, to) == "INVALID_PHONE_NUMBER"
    assert (await gym.get("/messages")).json() == []
    usage = (await gym.get("/merchants/gym-a")).json()["usage"]
    assert (usage["smsUsed"], usage["voiceUsed"]) == (0, 0)
