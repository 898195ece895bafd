"""Identities of batches and chunks, by which their workflows are started."""

from dataclasses import dataclass
from datetime import datetime

from models.enums import Channel, MessageType
from models.rules.messages.operations import SEND_BATCH
from models.rules.workflow_ids import keyed_workflow_id


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStart:
    """Data of a batch that its workflow is started with: ids and enum values only."""

    tenant_id: int
    tenant_public_id: int
    batch_id: int
    """Row id, for statements and activities."""
    public_id: int
    """Random id, shown to integrators and in Temporal's search attributes."""
    merchant_id: int
    """Row id."""
    merchant: str
    """The integrator's id of the merchant."""
    channel: Channel
    total: int
    """Number of lines."""
    scope: str
    """Public id of the merchant for a merchant's API key, else empty."""
    idempotency_key: str | None

    @property
    def workflow_id(self) -> str:
        """Id of its workflow; every retry of its request gets the same id."""
        return keyed_workflow_id(
            SEND_BATCH,
            self.tenant_public_id,
            self.scope,
            self.idempotency_key,
            self.public_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkStart:
    """Data of a chunk that its workflow is started with: ids, enum values and times only."""

    tenant_id: int
    tenant_public_id: int
    chunk_id: int
    """Row id, for statements and activities."""
    public_id: int
    """Random id, shown in Temporal's search attributes."""
    merchant_id: int
    """Row id."""
    merchant: str
    """The integrator's id of the merchant."""
    channel: Channel
    type: MessageType
    due_at: datetime
    members: int
    """Number of its messages when it was created."""

    @property
    def workflow_id(self) -> str:
        """Id of its workflow; at most one such workflow runs at a time."""
        return f"send-chunk/{self.tenant_public_id}/{self.public_id}"
