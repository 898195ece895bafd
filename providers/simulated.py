"""Adapter to the carrier simulator, over the network like any vendor."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, assert_never
from urllib.parse import quote

import httpx

from models.enums import Channel, ErrorCode, ReportStatus, SuppressionReason
from models.rules.senders import SANDBOX
from providers import http
from providers.ports import (
    Accepted,
    Ambiguous,
    Answer,
    EmailRequest,
    ForgedWebhook,
    Found,
    InboundText,
    LookUp,
    NotFound,
    NotProcessed,
    NoTruth,
    Playback,
    Proof,
    Recording,
    Refused,
    Report,
    SendRequest,
    SmsRequest,
    VoiceRequest,
)
from providers.simulated_calls import HEADER, NOT_PROCESSED, signed

NAME: Final = SANDBOX
SIGNATURE_HEADER: Final = HEADER

_REFUSALS: Final[dict[int, tuple[ErrorCode, bool]]] = {
    21211: (ErrorCode.BAD_DESTINATION, True),
    21610: (ErrorCode.OPTED_OUT, True),
    30036: (ErrorCode.EXPIRED, False),
}
"""Code when submitting → our word, and whether any provider would refuse."""

_FAILURES: Final[dict[int, ErrorCode]] = {
    30005: ErrorCode.UNREACHABLE,
    31005: ErrorCode.DELIVERY_FAILED,
    40450: ErrorCode.UNREACHABLE,
    40550: ErrorCode.BAD_DESTINATION,
}
"""Code in a report → our word."""

_STATUSES: Final[dict[str, ReportStatus]] = {
    "sent": ReportStatus.SENT,
    "delivered": ReportStatus.DELIVERED,
    "undelivered": ReportStatus.UNDELIVERED,
    "failed": ReportStatus.FAILED,
    "ringing": ReportStatus.SENT,
    "answered": ReportStatus.SENT,
    "completed": ReportStatus.DELIVERED,
    "busy": ReportStatus.UNDELIVERED,
    "no-answer": ReportStatus.UNDELIVERED,
    "bounced": ReportStatus.UNDELIVERED,
    "complained": ReportStatus.COMPLAINED,
}
"""What the simulator calls it → what it means; a transient bounce is tried again, so still sent."""

_SUPPRESSES: Final = {
    "bounced": SuppressionReason.HARD_BOUNCE,
    "complained": SuppressionReason.COMPLAINT,
}
_UNANSWERED: Final = frozenset({"busy", "no-answer"})

_TOLERANCE: Final = 300
"""Seconds a signature stays good."""

_EVENT_ID: Final = 128
_MESSAGE_ID: Final = 128
_PHASE: Final = 32
_CODE: Final = 64
_RECIPIENT: Final = 320
"""Characters that can be stored."""

_LONGEST_CALL: Final = 2**31 - 1
"""Seconds that can be stored."""

_AMOUNT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?", re.ASCII)
"""A price that can be stored."""

_LONGEST_TIME: Final = 12
"""Digits of a Unix time; a longer one is nothing but an attempt to break the arithmetic."""


class Simulator:
    """The simulator as a provider: it keeps our reference, so truth is provable both ways."""

    channels: Final = frozenset(Channel)
    proof: Final = Proof.REFERENCE
    tells_price: Final = True

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        *,
        timeout: timedelta,
        absence_window: timedelta,
        secret: str | None = None,
        name: str = NAME,
    ) -> None:
        self.name = name
        self.absence_window = absence_window
        self._client = client
        self._secret = secret
        self._base_url = base_url.rstrip("/")
        self.timeout = timeout

    async def send(self, request: SendRequest) -> Answer:
        """Post one message."""
        response = await http.deliver(
            self._client,
            signed(
                self._client.build_request(
                    "POST", f"{self._base_url}/messages", json=_document(request)
                ),
                self._secret,
            ),
            not_after=request.not_after,
            timeout=self.timeout,
        )
        if not isinstance(response, httpx.Response):
            return response
        return _answer(response)

    async def look_up(self, reference: str) -> LookUp:
        """Ask what the simulator took under a reference."""
        request = self._client.build_request(
            "GET",
            f"{self._base_url}/messages",
            params={"reference": reference},
            timeout=self.timeout.total_seconds(),
        )
        try:
            response = await self._client.send(signed(request, self._secret))
            response.raise_for_status()
            return _truth(response.json()["items"], reference)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            return NoTruth(reason=type(error).__name__)

    async def recording(self, provider_message_id: str) -> Playback:
        """Open the recording of a call; it is read as fast as it is passed on."""
        request = self._client.build_request(
            "GET",
            f"{self._base_url}/messages/{quote(provider_message_id, safe='')}/recording",
            headers={"Accept-Encoding": "identity"},  # so that the length holds
            timeout=self.timeout.total_seconds(),
        )
        try:
            response = await self._client.send(signed(request, self._secret), stream=True)
        except httpx.HTTPError as error:
            return NoTruth(reason=type(error).__name__)
        if response.status_code != httpx.codes.OK:
            await response.aclose()
            if response.status_code == httpx.codes.NOT_FOUND:
                return NotFound()
            return NoTruth(reason=str(response.status_code))
        return await _playback(response)


async def _playback(response: httpx.Response) -> Recording:
    chunks = _read(response)
    await anext(chunks)  # begun, so it gives the connection back even if nobody goes on reading
    length = response.headers.get("Content-Length", "")
    return Recording(
        length=int(length) if length.isascii() and length.isdigit() else None,
        chunks=chunks,
    )


async def _read(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Give nothing first, then the content."""
    try:
        yield b""
        async for chunk in response.aiter_raw():
            yield chunk
    finally:
        await response.aclose()


