"""Makes one attempt of a delivery: signs it, posts it, and says what came of it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from models.enums import WebhookDeliveryError, WebhookFailureReason
from models.queries.webhooks.deliveries_due import Endpoint
from providers.webhooks.results import WebhookBusy, WebhookFailure, WebhookResponse
from providers.webhooks.signing import signed_headers

log = logging.getLogger(__name__)


class Post(Protocol):
    """`WebhookClient.post`."""

    async def __call__(
        self, url: str, headers: Mapping[str, str], body: bytes, *, owner: int
    ) -> WebhookResponse:
        """Send one request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Result of one request; `error` is None if and only if it succeeded."""

    duration_ms: int
    error: str | None = None
    status_code: int | None = None
    response: str | None = field(default=None, repr=False)
    retry_after: timedelta | None = None


async def attempt(
    post: Post,
    endpoint: Endpoint,
    secrets: list[str],
    event_id: int,
    body: bytes,
    *,
    signed_at: datetime,
) -> Attempt:
    """Post an event once; `webhook-id` is the same in every attempt.

    Raises WebhookBusy if nothing was sent.
    """
    headers = signed_headers(secrets, str(event_id), signed_at, body)
    try:
        answer = await post(endpoint.url, headers, body, owner=endpoint.tenant_id)
    except WebhookFailure as failure:
        return Attempt(
            error=failure.reason, status_code=failure.status_code, duration_ms=failure.duration_ms
        )
    except WebhookBusy:
        raise
    except Exception as fault:
        # It counts: an answer that the client can't handle must not be asked for without end.
        log.error("a request to an endpoint failed unexpectedly: %s", type(fault).__name__)
        return Attempt(error=WebhookFailureReason.PROTOCOL, duration_ms=0)
    return Attempt(
        error=None if answer.succeeded else WebhookDeliveryError.HTTP_STATUS,
        status_code=answer.status_code,
        duration_ms=answer.duration_ms,
        response=answer.text,
        retry_after=answer.retry_after if answer.status_code in (429, 503) else None,
    )
