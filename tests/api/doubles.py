"""Stand-ins for what the API hands work to."""

from dataclasses import dataclass, field

from api.auth import Caller
from api.idempotency import IdempotentRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.services.sending import Accepted
from models.enums import Channel, MessageStatus


@dataclass
class FakeSending:
    """Accepts everything, and remembers what it was asked."""

    orders: list[V1OmniSmsSendRequest] = field(default_factory=list)
    requests: list[IdempotentRequest] = field(default_factory=list)
    status: MessageStatus = MessageStatus.QUEUED
    error: Exception | None = None
    replayed: bool = False

    async def accept_sms(
        self, caller: Caller, order: V1OmniSmsSendRequest, request: IdempotentRequest
    ) -> Accepted:
        """Answer as if message 10441 had been accepted."""
        self.orders.append(order)
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return Accepted(
            message_id=10441,
            merchant=order.merchant_id,
            channel=Channel.SMS,
            status=self.status,
            replayed=self.replayed,
        )
