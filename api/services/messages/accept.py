"""Accepting a send: one transaction writes it down, funded; then its workflow is started."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final, assert_never

from sqlalchemy.exc import DBAPIError

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest
from api.schemas.email import V1EmailSendRequest, V1OmniEmailSendRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.schemas.voice import V1OmniVoiceSendRequest, V1TtsCallRequest
from api.services.messages.admission import Admission
from api.services.messages.drafts import Draft, direct_draft, email_draft, sms_draft, voice_draft
from api.services.messages.permission import Permissions
from api.services.messages.same_key_requests import UNDER_WAY, KeyLocks
from api.services.messages.start import start_of
from api.workflow_starters import WorkflowStarter
from models import logs
from models.database.faults import LOCKED, drew_known_id, state_of
from models.database.limits import KEY_WAIT
from models.database.transaction_limits import LockScope
from models.enums import Channel, MessageStatus
from models.errors import (
    HexavoxError,
    IdempotencyKeyReused,
    InsufficientCredits,
    TemporarilyUnavailable,
    ValidationFailed,
)
from models.queries.messages import acceptance
from models.queries.messages.acceptance import (
    AcceptedMessage,
    KeyTaken,
    NewMessage,
    NotFunded,
)
from models.rules.billing.periods import month_of
from models.rules.messages.identity import SendKey
from models.rules.messages.operations import (
    SEND_DIRECT_EMAIL,
    SEND_EMAIL,
    SEND_SMS,
    SEND_TTS_CALL,
    SEND_VOICE,
)
from models.rules.messages.validity import expiry
from models.session import Database

_MOST_DRAWS: Final = 4
"""Of public ids for one message. With 10^9 messages a tenant, one in 4 million is drawn twice."""

FARTHEST: Final = timedelta(days=30)
"""How far ahead a send may be scheduled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The send that answers a request: a new one, or the one its key stands for."""

    public_id: int
    merchant: str
    """Empty for direct e-mail of the tenant itself."""
    channel: Channel
    status: MessageStatus
    replayed: bool


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sending:
    """Turns a request into a funded message and sets its workflow going.

    Each method answers with the send its key stands for, if there is one, whatever would be said of
    it today: time, policy and funds matter once. What it raises otherwise is a `HexavoxError`.
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
    ) -> Accepted:
        """Accept one SMS."""
        return await self._send(caller, SEND_SMS, request, lambda: sms_draft(order))

    async def accept_voice(
        self, caller: Caller, order: V1OmniVoiceSendRequest, request: IdempotentRequest
    ) -> Accepted:
        """Accept one text-to-speech call."""
        return await self._send(caller, SEND_VOICE, request, lambda: voice_draft(order))

    async def accept_tts_call(
        self, caller: Caller, order: V1TtsCallRequest, request: IdempotentRequest
    ) -> Accepted:
        """Accept one text-to-speech call with labels."""
        return await self._send(caller, SEND_TTS_CALL, request, lambda: voice_draft(order))

    async def accept_email(
        self, caller: Caller, order: V1OmniEmailSendRequest, request: IdempotentRequest
    ) -> Accepted:
        """Accept one e-mail of a merchant."""
        return await self._send(caller, SEND_EMAIL, request, lambda: email_draft(order))

    async def accept_direct_email(
        self, caller: Caller, order: V1EmailSendRequest, request: IdempotentRequest
    ) -> Accepted:
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
    ) -> Accepted:
        key = _send_key(caller, operation, request)
        try:
            async with self._key_locks.hold(key) as second:
                known = await self._known(caller, operation, request) if second else None
                if known is not None:
                    return known
                draft = read()
                with self._admission.reserve(caller.tenant_id, draft.type):
                    message = await self._permitted(caller, draft, request)
                    lock_scope = caller.lock_scope(draft.merchant, f"{operation} {message.channel}")
                    written = await self._write_patiently(message, lock_scope)
        except (HexavoxError, DBAPIError):
            # Asked for only now, because most keys are new: what stands in the way of a send that
            # was accepted already, such as an opt-out since then, is of no matter any more. A
            # connection may have been lost after the commit.
            known = await self._known(caller, operation, request)
            if known is None:
                raise
            return known
        send = start_of(message, written, draft.merchant or "")
        logs.message_id.set(send.public_id)
        logs.workflow_id.set(send.workflow_id)
        await self._starter.start(send)
        waiting = message.due_at > message.accepted_at
        return Accepted(
            public_id=send.public_id,
            merchant=send.merchant,
            channel=message.channel,
            status=MessageStatus.SCHEDULED if waiting else MessageStatus.QUEUED,
            replayed=False,
        )

    async def _permitted(
        self, caller: Caller, draft: Draft, request: IdempotentRequest
    ) -> NewMessage:
        """Return what is to be written down, or raise what forbids it."""
        now = self._clock()
        wanted_at = due_at(draft.send_at, now)
        permission = await self._permissions.obtain(caller, draft, wanted_at)
        keys = draft.contact_keys(self._database.contact_keys)
        return NewMessage(
            tenant_id=caller.tenant_id,
            merchant_id=permission.merchant_id,
            channel=draft.channel,
            type=draft.type,
            contact_key=keys[0],
            to_contact=draft.to[0],
            sender=permission.sender,
            body=draft.body,
            details={**draft.details, **permission.details},
            attributes=draft.attributes,
            operation=draft.operation,
            scope=request.scope,
            idempotency_key=request.key,
            fingerprint=request.fingerprint,
            units=draft.units,
            funded=permission.merchant_id is not None,
            further_keys=keys[1:],
            month=month_of(now),
            accepted_at=now,
            due_at=permission.due_at,
            # Validity counts from when it was wanted, not from when the night is over.
            expires_at=expiry(draft.type, wanted_at, draft.valid_for),
            sweep_at=now + self._start_within,
        )

    async def _write_patiently(self, message: NewMessage, lock_scope: LockScope) -> AcceptedMessage:
        """Write it down; one with a key waits longer for a lock, for its twin may hold it.

        If a random public id is taken, it is written again with another one.
        """
        give_up_at = monotonic() + KEY_WAIT.total_seconds()
        wait_when_locked, draws = False, 1
        while True:
            try:
                return await self._write(message, lock_scope, wait_when_locked=wait_when_locked)
            except DBAPIError as error:
                if drew_known_id(error) and draws < _MOST_DRAWS:
                    draws += 1
                    continue
                locked = state_of(error) == LOCKED
                if not locked or message.idempotency_key is None or monotonic() > give_up_at:
                    raise
            wait_when_locked = True

    async def _write(
        self, message: NewMessage, lock_scope: LockScope, *, wait_when_locked: bool
    ) -> AcceptedMessage:
        """Write it down with its hold, or leave no trace of it and raise why."""
        async with self._database.transaction(lock_scope, wait_when_locked=wait_when_locked) as db:
            outcome = await acceptance.accept(db, message)
            match outcome:
                case AcceptedMessage():
                    return outcome
                case NotFunded():
                    raise InsufficientCredits(
                        f"Units needed: {message.units}, available: {outcome.available}."
                    )
                case KeyTaken(written=True):
                    raise TemporarilyUnavailable(UNDER_WAY)
                case KeyTaken():
                    pass  # a rollback would cost the connection what it has prepared
                case _:
                    assert_never(outcome)
        raise TemporarilyUnavailable(UNDER_WAY)

    async def _known(
        self, caller: Caller, operation: str, request: IdempotentRequest
    ) -> Accepted | None:
        key = _send_key(caller, operation, request)
        if key is None:
            return None
        async with self._database.read() as db:
            known = await acceptance.find_known(db, key)
        if known is None:
            return None
        if known.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused
        logs.message_id.set(known.send.public_id)
        if not known.completed:
            await self._starter.start(known.send)
        return Accepted(
            public_id=known.send.public_id,
            merchant=known.send.merchant,
            channel=known.send.channel,
            status=known.status,
            replayed=True,
        )


def due_at(send_at: datetime | None, now: datetime) -> datetime:
    """Return when a message is due; a time in the past means now, too far ahead is refused."""
    if send_at is None or send_at <= now:
        return now
    if send_at > now + FARTHEST:
        raise ValidationFailed(errors=(("sendAt", f"at most {FARTHEST.days} days ahead"),))
    return send_at


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
