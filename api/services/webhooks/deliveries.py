"""Actions on the deliveries of a webhook endpoint: list, test, and deliver again."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.http.pagination import Page, Slice
from api.http.public_ids import read_public_id
from api.schemas.webhooks import (
    V1WebhookRedeliverRequest,
    WebhookDeliveryView,
    WebhookRedeliveryView,
)
from api.services.webhooks.endpoints import get_endpoint
from models.enums import WebhookDeliveryStatus
from models.errors import InvalidDateRange
from models.queries.webhooks.deliveries import find_delivery, insert_test_event, list_deliveries
from models.queries.webhooks.expired_deliveries import KEPT_FOR
from models.queries.webhooks.redeliveries import redeliver_one, redeliver_range
from models.session import Database, WriteSession
from models.tables.webhook import WebhookDelivery, WebhookEndpoint
from models.webhook_errors import WebhookDeliveryNotFound, WebhookNotActive

MOST_REDELIVERED: Final = 10_000
"""Deliveries that one request makes pending."""


class WebhookDeliveries:
    """Actions on deliveries. The worker finds what becomes due here."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        *,
        most_redelivered: int = MOST_REDELIVERED,
    ) -> None:
        self._database = database
        self._clock = clock
        self._most = most_redelivered

    async def list(
        self, caller: Caller, webhook_id: str, status: WebhookDeliveryStatus | None, page: Page
    ) -> Slice[WebhookDeliveryView]:
        """Return a page of deliveries, newest first; raises WebhookNotFound."""
        async with self._database.read() as db:
            endpoint, _ = await get_endpoint(db, caller, webhook_id)
            rows = await list_deliveries(
                db, endpoint, status=status, after=page.after_id(), most=page.limit + 1
            )
        found = page.cut(rows, lambda delivery: delivery.public_id)
        return Slice([_view(delivery) for delivery in found.items], found.end)

    async def test(
        self, caller: Caller, webhook_id: str, request: IdempotentRequest
    ) -> Outcome[WebhookDeliveryView]:
        """Send a test event to one endpoint; a repeated request shows how it went.

        Raises WebhookNotFound, WebhookNotActive.
        """
        async with self._database.transaction(caller.lock_scope(None, request.route)) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(await _current(db, caller, stored))
            endpoint, _ = await get_endpoint(db, caller, webhook_id)
            _check_active(endpoint)
            now = self._clock()
            view = _view(await insert_test_event(db, endpoint, now))
            await store_answer(db, caller, request, view, now)
            return Accepted(view)

    async def redeliver(
        self, caller: Caller, webhook_id: str, delivery_id: str, request: IdempotentRequest
    ) -> Outcome[WebhookDeliveryView]:
        """Deliver one event again; a repeated request shows how it went.

        Raises WebhookNotFound, WebhookDeliveryNotFound, WebhookNotActive.
        """
        async with self._database.transaction(caller.lock_scope(None, request.route)) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(await _current(db, caller, stored))
            endpoint, _ = await get_endpoint(db, caller, webhook_id)
            await _get(db, endpoint, delivery_id)
            _check_active(endpoint)
            now = self._clock()
            await redeliver_one(db, endpoint, int(delivery_id), now)
            view = _view(await _get(db, endpoint, delivery_id))
            await store_answer(db, caller, request, view, now)
            return Accepted(view)

    async def redeliver_range(
        self,
        caller: Caller,
        webhook_id: str,
        order: V1WebhookRedeliverRequest,
        request: IdempotentRequest,
    ) -> Outcome[WebhookRedeliveryView]:
        """Deliver the ended deliveries of a range again, the oldest first.

        Raises WebhookNotFound, InvalidDateRange, WebhookNotActive.
        """
        async with self._database.transaction(caller.lock_scope(None, request.route)) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(WebhookRedeliveryView.model_validate(stored))
            endpoint, _ = await get_endpoint(db, caller, webhook_id)
            now = self._clock()
            until = _checked_range(order, now)
            _check_active(endpoint)
            done = await redeliver_range(
                db, endpoint, since=order.since, until=until, most=self._most, now=now
            )
            following = done.next_since
            view = WebhookRedeliveryView(
                count=done.count,
                next_since=None if following is None else _exact(following),
            )
            await store_answer(db, caller, request, view, now)
            return Accepted(view)


def _checked_range(order: V1WebhookRedeliverRequest, now: datetime) -> datetime:
    """Return the end of the range; raises InvalidDateRange."""
    until = now if order.until is None else order.until
    if order.since > until:
        end = "the current time" if order.until is None else "until"
        raise _wrong("since", f"must not be after {end}")
    if now - order.since > KEPT_FOR:
        raise _wrong("since", "must be at most 30 days ago, because deliveries are kept so long")
    return min(until, now)


def _wrong(field: str, reason: str) -> InvalidDateRange:
    return InvalidDateRange(f"{field} {reason}.", ((field, reason),))


def _check_active(endpoint: WebhookEndpoint) -> None:
    if not endpoint.active:
        raise WebhookNotActive


async def _get(db: WriteSession, endpoint: WebhookEndpoint, delivery_id: str) -> WebhookDelivery:
    public_id = read_public_id(delivery_id)
    if public_id is None:
        raise WebhookDeliveryNotFound
    found = await find_delivery(db, endpoint.tenant_id, public_id)
    if found is None or found.endpoint_id != endpoint.id:
        raise WebhookDeliveryNotFound
    return found


async def _current(
    db: WriteSession, caller: Caller, stored: dict[str, object]
) -> WebhookDeliveryView:
    """Return the delivery of a stored answer as it is now; the answer if it was deleted since."""
    answer = WebhookDeliveryView.model_validate(stored)
    found = await find_delivery(db, caller.tenant_id, int(answer.delivery_id))
    return answer if found is None else _view(found)


def _exact(moment: datetime) -> str:
    """Format a moment with microseconds, so that the next range begins exactly there."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _view(delivery: WebhookDelivery) -> WebhookDeliveryView:
    return WebhookDeliveryView(
        delivery_id=str(delivery.public_id),
        event_id=str(delivery.event_id),
        type=delivery.type,
        status=delivery.status,
        attempts=delivery.attempts,
        last_status_code=delivery.last_status_code,
        last_error=delivery.last_error,
        last_duration_ms=delivery.last_duration_ms,
        last_response=delivery.last_response,
        next_attempt_at=delivery.due_at,
        created_at=delivery.created_at,
    )
