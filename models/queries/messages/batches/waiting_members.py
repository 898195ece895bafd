"""Finds the messages of a canceled batch that wait to be sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from models.queries.messages.identity import IDENTITY, identity_of
from models.rules.messages.identity import MessageIdentity
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMember:
    """A message that is not being sent, and whether a chunk sends it."""

    identity: MessageIdentity
    in_chunk: bool


_WAITING: Final = text(
    f"""
    SELECT {IDENTITY}, m.chunk_id IS NOT NULL AS in_chunk
      FROM message m
     WHERE m.tenant_id = :tenant_id AND m.batch_id = :batch_id
       AND m.status IN ('QUEUED', 'SCHEDULED') AND m.id > :after
     ORDER BY m.id LIMIT :most
    """  # noqa: S608 - every value is a parameter
)


async def list_waiting(
    db: ReadSession, *, tenant_id: int, batch_id: int, after: int, most: int
) -> Sequence[WaitingMember]:
    """Return messages of a batch that are not being sent, by ascending id."""
    values = {"tenant_id": tenant_id, "batch_id": batch_id, "after": after, "most": most}
    return [
        WaitingMember(identity=identity_of(row), in_chunk=row.in_chunk)
        for row in await db.execute(_WAITING, values)
    ]


_NOTE: Final = text(
    """
    UPDATE batch SET sweep_at = NULL
     WHERE tenant_id = :tenant_id AND id = :batch_id AND decided_at IS NOT NULL
       AND canceled_at IS NOT NULL
    """
)


async def note_canceled(db: WriteSession, *, tenant_id: int, batch_id: int) -> None:
    """Note that no message of a canceled batch waits any more: its workflow has no work left."""
    await db.execute(_NOTE, {"tenant_id": tenant_id, "batch_id": batch_id})
