"""A report of the simulator, with its signature."""

import hmac
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from models.enums import Channel, ReportStatus
from providers.ports.messages import LookUpRequest, Report, Webhook
from providers.simulator.messages import SIGNATURE_HEADER, verifier

SECRET = "for-tests-only-too"
EVENT = {
    "eventId": "e1",
    "messageId": "m1",
    "reference": "hx-1-2-3",
    "status": "delivered",
    "at": "2026-11-23T12:00:00.000Z",
    "errorCode": None,
}
BODY = json.dumps(EVENT).encode()
REPORT = Report(
    event_id="e1",
    reference="hx-1-2-3",
    status=ReportStatus.DELIVERED,
    phase="delivered",
    reported_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    provider_message_id="m1",
)
LOOK_UP = LookUpRequest(
    reference="hx-1-2-3",
    provider_message_id=None,
    channel=Channel.SMS,
    to="+18135551234",
    sender="+15005550006",
    text="Hello",
    requested_at=REPORT.reported_at,
    deadline=REPORT.reported_at + timedelta(seconds=10),
)


def signed(body: bytes, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    moment = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, sha256).hexdigest()
    return {SIGNATURE_HEADER: f"t={moment},v1={digest}"}


def posted(headers: Mapping[str, str], body: bytes) -> Webhook:
    """Return a webhook with these headers and body."""
    return Webhook(url="http://us/webhooks/simulator/hx-1-2-3", headers=headers, body=body)


async def read(headers: Mapping[str, str], body: bytes) -> Sequence[Report]:
    """Verify a webhook of reports and read it."""
    return await verifier(SECRET)(posted(headers, body))


async def read_one(headers: Mapping[str, str], body: bytes) -> Report | None:
    """Verify a webhook and read its only report; None if it holds none."""
    reports = await read(headers, body)
    assert len(reports) <= 1
    return reports[0] if reports else None
