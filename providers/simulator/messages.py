"""Adapter of the carrier simulator, which it calls over HTTP like any vendor."""

import hashlib
import hmac
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, assert_never
from urllib.parse import quote

import httpx
from pydantic import Field

from models.enums import Channel, ErrorCode
from models.rules.senders.sender_choice import SANDBOX
from providers import http
from providers.ports.messages import (
    Accepted,
    Ambiguous,
    Answer,
    Capabilities,
    EmailRequest,
    ForgedWebhook,
    InboundText,
    LookUp,
    LookUpRequest,
    NotFound,
    NotProcessed,
    Playback,
    Proof,
    Recording,
    Refused,
    Report,
    SendRequest,
    SmsRequest,
    Unanswered,
    VerifyInbound,
    VerifyReports,
    VoiceRequest,
    Webhook,
)
from providers.simulator.calls import HEADER, NOT_PROCESSED, SimulatorAdapter, signed
from providers.simulator.delivery_reports import read_look_up, read_report
from providers.simulator.payloads import CODE_LENGTH, Id, Moment, Payload, parse_json, read_payload

NAME: Final = SANDBOX
SIGNATURE_HEADER: Final = HEADER

_REFUSALS: Final[dict[int, tuple[ErrorCode, bool]]] = {
    21211: (ErrorCode.BAD_DESTINATION, True),
    21610: (ErrorCode.OPTED_OUT, True),
    30036: (ErrorCode.EXPIRED, False),
}
"""Code on submission → our code, and whether any provider would refuse."""

_TOLERANCE: Final = 300
"""Seconds that a signature is valid."""

_LONGEST_TIME: Final = 12
"""Digits of a Unix time; a longer one would overflow the date arithmetic."""


class _Taken(Payload):
    """The response for an accepted message."""

    id: Id


class _Refusal(Payload):
    """The response for a refused message."""

    code: int


class _Inbound(Payload):
    """An inbound text; its body may contain any character."""

    type: Literal["inbound"]
    event_id: Id
    sender: str | None = Field(alias="from")
    """None if withheld."""
    number: str = Field(alias="to")
    body: str
    at: Moment


class Simulator(SimulatorAdapter):
    """The simulator as a provider: it stores our reference, so presence and absence can be
    proven.
    """

    channels: Final = frozenset(Channel)
    proof: Final = Proof.REFERENCE
    capabilities: Final = Capabilities(
        recording=True, ring_time=True, longest_call=timedelta(hours=4)
    )
    reports_delivery: Final = True
    reports_price: Final = True

    async def send(self, request: SendRequest) -> Answer:
        """Post one message."""
        response = await self._post("/messages", _document(request), not_after=request.not_after)
        return _answer(response) if isinstance(response, httpx.Response) else response

    async def look_up(self, request: LookUpRequest) -> LookUp:
        """Return the simulator's message with the request's reference."""
        reference = request.reference
        try:
            return read_look_up(await self._get("/messages", {"reference": reference}), reference)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            return Unanswered(reason=type(error).__name__)

    async def recording(self, provider_message_id: str) -> Playback:
        """Open the recording of a call; it is read with the client's flow control."""
        request = self._client.build_request(
            "GET",
            f"{self._base_url}/messages/{quote(provider_message_id, safe='')}/recording",
            # so that Content-Length is that of the content
            headers={"Accept-Encoding": "identity"},
            timeout=self.timeout.total_seconds(),
        )
        try:
            response = await self._client.send(signed(request, self._secret), stream=True)
        except httpx.HTTPError as error:
            return Unanswered(reason=type(error).__name__)
        if response.status_code != httpx.codes.OK:
            await response.aclose()
            if response.status_code == httpx.codes.NOT_FOUND:
                return NotFound()
            return Unanswered(reason=str(response.status_code))
        return await _playback(response)


async def _playback(response: httpx.Response) -> Recording:
    chunks = _read(response)
    # starts the generator, so that closing it releases the connection even if nothing is read
    await anext(chunks)
    length = response.headers.get("Content-Length", "")
    return Recording(
        length=int(length) if length.isascii() and length.isdigit() else None,
        chunks=chunks,
    )


async def _read(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield an empty chunk first, then the content."""
    try:
        yield b""
        async for chunk in response.aiter_raw():
            yield chunk
    finally:
        await response.aclose()


def verifier(secret: str) -> VerifyReports:
    """Return a function that verifies a webhook and reads its report; none if it is irrelevant.

    It raises ForgedWebhook when the signature is missing, wrong or older than five minutes.
    """

    async def read(webhook: Webhook) -> Sequence[Report]:
        report = read_report(verified(secret, webhook.headers, webhook.body))
        return () if report is None else (report,)

    return read


def inbound_verifier(secret: str) -> VerifyInbound:
    """Return a function that verifies and parses the webhook of an inbound text.

    It raises ForgedWebhook as `verifier` does, and ValueError, KeyError or TypeError for any other
    body.
    """

    async def read(webhook: Webhook) -> InboundText:
        return _inbound(verified(secret, webhook.headers, webhook.body))

    return read


def verified(secret: str, headers: Mapping[str, str], body: bytes) -> Any:
    """Return the document of a webhook with a valid signature, at most five minutes old."""
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
    return parse_json(body)


def _answer(response: httpx.Response) -> Answer:
    # The simulator returns these before it accepts; for another vendor this would be ambiguous.
    if response.status_code in NOT_PROCESSED:
        status = str(response.status_code)
        return NotProcessed(
            reason=status,
            provider_code=status,
            retry_after=http.retry_after(response),
            account_fault=response.status_code == httpx.codes.UNAUTHORIZED,
        )
    try:
        if response.status_code == httpx.codes.ACCEPTED:
            taken = read_payload(_Taken, parse_json(response.content))
            return Accepted(provider_message_id=taken.id)
        if response.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.BAD_REQUEST):
            return _refused(read_payload(_Refusal, parse_json(response.content)).code)
    except (ValueError, KeyError, TypeError):
        pass
    status = str(response.status_code)
    return Ambiguous(reason=status, provider_code=status)


def _refused(code: int) -> Refused:
    ours, everywhere = _REFUSALS.get(code, (ErrorCode.PROVIDER_REFUSED, False))
    return Refused(error_code=ours, provider_code=str(code)[:CODE_LENGTH], everywhere=everywhere)


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


def _inbound(document: object) -> InboundText:
    text = read_payload(_Inbound, document)
    return InboundText(
        event_id=text.event_id,
        sender=text.sender or "",
        number=text.number,
        body=text.body,
        sent_at=text.at,
    )
