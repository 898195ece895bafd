"""What identifies a message: its row, its Idempotency-Key and its workflow."""

from dataclasses import dataclass

from models.enums import Channel, MessageType
from models.rules.workflow_ids import keyed_workflow_id


@dataclass(frozen=True, slots=True, kw_only=True)
class SendKey:
    """An Idempotency-Key of a send. It stands for at most one message."""

    tenant_id: int
    operation: str
    """A word of `models.rules.messages.operations`."""
    scope: str
    """Public id of the merchant for a merchant's API key, else empty."""
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIdentity:
    """A message, whose it is, and the request that it was accepted for."""

    tenant_id: int
    tenant_public_id: int
    message_id: int
    """Of its row, for statements and steps."""
    public_id: int
    """Random; what integrators and Temporal's search know it by."""
    merchant_id: int
    """0 for direct e-mail of the tenant itself."""
    operation: str
    scope: str
    idempotency_key: str | None

    @property
    def workflow_id(self) -> str:
        """The id of its workflow: every retry of its request meets there."""
        return keyed_workflow_id(
            self.operation,
            self.tenant_public_id,
            self.scope,
            self.idempotency_key,
            self.public_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SendStart(MessageIdentity):
    """What Temporal is told about a message when its workflow starts: ids and enum values only."""

    merchant: str
    """The integrator's id of the merchant; empty for the tenant itself."""
    channel: Channel
    type: MessageType
