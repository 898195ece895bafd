"""Streams recordings of calls from the providers that store them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from api.http.auth import Caller
from api.services.messages.read import read_message_id
from models.enums import Channel, MessageStatus
from models.errors import MessageNotFound, RecordingNotFound, TemporarilyUnavailable
from models.queries.messages.read import find_answered_attempt, find_message, find_reference
from models.rules.messages.reference import Reference
from models.session import Database, ReadSession
from models.tables.base import row_id
from models.tables.message import Attempt, Message
from providers.ports.messages import (
    Found,
    Listed,
    LookUpRequest,
    NotFound,
    Recording,
    RecordingProvider,
    Unanswered,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A recording as a response."""

    chunks: AsyncIterator[bytes]
    headers: Mapping[str, str]


class Recordings:
    """Streams recordings; `recording_providers` are the configured providers that store any, by
    account."""

    def __init__(
        self, database: Database, recording_providers: Mapping[str, RecordingProvider]
    ) -> None:
        self._database = database
        self._recording_providers = recording_providers

    async def open(self, caller: Caller, message_id: str) -> Stream:
        """Begin to stream the recording of a call.

        Raises:
            MessageNotFound, RecordingNotFound, and TemporarilyUnavailable while its provider is
            unreachable.
        """
        number = read_message_id(message_id)
        async with self._database.read() as db:
            message, attempt = await _answered_attempt(db, caller, number)
            reference = await find_reference(db, message, attempt.number)
        recording_provider = self._recording_providers.get(attempt.account)
        if recording_provider is None:
            raise RecordingNotFound
        request = _look_up_request(message, attempt, reference)
        provider_id = await _provider_id(recording_provider, attempt, request)
        match await recording_provider.recording(provider_id):
            case Recording(length=length, chunks=chunks):
                return Stream(chunks=chunks, headers=_headers(number, length))
            case NotFound():
                raise RecordingNotFound
            case Unanswered():
                raise TemporarilyUnavailable(
                    "The provider of this call does not answer. Repeat the request later."
                )
            case unexpected:
                assert_never(unexpected)


async def _answered_attempt(
    db: ReadSession, caller: Caller, public_id: int
) -> tuple[Message, Attempt]:
    """Return a recorded call and its answered attempt."""
    found = await find_message(db, caller, public_id)
    if found is None:
        raise MessageNotFound
    message, _ = found
    recorded = message.channel == Channel.VOICE and message.details.get("record")
    if not recorded or message.status != MessageStatus.DELIVERED:
        raise RecordingNotFound
    attempt = await find_answered_attempt(db, caller.tenant_id, row_id(message.id))
    if attempt is None:
        raise RecordingNotFound
    return message, attempt


def _look_up_request(message: Message, attempt: Attempt, reference: Reference) -> LookUpRequest:
    return LookUpRequest(
        reference=str(reference),
        provider_message_id=attempt.provider_message_id,
        channel=message.channel,
        to=message.to_contact,
        sender=message.sender,
        text=message.body,
        requested_at=attempt.requested_at,
        deadline=attempt.deadline,
    )


async def _provider_id(
    recording_provider: RecordingProvider, attempt: Attempt, request: LookUpRequest
) -> str:
    """Return the provider's id of a call; it is looked up if the response was lost."""
    if attempt.provider_message_id is not None:
        return attempt.provider_message_id
    match await recording_provider.look_up(request):
        case Found(provider_message_id=provider_id):
            return provider_id
        # An id that only a list suggests is not enough to hand out somebody's recording.
        case NotFound() | Listed():
            raise RecordingNotFound
        case Unanswered():
            raise TemporarilyUnavailable(
                "The provider of this call does not answer. Repeat the request later."
            )
        case unexpected:
            assert_never(unexpected)


def _headers(public_id: int, length: int | None) -> dict[str, str]:
    headers = {"Content-Disposition": f'inline; filename="call-{public_id}.wav"'}
    return headers if length is None else {**headers, "Content-Length": str(length)}
