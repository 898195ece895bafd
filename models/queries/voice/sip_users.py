"""Creates a merchant's SIP user and changes its password. Safe under concurrent requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.rules.voice.sip import SipSecrets, digest_ha1, username_of
from models.session import ReadSession, WriteSession
from models.tables.base import NEW_PUBLIC_ID
from models.tables.voice import VoiceCredential

_FIRST = 1

_DRAW = text(
    f"""
    SELECT {NEW_PUBLIC_ID} AS drawn, t.public_id AS tenant, m.public_id AS merchant
      FROM tenant t JOIN merchant m ON m.tenant_id = t.id AND m.id = :merchant_id
     WHERE t.id = :tenant_id
    """  # noqa: S608 - every value is a parameter
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsyncedUser:
    """A version of a SIP user that is not written to the directory yet."""

    tenant_id: int
    credential_id: int
    public_id: int
    version: int


async def find_user(
    db: ReadSession | WriteSession, *, tenant_id: int, merchant_id: int, locked: bool = False
) -> VoiceCredential | None:
    """Return a merchant's SIP user; None if it has none."""
    statement = select(VoiceCredential).where(
        col(VoiceCredential.tenant_id) == tenant_id,
        col(VoiceCredential.merchant_id) == merchant_id,
    )
    if locked:
        statement = statement.with_for_update(key_share=True)
    return (await db.scalars(statement)).one_or_none()


async def find_user_by_id(
    db: ReadSession, *, tenant_id: int, credential_id: int
) -> VoiceCredential | None:
    """Return a SIP user by its row id; None if there is none."""
    statement = select(VoiceCredential).where(
        col(VoiceCredential.tenant_id) == tenant_id,
        col(VoiceCredential.id) == credential_id,
    )
    return (await db.scalars(statement)).one_or_none()


async def mark_synced(db: WriteSession, user: VoiceCredential) -> bool:
    """Record that the directory has the user's version; False if that version is not current."""
    statement = (
        update(VoiceCredential)
        .where(
            col(VoiceCredential.tenant_id) == user.tenant_id,
            col(VoiceCredential.id) == user.id,
            col(VoiceCredential.version) == user.version,
        )
        .values(pushed_version=user.version)
        .returning(col(VoiceCredential.id))
    )
    return (await db.scalars(statement)).one_or_none() is not None


async def make_user(
    db: WriteSession,
    secrets: SipSecrets,
    *,
    tenant_id: int,
    merchant_id: int,
    realm: str,
    now: datetime,
) -> VoiceCredential | None:
    """Insert a merchant's SIP user; None if it has one. Of concurrent calls only one inserts.

    The public id is drawn first because the password is derived from it.
    """
    owner = {"tenant_id": tenant_id, "merchant_id": merchant_id}
    row = (await db.execute(_DRAW, owner)).one()
    username = username_of(row.tenant, row.merchant)
    password = secrets.password(tenant_id=tenant_id, user=row.drawn, version=_FIRST)
    statement = (
        insert(VoiceCredential)
        .values(
            tenant_id=tenant_id,
            public_id=row.drawn,
            merchant_id=merchant_id,
            username=username,
            realm=realm,
            ha1=digest_ha1(username, realm, password),
            version=_FIRST,
            pushed_version=0,
            created_at=now,
            changed_at=now,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "merchant_id"])
        .returning(VoiceCredential)
    )
    return (await db.scalars(statement)).one_or_none()


async def find_unsynced(
    db: ReadSession, *, before: datetime, after: UnsyncedUser | None, most: int
) -> Sequence[UnsyncedUser]:
    """Return users of all tenants with an unsynced version that is older than `before`.

    Ordered by key; `after` is the last one of the previous page.
    """
    tenant, user = col(VoiceCredential.tenant_id), col(VoiceCredential.id)
    key = tuple_(tenant, user)
    statement = (
        select(tenant, user, col(VoiceCredential.public_id), col(VoiceCredential.version))
        .where(
            col(VoiceCredential.pushed_version) < col(VoiceCredential.version),
            col(VoiceCredential.changed_at) < before,
        )
        .order_by(tenant, user)
        .limit(most)
    )
    if after is not None:
        statement = statement.where(key > (after.tenant_id, after.credential_id))
    return [
        UnsyncedUser(
            tenant_id=tenant_id, credential_id=credential_id, public_id=public_id, version=version
        )
        for tenant_id, credential_id, public_id, version in await db.execute(statement)
        if credential_id is not None
    ]


def password_of(user: VoiceCredential, secrets: SipSecrets) -> str:
    """Return the password of the user's version."""
    return secrets.password(tenant_id=user.tenant_id, user=user.public_id, version=user.version)


def is_current(user: VoiceCredential, secrets: SipSecrets, realm: str) -> bool:
    """Return whether the stored HA1 belongs to the password that would be shown."""
    shown = digest_ha1(user.username, realm, password_of(user, secrets))
    return user.realm == realm and user.ha1 == shown


def renew(user: VoiceCredential, secrets: SipSecrets, realm: str, now: datetime) -> None:
    """Give a user the next version of its password; the row must be locked."""
    user.version += 1
    user.realm = realm
    user.ha1 = digest_ha1(user.username, realm, password_of(user, secrets))
    user.changed_at = now
