"""Accepting a send: one transaction writes it down, funded; then its workflow is started."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from api.auth import Caller
from api.idempotency import IdempotentRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.temporal import WorkflowStarter
from models import logs
from models.enums import Channel, ErrorCode, MessageStatus, MessageType
from models.errors import (
    HexavoxError,
    IdempotencyKeyReused,
    InsufficientCredits,
    MerchantNotFound,
    SenderNotRegistered,
    TemporarilyUnavailable,
    ValidationFailed,
)
from models.queries import acceptance
from models.queries.acceptance import (
    AcceptedMessage,
    KeyTaken,
    KnownSend,
    NewMessage,
    NotFunded,
    SendPolicy,
)
from models.rules.consent import consent_forbids, refusal
from models.rules.contacts import e164
from models.rules.periods import month_of
from models.rules.segments import segment
from models.rules.validity import expiry
from models.session import Database
from workflows.names import SEND_SMS
from workflows.starting import SendStart

FARTHEST: Final = timedelta(days=30)
"""How far ahead a send may be scheduled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The send that answers a request: a new one, or the one its key stands for."""

    message_id: int
    merchant: str
    channel: Channel
    status: MessageStatus
    replayed: bool


class _RolledBack(Exception):
    """Leaves the transaction without a trace; carries why nothing was accepted."""

    def __init__(self, reason: KeyTaken | NotFunded) -> None:
        self.reason = reason


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sending:
    """Turns a request into a funded message and sets its workflow going."""

    def __init__(
        self,
        database: Database,
        starter: WorkflowStarter,
        *,
        sweep_grace: timedelta,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._database = database
        self._starter = starter
        self._sweep_grace = sweep_grace
        self._clock = clock

    async def accept_sms(
        self, caller: Caller, order: V1OmniSmsSendRequest, request: IdempotentRequest
    ) -> Accepted:
        """Accept one SMS, or answer with the one this key stands for.

        Raises:
            IdempotencyKeyReused, InvalidPhoneNumber, MessageTooLong, ValidationFailed,
            MerchantNotFound, MerchantInactive, ConsentOptedOut, ConsentRequired,
            SenderNotRegistered, InsufficientCredits.
        """
        known = await self._known(caller, SEND_SMS, request)
        if known is not None:
            return known
        now = self._clock()
        to = e164(order.to)
        units = segment(order.message).segments
        due_at = _due(order.send_at, now)
        policy = await self._policy(caller, order.merchant_id, Channel.SMS, to)
        _permit(policy, order.type)
        message = NewMessage(
            tenant_id=caller.tenant_id,
            merchant_id=policy.merchant_id,
            channel=Channel.SMS,
            type=order.type,
            to_key=to,
            to_contact=to,
            sender=policy.sender or "",
            body=order.message,
            attributes=order.metadata or {},
            operation=SEND_SMS,
            scope=request.scope,
            idempotency_key=request.key,
            fingerprint=request.fingerprint,
            units=units,
            month=month_of(now),
            accepted_at=now,
            due_at=due_at,
            expires_at=expiry(order.type, due_at, _seconds(order.valid_for_seconds)),
            sweep_at=now + self._sweep_grace,
        )
        return await self._accept(caller, message, order.merchant_id, request)

    async def _accept(
        self, caller: Caller, message: NewMessage, merchant: str, request: IdempotentRequest
    ) -> Accepted:
        try:
            async with self._database.transaction() as db:
                outcome = await acceptance.accept(db, message)
                if not isinstance(outcome, AcceptedMessage):
                    raise _RolledBack(outcome)
        except _RolledBack as rolled_back:
            return await self._lost(caller, message, request, rolled_back.reason)
        send = _start(message, outcome.message_id, merchant)
        logs.message_id.set(outcome.message_id)
        logs.workflow_id.set(send.workflow_id)
        await self._starter.start(send)
        waiting = message.due_at > message.accepted_at
        return Accepted(
            message_id=outcome.message_id,
            merchant=merchant,
            channel=message.channel,
            status=MessageStatus.SCHEDULED if waiting else MessageStatus.QUEUED,
            replayed=False,
        )

    async def _lost(
        self,
        caller: Caller,
        message: NewMessage,
        request: IdempotentRequest,
        reason: KeyTaken | NotFunded,
    ) -> Accepted:
        """Answer from the winner's row, if the key has one by now; it may have taken the funds."""
        known = await self._known(caller, message.operation, request)
        if known is not None:
            return known
        if isinstance(reason, NotFunded):
            raise InsufficientCredits(
                f"{message.units} units are needed, {reason.available} are available."
            )
        raise TemporarilyUnavailable("The first request with this key is still under way.")

    async def _known(
        self, caller: Caller, operation: str, request: IdempotentRequest
    ) -> Accepted | None:
        if request.key is None:
            return None
        async with self._database.read() as db:
            known = await acceptance.find_known(
                db,
                tenant_id=caller.tenant_id,
                operation=operation,
                scope=request.scope,
                key=request.key,
            )
        if known is None:
            return None
        if known.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused
        logs.message_id.set(known.message_id)
        if not known.completed:
            await self._starter.start(_restart(caller, operation, request, known))
        return Accepted(
            message_id=known.message_id,
            merchant=known.merchant,
            channel=known.channel,
            status=known.status,
            replayed=True,
        )

    async def _policy(
        self, caller: Caller, merchant: str, channel: Channel, contact_key: str
    ) -> SendPolicy:
        if caller.merchant is not None and caller.merchant != merchant:
            raise MerchantNotFound
        async with self._database.read() as db:
            policy = await acceptance.find_policy(
                db,
                tenant_id=caller.tenant_id,
                merchant=merchant,
                channel=channel,
                contact_key=contact_key,
            )
        if policy is None:
            raise MerchantNotFound
        return policy


def _permit(policy: SendPolicy, message_type: MessageType) -> None:
    """Raise what policy forbids this send for."""
    error: HexavoxError | None = None
    forbidden = consent_forbids(message_type, policy.consent)
    if not policy.active:
        error = refusal(ErrorCode.MERCHANT_INACTIVE)
    elif forbidden is not None:
        error = refusal(forbidden)
    elif policy.sender is None:
        error = SenderNotRegistered()
    if error is not None:
        raise error


def _due(send_at: datetime | None, now: datetime) -> datetime:
    """Return when a message is due; a time in the past means now."""
    if send_at is None or send_at <= now:
        return now
    if send_at > now + FARTHEST:
        raise ValidationFailed(errors=(("sendAt", f"at most {FARTHEST.days} days ahead"),))
    return send_at


def _seconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


def _start(message: NewMessage, message_id: int, merchant: str) -> SendStart:
    return SendStart(
        tenant_id=message.tenant_id,
        message_id=message_id,
        merchant_id=message.merchant_id,
        merchant=merchant,
        channel=message.channel,
        type=message.type,
        operation=message.operation,
        scope=message.scope,
        idempotency_key=message.idempotency_key,
    )


def _restart(
    caller: Caller, operation: str, request: IdempotentRequest, known: KnownSend
) -> SendStart:
    return SendStart(
        tenant_id=caller.tenant_id,
        message_id=known.message_id,
        merchant_id=known.merchant_id,
        merchant=known.merchant,
        channel=known.channel,
        type=known.type,
        operation=operation,
        scope=request.scope,
        idempotency_key=request.key,
    )