def verifier(secret: str) -> Callable[[Mapping[str, str], bytes], Report | None]:
    """Return how to verify and read a webhook: headers and raw body → the report.

    It answers None for a status of no interest to us, and raises ForgedWebhook when the signature
    is missing, wrong or older than five minutes.
    """

    def read(headers: Mapping[str, str], body: bytes) -> Report | None:
        return _report(verified(secret, headers, body))

    return read


def inbound_verifier(secret: str) -> Callable[[Mapping[str, str], bytes], InboundText]:
    """Return how to verify and read the webhook of an inbound text.

    It raises ForgedWebhook as `verifier` does, and ValueError, KeyError or TypeError for a body
    that is something else.
    """

    def read(headers: Mapping[str, str], body: bytes) -> InboundText:
        return _inbound(verified(secret, headers, body))

    return read


def verified(secret: str, headers: Mapping[str, str], body: bytes) -> Any:
    """Return the document of a webhook whose signature is right and at most five minutes old."""
    given = headers.get(SIGNATURE_HEADER, "").split(",")
    fields = dict(part.partition("=")[::2] for part in given)
    at = fields.get("t", "")
    if not (at.isascii() and at.isdigit()) or len(at) > _LONGEST_TIME:
        raise ForgedWebhook
    if abs(time.time() - int(at)) > _TOLERANCE:
        raise ForgedWebhook
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), fields.get("v1", "").encode()):
        raise ForgedWebhook
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _answer(response: httpx.Response) -> Answer:
    # The simulator says these only before it accepts; of an unknown vendor it would be unclear.
    if response.status_code in NOT_PROCESSED:
        status = str(response.status_code)
        return NotProcessed(
            reason=status, provider_code=status, retry_after=http.retry_after(response)
        )
    try:
        answer: dict[str, Any] = response.json()
        if response.status_code == httpx.codes.ACCEPTED:
            return Accepted(provider_message_id=_word(answer["id"], _MESSAGE_ID))
        if response.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.BAD_REQUEST):
            code = int(answer["code"])
            word, everywhere = _REFUSALS.get(code, (ErrorCode.PROVIDER_REFUSED, False))
            return Refused(error_code=word, provider_code=str(code)[:_CODE], everywhere=everywhere)
    except (ValueError, KeyError, TypeError, OverflowError):
        pass
    status = str(response.status_code)
    return Ambiguous(reason=status, provider_code=status)


