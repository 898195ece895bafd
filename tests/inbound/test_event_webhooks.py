"""A vendor that posts all its reports to one address, several at once."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from fastapi import FastAPI

from api.services.messages.delivery_reports import Receipts
from models.session import Database
from providers.ports.messages import ForgedWebhook, Report, Webhook
from providers.simulator.delivery_reports import read_report
from tests.api.container import put_in, restored
from tests.inbound.harness import CONTACT, SECRET, InboundHarness, Started
from tests.inbound.reporting import Reporting, mismatches

SIGNATURE = "X-Lot-Signature"


def sign(url: str, body: bytes) -> str:
    return hmac.new(SECRET.encode(), url.encode() + body, hashlib.sha256).hexdigest()


async def read_lot(webhook: Webhook) -> Sequence[Report]:
    """Verify a list of reports; the signature covers the address, as Twilio's does."""
    given = webhook.headers.get(SIGNATURE, "")
    if not hmac.compare_digest(given, sign(webhook.url, webhook.body)):
        raise ForgedWebhook
    return [report for one in json.loads(webhook.body) if (report := read_report(one)) is not None]


@pytest.fixture
async def reporting(
    app: FastAPI, database: Database, started: Started, inbound: InboundHarness
) -> AsyncIterator[Reporting]:
    with restored(app):
        put_in(app, "messages", receipts=Receipts(database, started, {"simulator": read_lot}))
        yield Reporting(inbound)


async def post(
    reporting: Reporting,
    told: Sequence[dict[str, Any]],
    path: str = "/webhooks/simulator/events",
    *,
    signed_path: str | None = None,
) -> int:
    body = json.dumps(told).encode()
    url = f"{PUBLIC}{signed_path or path}"
    response = await reporting.inbound.client.post(
        path, content=body, headers={SIGNATURE: sign(url, body)}
    )
    return response.status_code


PUBLIC = "http://api.test"


async def test_every_report_of_a_body_is_stored_and_a_foreign_one_is_counted(
    reporting: Reporting,
) -> None:
    first, second, third = [await reporting.text_to(CONTACT) for _ in range(3)]
    attempt, ids = mismatches("ATTEMPT"), mismatches("MESSAGE_ID")
    unknown = await reporting.reference(first, attempt=2)
    lot = [
        await reporting.told(first),
        await reporting.told(third, messageId="of another"),
        await reporting.told(first, reference=unknown),
        await reporting.told(first, reference="somebody-elses"),
        await reporting.told(first, status="read"),
        await reporting.told(second, status="undelivered", errorCode=30005),
    ]
    assert await post(reporting, lot) == 204
    assert await reporting.reported(first) == [("DELIVERED", None)]
    assert await reporting.reported(second) == [("UNDELIVERED", None)]
    assert await reporting.reported(third) == []
    assert (mismatches("ATTEMPT"), mismatches("MESSAGE_ID")) == (attempt + 1, ids + 1)
    before = await reporting.everything()
    assert await post(reporting, lot[:1]) == 204
    assert (await reporting.everything())[:-1] == before[:-1], "a repeated report changes nothing"


@pytest.mark.parametrize("lot", [[], [{"status": "read"}]], ids=["none", "of no interest"])
async def test_a_body_without_a_report_is_204_and_changes_nothing(
    reporting: Reporting, lot: list[dict[str, Any]]
) -> None:
    message_id = await reporting.text_to(CONTACT)
    before = await reporting.everything()
    told = [await reporting.told(message_id, **facts) for facts in lot]
    assert await post(reporting, told) == 204
    assert await reporting.everything() == before


async def test_a_signature_of_another_address_is_refused(reporting: Reporting) -> None:
    message_id = await reporting.text_to(CONTACT)
    before = await reporting.everything()
    told = [await reporting.told(message_id)]
    assert await post(reporting, told, signed_path="/webhooks/other/events") == 403
    assert await post(reporting, told, signed_path="/webhooks/simulator/events?a=1") == 403
    assert await reporting.everything() == before
    assert await post(reporting, told, "/webhooks/simulator/events?a=%20b") == 204
    assert await reporting.reported(message_id) == [("DELIVERED", None)]


async def test_at_the_address_of_an_attempt_all_reports_are_about_it(reporting: Reporting) -> None:
    first, second = [await reporting.text_to(CONTACT) for _ in range(2)]
    before = await reporting.everything()
    path = f"/webhooks/simulator/{await reporting.reference(first)}"
    both = [await reporting.told(first), await reporting.told(second)]
    assert await post(reporting, both, path) == 403
    assert await reporting.everything() == before
    assert await post(reporting, both[:1], path) == 204
    assert await reporting.reported(first) == [("DELIVERED", None)]


@pytest.mark.parametrize("body", [b"{", b"7", b"[7]", b'[{"status": "delivered"}]'])
async def test_a_signed_body_that_cannot_be_read_is_400(reporting: Reporting, body: bytes) -> None:
    path = "/webhooks/simulator/events"
    response = await reporting.inbound.client.post(
        path, content=body, headers={SIGNATURE: sign(f"{PUBLIC}{path}", body)}
    )
    assert response.status_code == 400


async def test_an_unknown_account_has_no_address(reporting: Reporting) -> None:
    assert await post(reporting, [], "/webhooks/nobody/events") == 404
