"""The vendor's message API for adapters: submit, look up, fetch a recording."""

import asyncio
import io
import wave
from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import Json, Reset, Silence, problem
from simulator.clock import utc_now
from simulator.messages.carrier import Carrier, Verdict
from simulator.messages.outcomes import Answer
from simulator.messages.submission import BadDestination, decode, parse_submission
from simulator.messages.timeline import known_events
from simulator.messages.views import listing, message_view
from simulator.messages.vocabulary import Code, Status

_REFUSALS = {
    Code.BAD_DESTINATION: "the destination cannot be reached",
    Code.OPTED_OUT: "the recipient has opted out",
}


class MessageRoutes:
    """Handlers of one carrier; `closing` ends the requests that wait without a response."""

    def __init__(self, carrier: Carrier, closing: asyncio.Event) -> None:
        self._carrier = carrier
        self._closing = closing

    def routes(self, vendor: Sequence[Middleware]) -> list[Route]:
        """Return the routes with the checks and faults of the vendor's API."""
        return [
            Route("/messages", self.submit, methods=["POST"], middleware=vendor),
            Route("/messages", self.search, methods=["GET"], middleware=vendor),
            Route("/messages/{id}", self.show, methods=["GET"], middleware=vendor),
            Route("/messages/{id}/recording", self.recording, methods=["GET"], middleware=vendor),
        ]

    async def submit(self, request: Request) -> Response:
        """Accept one message, or fail as its destination prescribes."""
        try:
            submission = parse_submission(decode(await request.body()))
        except BadDestination as error:
            return problem(422, Code.BAD_DESTINATION, str(error))
        pause = self._carrier.pause_before(submission)
        if pause and utc_now() < submission.not_after:
            await asyncio.sleep(pause)
        now = utc_now()
        if now >= submission.not_after:
            return problem(422, Code.EXPIRED, "expired")
        return self._answer(self._carrier.take(submission, now))

    async def search(self, request: Request) -> Response:
        """Return the messages with a reference; an empty list means that none was accepted."""
        reference = request.query_params.get("reference")
        if not reference:
            return problem(400, Code.MALFORMED, "reference is required")
        now = utc_now()
        found = self._carrier.with_reference(reference)
        return Json(listing([message_view(message, now) for message in found]))

    async def show(self, request: Request) -> Response:
        """Return the current state of one message."""
        message = self._carrier.find(request.path_params["id"])
        if message is None:
            return problem(404, Code.NOT_FOUND, "no such message")
        return Json(message_view(message, utc_now()))

    async def recording(self, request: Request) -> Response:
        """Return the recording of a call after its end."""
        message = self._carrier.find(request.path_params["id"])
        if message is not None and message.submission.record:
            known = known_events(message, utc_now())
            if any(event.status is Status.COMPLETED for event in known):
                return Response(_silence(), media_type="audio/wav")
        return problem(404, Code.NOT_FOUND, "no such recording")

    def _answer(self, verdict: Verdict) -> Response:
        match verdict.outcome.answer:
            case Answer.ACCEPTED:
                return _accepted(verdict)
            case Answer.REFUSED:
                code = verdict.outcome.code or Code.BAD_DESTINATION
                return problem(422, code, _REFUSALS[code])
            case Answer.RATE_LIMITED:
                return problem(429, Code.RATE_LIMITED, "too many requests", {"Retry-After": "1"})
            case Answer.SERVER_ERROR:
                return problem(500, Code.INTERNAL, "internal error")
            case Answer.SILENCE:
                return Silence(self._closing)
            case Answer.RESET:
                return Reset()


def _accepted(verdict: Verdict) -> Response:
    assert verdict.message is not None, "only a message that was taken is answered as accepted"
    view = {
        "id": verdict.message.id,
        "reference": verdict.message.submission.reference,
        "status": Status.ACCEPTED,
    }
    return Json(view, status_code=202)


def _silence() -> bytes:
    """Return one second of silence: telephone quality, mono, 16 bit."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(2 * 8000))
    return file.getvalue()
