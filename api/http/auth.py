"""Authenticates requests: an API key and its secret become a Caller, or InvalidCredentials."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Final, TypeVar

from starlette.requests import Request

from api.http.limits.address_buckets import client_address
from api.http.limits.failed_logins import FailedLogins
from api.shared_calls import SharedCalls
from models.database.transaction_limits import LockScope
from models.enums import KeyScope
from models.errors import InvalidCredentials, TemporarilyUnavailable
from models.key_errors import ScopeMissing
from models.queries.tenants.api_keys import find_live_key
from models.queries.tenants.visibility import CallerScope
from models.rules.tenants.allowed_countries import AllowedCountries
from models.rules.tenants.credentials import hash_credential, same_hash
from models.session import Database

API_KEY_HEADER = "X-API-KEY"
SECRET_HEADER = "X-API-SECRET"  # noqa: S105 - the header's name

_FRESH_FOR: Final = 2.0
"""Seconds that a known key is cached; a revoked key must stop working within five."""

_UNKNOWN_FOR: Final = 1.0
"""Seconds that an unknown key is cached; short, because a key may be tried before it is created."""

_MOST_KEYS: Final = 10_000

_MOST_LOOKUPS: Final = 4
"""Concurrent look-ups, so that clients that guess keys cannot take every database connection."""

_PATIENCE: Final = 5.0
"""Seconds to wait for a look-up slot; the same as the wait for a database connection."""

Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller(CallerScope):
    """The authenticated caller and the scope of its data: a tenant, or one merchant of it."""

    key_id: int
    tenant_public_id: int
    merchant_public_id: int | None
    merchant: str | None
    scopes: frozenset[KeyScope] = frozenset()
    expires_at: datetime | None = None
    countries: AllowedCountries = field(default_factory=AllowedCountries)
    """Where the tenant's texts and calls may go."""

    def check_scope(self, required: KeyScope) -> None:
        """Raise ScopeMissing if the key lacks a scope."""
        if required not in self.scopes:
            raise ScopeMissing(
                f"This API key lacks the scope {required}. Use a key that has it; "
                "POST /api/v1/keys creates one."
            )

    def lock_scope(self, merchant: str | None = None, work: str = "") -> LockScope:
        """Return the scope of the lock that a transaction about a merchant or the tenant takes.

        A merchant-scoped key always locks its own merchant, whichever merchant the request names.
        """
        return LockScope(self.tenant_id, self.merchant or merchant, work)


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    secret_hash: str
    until: float

    def is_expired(self, now: datetime) -> bool:
        """Return whether the key has expired since it was looked up."""
        return self.caller.expires_at is not None and self.caller.expires_at <= now

    def has(self, secret_hash: str) -> bool:
        """Return whether the secret is right; a wrong one needs no look-up, because secrets never
        change.
        """
        return same_hash(secret_hash, self.secret_hash)


class Authenticator:
    """Authenticates keys, with a cache of known and of unknown ones.

    A known key is looked up again after two seconds, so that a revocation takes effect. An unknown
    key is looked up at most once a second. An address that exceeds its limit of unknown keys gets
    no more look-ups. A cached key with the right secret is accepted whatever other clients do.
    """

    def __init__(
        self, database: Database, failures: FailedLogins, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._failures = failures
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._asking = SharedCalls[str, _Known | None]()
        self._lookups = asyncio.Semaphore(_MOST_LOOKUPS)

    async def authenticate(self, request: Request, headers: dict[str, str]) -> Caller:
        """Return the caller. The error is the same whichever part of the credentials is wrong.

        Args:
            request: only its headers and its client's address are read.
            headers: headers of the response, whatever its status.

        Raises:
            InvalidCredentials: missing, unknown, revoked, expired or wrong.
            RateLimited: this address has failed too often.
            TemporarilyUnavailable: no look-up slot was free in time.
        """
        key = _credential(request, API_KEY_HEADER)
        if not key:
            raise InvalidCredentials
        key_hash = hash_credential(key)
        secret_hash = hash_credential(_credential(request, SECRET_HEADER))
        address = client_address(request.scope)
        looked_up = False
        known = self._known.get(key_hash)
        if known is None and not self._is_unknown(key_hash):
            self._failures.check_look_up(address, headers)
            known, looked_up = await self._find(key_hash), True
        elif known is not None and known.until < monotonic() and known.has(secret_hash):
            known, looked_up = await self._find(key_hash), True
        # An unknown key is compared as well, so that both take the same time.
        is_right = same_hash(secret_hash, known.secret_hash if known else "")
        if not is_right or known is None or known.is_expired(self._clock()):
            self._failures.count(address, headers, looked_up=looked_up)
            raise InvalidCredentials
        return known.caller

    def _is_unknown(self, key_hash: str) -> bool:
        return self._unknown.get(key_hash, 0.0) > monotonic()

    async def _find(self, key_hash: str) -> _Known | None:
        """Look a live key up; concurrent requests for the same key share one look-up."""
        return await self._asking.get(key_hash, lambda: self._look_up(key_hash))

    async def _look_up(self, key_hash: str) -> _Known | None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._lookups.acquire()
        except TimeoutError as error:
            raise TemporarilyUnavailable from error
        try:
            asked_at = monotonic()
            async with self._database.read() as db:
                live = await find_live_key(db, key_hash, now=self._clock())
        finally:
            self._lookups.release()
        if live is None:
            self._known.pop(key_hash, None)
            _remember(self._unknown, key_hash, monotonic() + _UNKNOWN_FOR)
            return None
        api_key = live.key
        caller = Caller(
            tenant_id=api_key.tenant_id,
            key_id=api_key.id or 0,
            merchant_id=api_key.merchant_id,
            tenant_public_id=live.tenant_public_id,
            merchant_public_id=live.merchant_public_id,
            merchant=live.merchant,
            scopes=frozenset(map(KeyScope, api_key.scopes)),
            expires_at=api_key.expires_at,
            countries=live.countries,
        )
        known = _Known(caller, api_key.secret_hash, asked_at + _FRESH_FOR)
        _remember(self._known, key_hash, known)
        return known


def _credential(request: Request, header: str) -> str:
    """Return a header's value without surrounding whitespace (RFC 9110, 5.5).

    A header that is given twice counts as missing: two proxies may read it differently.
    """
    given = request.headers.getlist(header)
    return given[0].strip(" \t") if len(given) == 1 else ""


def _remember(known: OrderedDict[str, Fact], key_hash: str, fact: Fact) -> None:
    """Cache a value for a key and evict the oldest one beyond the limit."""
    known[key_hash] = fact
    known.move_to_end(key_hash)
    if len(known) > _MOST_KEYS:
        known.popitem(last=False)
