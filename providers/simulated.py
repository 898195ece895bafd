"""Adapter to the carrier simulator, over the network like any vendor."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from models.enums import Channel, ErrorCode, ReportStatus
from providers import http
from providers.ports import (
    Accepted,
    Ambiguous,
    Answer,
    ForgedWebhook,
    Found,
    LookUp,
    NotFound,
    NotProcessed,
    NoTruth,
    Proof,
    Refused,
    Report,
    SmsRequest,
)

NAME: Final = "simulator"
SIGNATURE_HEADER: Final = "X-Simulator-Signature"

_REFUSALS: Final[dict[int, tuple[ErrorCode, bool]]] = {
    21211: (ErrorCode.BAD_DESTINATION, True),
    21610: (ErrorCode.OPTED_OUT, True),
    30036: (ErrorCode.EXPIRED, False),
}
"""Code when submitting → our word, and whether any provider would refuse."""

_FAILURES: Final[dict[int, ErrorCode]] = {30005: ErrorCode.UNREACHABLE}
"""Code in a report → our word."""

_STATUSES: Final[dict[str, ReportStatus]] = {
    "sent": ReportStatus.SENT,
    "delivered": ReportStatus.DELIVERED,
    "undelivered": ReportStatus.UNDELIVERED,
    "failed": ReportStatus.FAILED,
}

_TOLERANCE: Final = 300
"""Seconds a signature stays good."""


class Simulator:
    """The simulator as a provider: it keeps our reference, so truth is provable both ways."""

    channels: Final = frozenset({Channel.SMS})
    proof: Final = Proof.REFERENCE

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        *,
        timeout: timedelta,
        absence_window: timedelta,
        name: str = NAME,
    ) -> None:
        self.name = name
        self.absence_window = absence_window
        self._client = client
        self._base_url = base_url.rstrip("/")
        self.timeout = timeout

    async def send(self, request: SmsRequest) -> Answer:
        """Post one SMS."""
        response = await http.deliver(
            self._client,
            self._client.build_request(
                "POST",
                f"{self._base_url}/messages",
                json={
                    "channel": Channel.SMS,
                    "to": request.to,
                    "from": request.sender,
                    "body": request.body,
                    "reference": request.reference,
                    "callbackUrl": request.callback_url,
                    "notAfter": request.not_after.isoformat(),
                },
            ),
            not_after=request.not_after,
            timeout=self.timeout,
        )
        if not isinstance(response, httpx.Response):
            return response
        return _answer(response)

    async def look_up(self, reference: str) -> LookUp:
        """Ask what the simulator took under a reference."""
        try:
            response = await self._client.get(
                f"{self._base_url}/messages",
                params={"reference": reference},
                timeout=self.timeout.total_seconds(),
            )
            response.raise_for_status()
            items = response.json()["items"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            return NoTruth(provider_code=type(error).__name__)
        if not items:
            return NotFound()
        return Found(
            provider_message_id=items[0]["id"],
            reports=tuple(
                report
                for item in items
                for event in item["events"]
                if (report := _report({**event, "messageId": item["id"], "reference": reference}))
            ),
        )


def verifier(secret: str) -> Callable[[Mapping[str, str], bytes], Report | None]:
    """Return how to verify and read a webhook: headers and raw body → the report.

    It answers None for a status of no interest to us, and raises ForgedWebhook when the signature
    is missing, wrong or older than five minutes.
    """

    def read(headers: Mapping[str, str], body: bytes) -> Report | None:
        given = headers.get(SIGNATURE_HEADER, "").split(",")
        fields = dict(part.partition("=")[::2] for part in given)
        at = fields.get("t", "")
        if not (at.isascii() and at.isdigit()) or abs(time.time() - int(at)) > _TOLERANCE:
            raise ForgedWebhook
        expected = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), fields.get("v1", "").encode()):
            raise ForgedWebhook
        return _report(json.loads(body))

    return read


def _answer(response: httpx.Response) -> Answer:
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return NotProcessed(provider_code="429", retry_after=http.retry_after(response))
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        # The simulator says 503 only before it accepts; of an unknown vendor this would be unclear.
        return NotProcessed(provider_code="503", retry_after=http.retry_after(response))
    try:
        answer: dict[str, Any] = response.json()
        if response.status_code == httpx.codes.ACCEPTED:
            return Accepted(provider_message_id=str(answer["id"]))
        if response.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.BAD_REQUEST):
            code = int(answer["code"])
            word, everywhere = _REFUSALS.get(code, (ErrorCode.PROVIDER_REFUSED, False))
            return Refused(error_code=word, provider_code=str(code), everywhere=everywhere)
    except (ValueError, KeyError, TypeError):
        pass
    return Ambiguous(provider_code=str(response.status_code))


def _report(event: dict[str, Any]) -> Report | None:
    status = _STATUSES.get(str(event["status"]))
    if status is None:
        return None
    code = event.get("errorCode")
    return Report(
        event_id=str(event["eventId"]),
        reference=str(event["reference"]),
        status=status,
        reported_at=datetime.fromisoformat(event["at"]),
        provider_message_id=str(event["messageId"]),
        error_code=None if code is None else _FAILURES.get(code, ErrorCode.DELIVERY_FAILED),
        provider_code=None if code is None else str(code),
    )
