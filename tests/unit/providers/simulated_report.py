"""A report of the simulator, with its signature."""

import hmac
import json
import time
from datetime import UTC, datetime
from hashlib import sha256

from models.enums import ReportStatus
from providers.ports.messages import Report
from providers.simulator.messages import SIGNATURE_HEADER

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


def signed(body: bytes, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    moment = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, sha256).hexdigest()
    return {SIGNATURE_HEADER: f"t={moment},v1={digest}"}
