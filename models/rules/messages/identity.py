"""Identity of a message: its row, its Idempotency-Key and its workflow."""

from dataclasses import dataclass

from models.enums import Channel, MessageType
from models.rules.workflow_ids import keyed_workflow_id


@dataclass(frozen=True, slots=True, kw_only=True)
class SendKey:
    """An Idempotency-Key of a send; it identifies at most one message."""

    tenant_id: int
    operation: str
    """A value of `models.rules.messages.operations`."""
    scope: str
    """Public id of the merchant for a merchant's API key, else empty."""
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIdentity:
    """Ids and owner of a message, and the request that created it."""

    tenant_id: int
    tenant_public_id: int
    message_id: int
    """Row id, for statements and activities."""
    public_id: int
    """Random id, shown to integrators and in Temporal's search attributes."""
    merchant_id: int
    """0 for direct e-mail of the tenant itself."""
    operation: str
    scope: str
    idempotency_key: str | None

    @property
    def workflow_id(self) -> str:
        """Id of its workflow; every retry of its request gets the same id."""
        return keyed_workflow_id(
            self.operation,
            self.tenant_public_id,
            self.scope,
            self.idempotency_key,
            self.public_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SendStart(MessageIdentity):
    """Data of a message that its workflow is started with: ids and enum values only."""

    merchant: str
    """The integrator's id of the merchant; empty for the tenant itself."""
    channel: Channel
    type: MessageType
    chunk_id: int | None = None
    """Row id of the chunk that sends it; then no workflow of its own is to be started."""
