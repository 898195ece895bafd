"""Who is calling: a key and a secret become a Caller, or one and the same refusal."""

from dataclasses import dataclass
from time import monotonic

from sqlalchemy import Select, and_, select
from sqlmodel import col
from starlette.requests import Request

from models.errors import InvalidCredentials
from models.lanes import Lane
from models.rules.credentials import hash_credential, same_hash
from models.session import Database
from models.tables.merchant import Merchant
from models.tables.tenant import ApiKey

KEY_HEADER = "X-API-KEY"
SECRET_HEADER = "X-API-SECRET"  # noqa: S105 - the header's name

_FRESH_FOR = 2.0
"""Seconds; a revoked key must be dead within five."""

_MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose data a request may touch: a tenant's, or only one merchant's of it."""

    tenant_id: int
    key_id: int
    merchant_id: int | None
    merchant: str | None

    def lane(self, merchant: str | None = None, work: str = "") -> Lane:
        """Return in which lane a transaction about a merchant, or the tenant itself, takes turns.

        A merchant's own key stays in that merchant's, whatever name it asks for.
        """
        return Lane(self.tenant_id, self.merchant or merchant, work)


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    secret_hash: str
    until: float


class Authenticator:
    """Knows the keys in use; forgets each after two seconds, so that a revocation is noticed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, _Known] = {}

    async def authenticate(self, request: Request) -> Caller:
        """Return who calls, or raise InvalidCredentials: one answer whatever is wrong."""
        key_hash = hash_credential(_credential(request, KEY_HEADER))
        secret_hash = hash_credential(_credential(request, SECRET_HEADER))
        known = self._known.get(key_hash)
        if known is None or known.until < monotonic():
            known = await self._find(key_hash)
        # An unknown key takes the same comparison as a known one.
        if not same_hash(secret_hash, known.secret_hash if known else "") or known is None:
            raise InvalidCredentials
        return known.caller

    async def _find(self, key_hash: str) -> _Known | None:
        """Look a live key up; only what was found is remembered."""
        asked_at = monotonic()
        async with self._database.read() as db:
            row = (await db.execute(_live_key(key_hash))).one_or_none()
        if row is None:
            self._known.pop(key_hash, None)
            return None
        key, merchant = row
        caller = Caller(
            tenant_id=key.tenant_id,
            key_id=key.id or 0,
            merchant_id=key.merchant_id,
            merchant=merchant,
        )
        if len(self._known) >= _MOST_KEYS:
            self._known.clear()
        known = _Known(caller, key.secret_hash, asked_at + _FRESH_FOR)
        self._known[key_hash] = known
        return known


def _credential(request: Request, header: str) -> str:
    """Return what a header says; whitespace around it is no part of it (RFC 9110, 5.5)."""
    return request.headers.get(header, "").strip(" \t")


def _live_key(key_hash: str) -> Select[ApiKey, str]:
    return (
        select(ApiKey, col(Merchant.external_id))
        .outerjoin(
            Merchant,
            and_(
                col(Merchant.tenant_id) == col(ApiKey.tenant_id),
                col(Merchant.id) == col(ApiKey.merchant_id),
            ),
        )
        .where(col(ApiKey.key_hash) == key_hash, col(ApiKey.revoked_at).is_(None))
    )
