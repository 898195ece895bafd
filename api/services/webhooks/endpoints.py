"""Actions on webhook endpoints: create, read, update, delete, and rotate the secret."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, NoContent, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.http.pagination import Page, Slice
from api.http.public_ids import read_public_id
from api.schemas.webhooks import (
    V1WebhookRequest,
    V1WebhookUpdateRequest,
    WebhookSecretView,
    WebhookView,
)
from models.queries.tenants.cursors import find_cursor_row
from models.queries.tenants.visibility import get_merchant, narrow_scope
from models.queries.webhooks.endpoints import (
    FoundEndpoint,
    find_endpoint,
    hasten_end,
    insert_endpoint,
    list_endpoints,
    lock_endpoints,
)
from models.queries.webhooks.failing_alerts import resolve_failing
from models.rules.webhooks.endpoint_secrets import ROTATION_OVERLAP, EndpointSecrets
from models.rules.webhooks.urls import check_webhook_url
from models.session import Database, ReadSession, WriteSession
from models.tables.base import row_id
from models.tables.merchant import Merchant
from models.tables.webhook import WebhookEndpoint
from models.webhook_errors import TooManyWebhooks, WebhookNotFound

MOST_ENDPOINTS: Final = 50
"""Of the tenant itself, and of each merchant. An event is stored once for each of them."""


class Webhooks:
    """Actions on webhook endpoints.

    Secrets are derived from the server's key and stored nowhere.
    """

    def __init__(
        self, database: Database, key: bytes, clock: Callable[[], datetime], *, local: bool
    ) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._local = local

    async def create(
        self, caller: Caller, order: V1WebhookRequest, request: IdempotentRequest
    ) -> Outcome[WebhookSecretView]:
        """Create an endpoint; the answer has its secret, a replayed one has not.

        Raises MerchantNotFound, TooManyWebhooks, or ValidationFailed for the URL.
        """
        async with self._database.transaction(
            caller.lock_scope(order.merchant_id, request.route)
        ) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(WebhookSecretView.model_validate(stored))
            check_webhook_url(order.url, local=self._local)
            owner = await _owner(db, caller, order.merchant_id)
            endpoint = await self._insert(db, caller, order, owner)
            found = endpoint, None if owner is None else owner.external_id
            return await self._with_secret(db, caller, request, found)

    async def list(self, caller: Caller, merchant_id: str | None, page: Page) -> Slice[WebhookView]:
        """Return a page of endpoints, newest first."""
        async with self._database.read() as db:
            after = await find_cursor_row(db, WebhookEndpoint, caller.tenant_id, page.after_id())
            scope = await narrow_scope(db, caller, merchant_id)
            rows = await list_endpoints(db, scope, after=after, most=page.limit + 1)
        found = page.cut(rows, lambda row: row[0].public_id)
        return Slice([_view(row) for row in found.items], found.end)

    async def get(self, caller: Caller, webhook_id: str) -> WebhookView:
        """Return an endpoint; raises WebhookNotFound."""
        async with self._database.read() as db:
            return _view(await get_endpoint(db, caller, webhook_id))

    async def update(
        self,
        caller: Caller,
        webhook_id: str,
        order: V1WebhookUpdateRequest,
        request: IdempotentRequest,
    ) -> Outcome[WebhookView]:
        """Change the fields that the request contains.

        Raises WebhookNotFound, or ValidationFailed for the URL.
        """
        async with self._database.transaction(caller.lock_scope(None, request.route)) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(WebhookView.model_validate(stored))
            found = await get_endpoint(db, caller, webhook_id, locked=True)
            if "url" in order.model_fields_set:
                check_webhook_url(order.url, local=self._local)
            await self._change(db, found[0], order)
            view = _view(found)
            await store_answer(db, caller, request, view, self._clock())
            return Accepted(view)

    async def delete(
        self, caller: Caller, webhook_id: str, request: IdempotentRequest
    ) -> Outcome[None]:
        """Delete an endpoint; it is 404 from then on. Raises WebhookNotFound.

        Its row stays until housekeeping has deleted its deliveries.
        """
        async with self._database.transaction(caller.lock_scope(None, request.route)) as db:
            if await find_answer(db, caller, request) is not None:
                return Replayed(None)
            endpoint, _ = await get_endpoint(db, caller, webhook_id, locked=True)
            now = self._clock()
            endpoint.active = False
            endpoint.deleted_at = endpoint.updated_at = now
            await db.flush()
            await hasten_end(db, endpoint, now)
            await _resolve_alert(db, endpoint, now)
            await store_answer(db, caller, request, NoContent(), now)
            return Accepted(None)

    async def rotate(
        self, caller: Caller, webhook_id: str, request: IdempotentRequest
    ) -> Outcome[WebhookSecretView]:
        """Give an endpoint a new secret; the previous one signs as well for 24 hours.

        Rotated again within that time, the secret before the previous one is dropped: only the two
        newest sign. A repeated request does not rotate again, and its answer has no secret. Raises
        WebhookNotFound.
        """
        async with self._database.transaction(caller.lock_scope(None, request.route)) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(WebhookSecretView.model_validate(stored))
            found = await get_endpoint(db, caller, webhook_id, locked=True)
            endpoint, now = found[0], self._clock()
            endpoint.secret_version += 1
            endpoint.previous_secret_until = now + ROTATION_OVERLAP
            endpoint.updated_at = now
            return await self._with_secret(db, caller, request, found)

    async def _insert(
        self, db: WriteSession, caller: Caller, order: V1WebhookRequest, owner: Merchant | None
    ) -> WebhookEndpoint:
        merchant_id = 0 if owner is None else row_id(owner.id)
        count = await lock_endpoints(db, tenant_id=caller.tenant_id, merchant_id=merchant_id)
        if count >= MOST_ENDPOINTS:
            raise TooManyWebhooks
        now = self._clock()
        endpoint = WebhookEndpoint(
            tenant_id=caller.tenant_id,
            merchant_id=merchant_id,
            url=order.url,
            events=order.events,
            description=order.description,
            active=order.active,
            created_at=now,
            updated_at=now,
        )
        await insert_endpoint(db, endpoint)
        return endpoint

    async def _change(
        self, db: WriteSession, endpoint: WebhookEndpoint, order: V1WebhookUpdateRequest
    ) -> None:
        """Apply an update. Another URL, or another state, begins without failures."""
        before = endpoint.url, endpoint.active
        for name in order.model_fields_set:
            setattr(endpoint, name, getattr(order, name))
        now = endpoint.updated_at = self._clock()
        if (endpoint.url, endpoint.active) == before:
            return
        if endpoint.active:
            endpoint.disabled_reason = endpoint.disabled_at = None
        if endpoint.disabled_reason is None:
            endpoint.failing_since, endpoint.failures = None, 0
            await db.flush()  # before the event of the alert, which this endpoint may be sent
            await _resolve_alert(db, endpoint, now)
        if not endpoint.active:
            await hasten_end(db, endpoint, now)

    async def _with_secret(
        self, db: WriteSession, caller: Caller, request: IdempotentRequest, found: FoundEndpoint
    ) -> Outcome[WebhookSecretView]:
        """Return the answer with the secret; it is stored without."""
        endpoint = found[0]
        secrets = EndpointSecrets(
            tenant=caller.tenant_public_id,
            endpoint=endpoint.public_id,
            version=endpoint.secret_version,
            previous_until=endpoint.previous_secret_until,
        )
        stored = _view(found)
        await store_answer(db, caller, request, stored, self._clock())
        shown = {**dict(stored), "secret": secrets.current(self._key)}
        return Accepted(WebhookSecretView.model_validate(shown))


async def _resolve_alert(db: WriteSession, endpoint: WebhookEndpoint, now: datetime) -> None:
    await resolve_failing(
        db,
        tenant_id=endpoint.tenant_id,
        merchant_id=endpoint.merchant_id,
        public_id=endpoint.public_id,
        now=now,
    )


async def get_endpoint(
    db: ReadSession | WriteSession, caller: Caller, webhook_id: str, *, locked: bool = False
) -> FoundEndpoint:
    """Return an endpoint that the caller may see; raises WebhookNotFound."""
    public_id = read_public_id(webhook_id)
    if public_id is None:
        raise WebhookNotFound
    found = await find_endpoint(db, caller, public_id, locked=locked)
    if found is None:
        raise WebhookNotFound
    return found


async def _owner(db: WriteSession, caller: Caller, named: str | None) -> Merchant | None:
    """Return the merchant that an endpoint is for; None: the tenant. Raises MerchantNotFound."""
    name = caller.merchant if named is None else named
    return None if name is None else await get_merchant(db, caller, name)


def _view(found: FoundEndpoint) -> WebhookView:
    endpoint, merchant = found
    return WebhookView(
        webhook_id=str(endpoint.public_id),
        url=endpoint.url,
        events=endpoint.events,
        merchant_id=merchant,
        description=endpoint.description,
        active=endpoint.active,
        disabled_reason=endpoint.disabled_reason,
        created_at=endpoint.created_at,
    )