def _truth(items: list[dict[str, Any]], reference: str) -> Found | NotFound:
    if not isinstance(items, list):
        raise TypeError
    if not items:
        return NotFound()
    return Found(
        provider_message_id=_word(items[0]["id"], _MESSAGE_ID),
        reports=tuple(
            report
            for item in items
            for event in item["events"]
            if (report := _report({**event, "messageId": item["id"], "reference": reference}))
        ),
    )


def _document(request: SendRequest) -> dict[str, Any]:
    common = {
        "to": request.to,
        "from": request.sender,
        "reference": request.reference,
        "callbackUrl": request.callback_url,
        "notAfter": request.not_after.isoformat(),
    }
    match request:
        case SmsRequest():
            return {**common, "channel": Channel.SMS, "body": request.body}
        case VoiceRequest():
            return {
                **common,
                "channel": Channel.VOICE,
                "body": request.text,
                "record": request.record,
                "timeoutSeconds": request.ring_seconds,
                "maxDurationSeconds": request.longest_seconds,
                "language": request.language,
                "voice": request.voice,
            }
        case EmailRequest():
            return {
                **common,
                "channel": Channel.EMAIL,
                "to": list(request.recipients),
                "subject": request.subject,
                "body": request.text,
                "html": request.html,
                "replyTo": request.reply_to,
                "headers": dict(request.headers) or None,
            }
        case _:
            assert_never(request)


def _report(event: dict[str, Any]) -> Report | None:
    phase = str(event["status"])
    status = _STATUSES.get(phase)
    if status is None:
        return None
    transient = event.get("bounceType") == "transient"
    code = event.get("errorCode")
    told = f"{phase}, {event['bounceType']}" if event.get("bounceType") else phase
    recipient = event.get("recipient")
    return Report(
        event_id=_word(event["eventId"], _EVENT_ID),
        reference=str(event["reference"]),
        status=ReportStatus.SENT if transient else status,
        phase=_word(told[:_PHASE], _PHASE),
        reported_at=_moment(event["at"]),
        provider_message_id=_word(event["messageId"], _MESSAGE_ID),
        recipient=None if recipient is None else _word(recipient, _RECIPIENT),
        duration_seconds=_seconds(event.get("durationSeconds")),
        suppresses=None if transient else _SUPPRESSES.get(phase),
        error_code=_error_code(phase, code),
        provider_code=None if code is None else _word(str(code)[:_CODE], _CODE),
        price=_price(event.get("price")),
    )


def _inbound(event: dict[str, Any]) -> InboundText:
    if event["type"] != "inbound" or not isinstance(event["body"], str):
        raise ValueError("not an inbound text")
    return InboundText(
        event_id=_word(event["eventId"], _EVENT_ID),
        sender=str(event["from"]),
        number=str(event["to"]),
        body=event["body"],
        sent_at=_moment(event["at"]),
    )


def _moment(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no time of ours") from error


def _seconds(given: Any) -> int | None:
    if given is None:
        return None
    if type(given) is not int or not 0 <= given <= _LONGEST_CALL:
        raise ValueError("no duration")
    return given


def _price(given: Any) -> Decimal | None:
    if given is None:
        return None
    if not isinstance(given, str) or not _AMOUNT.fullmatch(given):
        raise ValueError("no price")
    return Decimal(given)


def _word(given: Any, longest: int) -> str:
    """Return a vendor's word, if it can be stored; what is only told may be clipped before."""
    word = str(given)
    if not 0 < len(word) <= longest or not word.isprintable():
        raise ValueError("a word that cannot be stored")
    return word


def _error_code(phase: str, code: int | None) -> ErrorCode | None:
    if phase in _UNANSWERED:
        return ErrorCode.UNREACHABLE
    return None if code is None else _FAILURES.get(code, ErrorCode.DELIVERY_FAILED)
