"""API keys: create, list and delete, within what the caller's own key may do."""

from collections.abc import Callable, Mapping
from datetime import datetime

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, NoContent, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.http.pagination import Page, Slice
from api.http.public_ids import read_public_id
from api.schemas.base import instant
from api.schemas.keys import CreatedKeyView, KeyView, V1KeyRequest
from models.enums import KeyScope
from models.errors import InvalidCredentials, ValidationFailed
from models.key_errors import KeyNotFound, LastAdminKey, ScopeMissing
from models.queries.tenants import api_keys
from models.queries.tenants.cursors import find_cursor_row
from models.queries.tenants.visibility import get_merchant, narrow_scope
from models.rules.tenants.credentials import new_credentials
from models.rules.tenants.key_grants import LATEST_EXPIRY, is_valid_longer, scopes_lacking
from models.session import Database, WriteSession
from models.tables.base import row_id
from models.tables.tenant import ApiKey


class ApiKeys:
    """Actions on API keys."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self, caller: Caller, order: V1KeyRequest, request: IdempotentRequest
    ) -> Outcome[CreatedKeyView]:
        """Create a key. Its secret is stored as a hash only, so that a replay cannot show it.

        Raises:
            ScopeMissing: the new key would have more than the caller's.
            ValidationFailed: it would be expired.
            MerchantNotFound: the caller sees no such merchant.
        """
        merchant_id = order.merchant_id or caller.merchant
        async with self._database.transaction(caller.lock_scope(merchant_id, request.route)) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(CreatedKeyView.model_validate(stored))
            now = self._clock()
            _check_still_usable(caller, await _held(db, caller, caller.key_id), now)
            _check_grant(caller, order, now)
            merchant = None if merchant_id is None else await get_merchant(db, caller, merchant_id)
            credentials = new_credentials()
            key = api_keys.new_key(
                credentials,
                tenant_id=caller.tenant_id,
                merchant_id=None if merchant is None else row_id(merchant.id),
                name=order.name,
                scopes=order.scopes,
                expires_at=order.expires_at,
                now=now,
            )
            await api_keys.add_key(db, key)
            shown = dict(_view(key, merchant_id))
            view = CreatedKeyView(**shown, api_secret=credentials.secret)
            await store_answer(db, caller, request, view, now, without=frozenset({"api_secret"}))
            return Accepted(view)

    async def list(self, caller: Caller, merchant_id: str | None, page: Page) -> Slice[KeyView]:
        """Return a page of the keys that are not deleted, newest first."""
        async with self._database.read() as db:
            after = await find_cursor_row(db, ApiKey, caller.tenant_id, page.after_id())
            scope = await narrow_scope(db, caller, merchant_id)
            rows = await api_keys.list_live_keys(db, scope, after=after, most=page.limit + 1)
        found = page.cut(rows, lambda row: row[0].public_id)
        return Slice([_view(key, merchant) for key, merchant in found.items], found.end)

    async def delete(
        self, caller: Caller, key_id: str, request: IdempotentRequest
    ) -> Outcome[None]:
        """Revoke a key.

        Deletions of a tenant's keys wait for each other, so that two cannot each take the other's
        key for the remaining one.

        Raises:
            KeyNotFound: the caller sees no such key, or it is deleted.
            LastAdminKey: the tenant would be without an admin key earlier than it is now.
        """
        async with self._database.transaction(caller.lock_scope(None, request.route)) as db:
            if await find_answer(db, caller, request) is not None:
                return Replayed(None)
            await api_keys.lock_deletions(db, caller.tenant_id)
            now = self._clock()
            number = await api_keys.find_visible_key(db, caller, _public_id(key_id))
            held = await _held(db, caller, caller.key_id, number or caller.key_id)
            _check_still_usable(caller, held, now)
            if number is None or number not in held:
                raise KeyNotFound
            key = held[number]
            if await _ends_admin(db, key, now):
                raise LastAdminKey
            await api_keys.revoke_key(db, key.tenant_id, key.public_id, now=now)
            await store_answer(db, caller, request, NoContent(), now)
            return Accepted(None)


async def _held(db: WriteSession, caller: Caller, *ids: int) -> Mapping[int, ApiKey]:
    return await api_keys.hold_keys(db, caller.tenant_id, set(ids))


def _check_still_usable(caller: Caller, held: Mapping[int, ApiKey], now: datetime) -> None:
    """Raise InvalidCredentials if the caller's key was revoked since it was cached.

    Otherwise a revoked key could create another one, or delete others, for some seconds. The row
    stays locked, so that a revocation waits for this transaction.
    """
    own = held.get(caller.key_id)
    if own is None or api_keys.is_expired(own, now):
        raise InvalidCredentials


def _check_grant(caller: Caller, order: V1KeyRequest, now: datetime) -> None:
    lacking = scopes_lacking(caller.scopes, order.scopes)
    if lacking:
        raise ScopeMissing(
            f"This API key lacks {', '.join(lacking)}, and a key gives no scope that it has not. "
            "Leave it out, or use a key that has it."
        )
    if order.expires_at is not None:
        _check_expiry(order.expires_at, now)
    if is_valid_longer(order.expires_at, caller.expires_at):
        assert caller.expires_at is not None
        raise ScopeMissing(
            f"This API key expires at {instant(caller.expires_at)}, so it creates no key that is "
            "valid longer. Set expiresAt to that time or an earlier one."
        )


def _check_expiry(expires_at: datetime, now: datetime) -> None:
    reason = None
    if expires_at <= now:
        reason = "must be in the future"
    elif expires_at >= LATEST_EXPIRY:
        reason = f"must be before the year {LATEST_EXPIRY.year}"
    if reason is not None:
        raise ValidationFailed(f"expiresAt {reason}", (("expiresAt", reason),))


async def _ends_admin(db: WriteSession, key: ApiKey, now: datetime) -> bool:
    """Return whether the tenant would lose admin access, or lose it earlier, without this key."""
    if key.merchant_id is not None or KeyScope.ADMIN not in key.scopes:
        return False
    if api_keys.is_expired(key, now):
        return False
    return not await api_keys.has_other_admin_key(db, key)


def _public_id(key_id: str) -> int:
    """Return a key's public id; raises KeyNotFound for a text that is none."""
    public_id = read_public_id(key_id)
    if public_id is None:
        raise KeyNotFound
    return public_id


def _view(key: ApiKey, merchant: str | None) -> KeyView:
    return KeyView(
        key_id=str(key.public_id),
        name=key.name,
        api_key=key.key,
        merchant_id=merchant,
        scopes=[KeyScope(scope) for scope in key.scopes],
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        created_at=key.created_at,
    )
