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
from models.tables.message import Attempt
from providers.ports.messages import Found, NotFound, Recording, RecordingProvider, Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A recording as a response."""

    chunks: AsyncIterator[bytes]
    headers: Mapping[str, str]


class Recordings:
    """Streams recordings; `recording_providers` are the configured providers that store any."""

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
            attempt = await _answered_attempt(db, caller, number)
            reference = await find_reference(db, attempt)
        recording_provider = self._recording_providers.get(attempt.provider)
        if recording_provider is None:
            raise RecordingNotFound
        match await recording_provider.recording(
            await _provider_id(recording_provider, attempt, reference)
        ):
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


async def _answered_attempt(db: ReadSession, caller: Caller, public_id: int) -> Attempt:
    """Return the answered attempt of a recorded call."""
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
    return attempt


async def _provider_id(
    recording_provider: RecordingProvider, attempt: Attempt, reference: Reference
) -> str:
    """Return the provider's id of a call; it is looked up by reference if the response was lost."""
    if attempt.provider_message_id is not None:
        return attempt.provider_message_id
    match await recording_provider.look_up(str(reference)):
        case Found(provider_message_id=provider_id):
            return provider_id
        case NotFound():
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
