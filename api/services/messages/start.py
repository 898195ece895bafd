"""How the workflow of a message that was just accepted is started."""

from models.queries.messages.acceptance import AcceptedMessage, NewMessage
from models.rules.messages.identity import SendStart


def start_of(message: NewMessage, accepted: AcceptedMessage, merchant: str) -> SendStart:
    """Return what Temporal is told; `merchant` is empty for the tenant itself."""
    return SendStart(
        tenant_id=message.tenant_id,
        message_id=accepted.message_id,
        public_id=accepted.public_id,
        merchant_id=message.merchant_id or 0,
        merchant=merchant,
        channel=message.channel,
        type=message.type,
        operation=message.operation,
        scope=message.scope,
        idempotency_key=message.idempotency_key,
    )
