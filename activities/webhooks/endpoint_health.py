"""What attempts say about their endpoint: failing, alerted, disabled."""

import logging
from datetime import datetime, timedelta
from typing import Final

from activities.webhooks.attempts import Attempt
from models.enums import WebhookDisabledReason
from models.queries.webhooks import delivery_outcomes, failing_alerts
from models.queries.webhooks.deliveries_due import Endpoint
from models.rules.webhooks.retry_schedule import (
    DISABLED_AFTER,
    calls_for_alert,
    pause_between_attempts,
)
from models.session import WriteSession

log = logging.getLogger(__name__)

_GONE: Final = 410


class EndpointHealth:
    """The health of an endpoint in one turn; what changes is stored.

    It is stored before the outcome of the delivery, so that a worker that is killed in between
    leaves a delivery that is attempted again, and no alert that nothing resolves.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._failures = endpoint.failures
        self._failing_since = endpoint.failing_since
        self._alerted = endpoint.alerted
        self.disabled = False

    @property
    def is_troubled(self) -> bool:
        """Whether a success has something to store."""
        return self._alerted or self._failures > 0 or self._failing_since is not None

    def pause(self, now: datetime) -> timedelta | None:
        """Return the wait before the next attempt; None if there is none."""
        since = self._failing_since
        if self.disabled or since is None:
            return None
        return pause_between_attempts(self._failures, now - since)

    async def succeeded(self, db: WriteSession, now: datetime) -> None:
        """Store a success."""
        await delivery_outcomes.note_success(db, self._endpoint, now)
        self._failures, self._failing_since, self._alerted = 0, None, False

    async def failed(
        self, db: WriteSession, attempted: Attempt, attempts: int, now: datetime
    ) -> None:
        """Store a failed attempt, the n-th of its delivery; alert, and disable the endpoint."""
        noted = await delivery_outcomes.note_failure(db, self._endpoint, now)
        if noted is None:
            return
        self._failures, self._failing_since = noted
        failing_for = now - self._failing_since
        reason = _reason_to_disable(attempted, failing_for)
        if reason is not None:
            await self._disable(db, reason, now)
        if reason is not None or calls_for_alert(attempts, self._failures, failing_for):
            await failing_alerts.raise_failing(
                db, self._endpoint, error=_word(attempted), disabled=reason, now=now
            )
            self._alerted = True

    async def _disable(
        self, db: WriteSession, reason: WebhookDisabledReason, now: datetime
    ) -> None:
        self.disabled = True
        if await delivery_outcomes.disable(db, self._endpoint, reason, now):
            log.warning(
                "a webhook endpoint is disabled",
                extra={
                    "tenant_id": self._endpoint.tenant_id,
                    "endpoint": self._endpoint.public_id,
                    "reason": reason,
                },
            )


def _reason_to_disable(attempted: Attempt, failing_for: timedelta) -> WebhookDisabledReason | None:
    if attempted.status_code == _GONE:
        return WebhookDisabledReason.GONE
    return WebhookDisabledReason.FAILING if failing_for >= DISABLED_AFTER else None


def _word(attempted: Attempt) -> str:
    status = attempted.status_code
    return str(attempted.error) if status is None else f"{attempted.error} {status}"
