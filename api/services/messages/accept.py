"""Accepts sends: one transaction writes the message and its hold; then the workflow is started."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from sqlalchemy.exc import DBAPIError

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest
from api.http.outcomes import Accepted, Outcome, Replayed
from api.schemas.email import V1EmailSendRequest, V1OmniEmailSendRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.schemas.voice import V1OmniVoiceSendRequest, V1TtsCallRequest
from api.services.messages.admission import Admission
from api.services.messages.drafts import Draft, direct_draft, email_draft, sms_draft, voice_draft
from api.services.messages.new_messages import due_at, message_of
from api.services.messages.permission import Permissions
from api.services.messages.same_key_requests import KeyLocks
from api.services.messages.write import start_of, write_message
from api.workflow_starters import WorkflowStarter
from models import logs
from models.enums import Channel, MessageStatus
from models.errors import HexavoxError
from models.queries.messages import acceptance
from models.queries.messages.acceptance import NewMessage
from models.rules.messages.identity import SendKey, SendStart
from models.rules.messages.operations import (
    SEND_DIRECT_EMAIL,
    SEND_EMAIL,
    SEND_SMS,
    SEND_TTS_CALL,
    SEND_VOICE,
)
from models.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredMessage:
    """The message in the response to a send."""

    public_id: int
    merchant: str
    """Empty for direct e-mail of the tenant itself."""
    channel: Channel
    status: MessageStatus


@dataclass(frozen=True, slots=True)
class _Written:
    """The message and its hold are committed; its workflow is not started yet."""

    send: SendStart
    status: MessageStatus


@dataclass(frozen=True, slots=True)
class _Refused:
    """The send was refused, or its commit was not confirmed; `reason` is the error to raise.

    A message with its key may exist all the same: written by an earlier request, or by this one if
    the connection was lost after the commit.
    """

    reason: HexavoxError | DBAPIError


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sending:
    """Accepts sends and starts their workflows.

    A send is checked and written first. If that fails and a message with its key exists, the answer
    is that message, whatever time, policy and funds are now. Otherwise the error is raised.
    """

    def __init__(
        self,
        database: Database,
        starter: WorkflowStarter,
        permissions: Permissions,
        *,
        admission: Admission,
        start_within: timedelta,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._database = database
        self._starter = starter
        self._permissions = permissions
        self._admission = admission
        self._start_within = start_within
        self._clock = clock
        self._key_locks = KeyLocks()

    async def accept_sms(
        self, caller: Caller, order: V1OmniSmsSendRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        """Accept one SMS."""
        return await self._send(caller, SEND_SMS, request, lambda: sms_draft(order))

    async def accept_voice(
        self, caller: Caller, order: V1OmniVoiceSendRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        """Accept one text-to-speech call."""
        return await self._send(caller, SEND_VOICE, request, lambda: voice_draft(order))

    async def accept_tts_call(
        self, caller: Caller, order: V1TtsCallRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        """Accept one text-to-speech call with labels."""
        return await self._send(caller, SEND_TTS_CALL, request, lambda: voice_draft(order))

    async def accept_email(
        self, caller: Caller, order: V1OmniEmailSendRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        """Accept one e-mail of a merchant."""
        return await self._send(caller, SEND_EMAIL, request, lambda: email_draft(order))

    async def accept_direct_email(
        self, caller: Caller, order: V1EmailSendRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        """Accept one direct e-mail, for the tenant or for a merchant."""
        return await self._send(
            caller, SEND_DIRECT_EMAIL, request, lambda: direct_draft(order, caller.merchant)
        )

    async def _send(
        self,
        caller: Caller,
        operation: str,
        request: IdempotentRequest,
        read: Callable[[], Draft],
    ) -> Outcome[AnsweredMessage]:
        send_key = _send_key(caller, operation, request)
        attempt = await self._try_accept(caller, send_key, request, read)
        match attempt:
            case _Written():
                return Accepted(await self._start(attempt))
            case Replayed():
                return attempt
            case _Refused(reason=reason):
                # Looked up last, because most keys are new (docs/decisions/0034).
                replayed = await self._find_replay(send_key, request)
                if replayed is None:
                    raise reason
                return replayed
            case _:
                assert_never(attempt)

    async def _try_accept(
        self,
        caller: Caller,
        send_key: SendKey | None,
        request: IdempotentRequest,
        read: Callable[[], Draft],
    ) -> _Written | Replayed[AnsweredMessage] | _Refused:
        """Check a send and write it, serialized with other requests of this process with its
        key.
        """
        try:
            async with self._key_locks.hold(send_key) as waited:
                # Another request had this key a moment ago and has probably written the message.
                replayed = await self._find_replay(send_key, request) if waited else None
                return replayed or await self._check_and_write(caller, request, read())
        except (HexavoxError, DBAPIError) as error:
            return _Refused(error)

    async def _check_and_write(
        self, caller: Caller, request: IdempotentRequest, draft: Draft
    ) -> _Written:
        """Write a message that is permitted and funded, or raise the refusal."""
        with self._admission.reserve(caller.tenant_id, draft.type):
            message = await self._permitted(caller, draft, request)
            work = f"{draft.operation} {message.channel}"
            lock_scope = caller.lock_scope(draft.merchant, work)
            written = await write_message(self._database, message, lock_scope)
        return _Written(
            start_of(message, written, draft.merchant or ""),
            MessageStatus.SCHEDULED if message.scheduled else MessageStatus.QUEUED,
        )

    async def _start(self, written: _Written) -> AnsweredMessage:
        """Start the workflow of a new message."""
        send = written.send
        logs.message_id.set(send.public_id)
        logs.workflow_id.set(send.workflow_id)
        await self._starter.start(send)
        return _answered(send, written.status)

    async def _permitted(
        self, caller: Caller, draft: Draft, request: IdempotentRequest
    ) -> NewMessage:
        """Return the message to write, or raise the refusal."""
        now = self._clock()
        wanted_at = due_at(draft.send_at, now)
        permission = await self._permissions.obtain(caller, draft, wanted_at)
        return message_of(
            caller,
            draft,
            permission,
            request,
            now=now,
            wanted_at=wanted_at,
            sweep_at=now + self._start_within,
        )

    async def _find_replay(
        self, send_key: SendKey | None, request: IdempotentRequest
    ) -> Replayed[AnsweredMessage] | None:
        """Return the message that was accepted under a key; None if there is none.

        Raises IdempotencyKeyReused if it was accepted for another request.
        """
        if send_key is None:
            return None
        async with self._database.read() as db:
            known = await acceptance.find_known(db, send_key)
        if known is None:
            return None
        request.check_same(known.fingerprint)
        logs.message_id.set(known.send.public_id)
        if not known.completed and known.send.chunk_id is None:
            await self._starter.start(known.send)
        return Replayed(_answered(known.send, known.status))


def _answered(send: SendStart, status: MessageStatus) -> AnsweredMessage:
    return AnsweredMessage(
        public_id=send.public_id, merchant=send.merchant, channel=send.channel, status=status
    )


def _send_key(caller: Caller, operation: str, request: IdempotentRequest) -> SendKey | None:
    """Return the key of a send; None if it has none."""
    if request.key is None:
        return None
    return SendKey(
        tenant_id=caller.tenant_id,
        operation=operation,
        scope=request.scope,
        idempotency_key=request.key,
    )
