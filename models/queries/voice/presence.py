"""Queries for the presence that clients post for SIP users."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.queries.tenants.visibility import CallerScope, visible_voice_users
from models.session import ReadSession, WriteSession
from models.tables.voice import VoiceCredential, VoicePresence

User: TypeAlias = tuple[VoiceCredential, VoicePresence | None, str]
"""A SIP user, its posted presence, and its merchant's external id."""


async def list_users(
    db: ReadSession, scope: CallerScope, *, after: int | None, most: int
) -> Sequence[User]:
    """Return SIP users, the newest first; `after` is the last id of the previous page."""
    statement = visible_voice_users(scope).order_by(col(VoiceCredential.id).desc())
    if after is not None:
        statement = statement.where(col(VoiceCredential.id) < after)
    rows = await db.execute(statement.limit(most))
    return [(user, posted, merchant) for user, posted, merchant in rows]


async def find_posted(db: ReadSession, user: VoiceCredential) -> VoicePresence | None:
    """Return the last posted presence of a user; None if there is none."""
    statement = select(VoicePresence).where(
        col(VoicePresence.tenant_id) == user.tenant_id,
        col(VoicePresence.credential_id) == user.id,
    )
    return (await db.scalars(statement)).one_or_none()


async def write_posted(
    db: WriteSession, user: VoiceCredential, told: Mapping[str, Any]
) -> VoicePresence:
    """Upsert the posted presence of a user."""
    statement = (
        insert(VoicePresence)
        .values(tenant_id=user.tenant_id, credential_id=user.id, **told)
        .on_conflict_do_update(index_elements=["tenant_id", "credential_id"], set_=told)
        .returning(VoicePresence)
    )
    return (await db.scalars(statement)).one()
