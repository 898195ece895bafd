"""One turn of an endpoint: rounds of deliveries, until none is due or the turn's time is over."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from activities.webhooks import attempts
from activities.webhooks.attempts import Attempt, Post
from activities.webhooks.endpoint_health import EndpointHealth
from activities.webhooks.event_bodies import EventBodies
from activities.webhooks.tenant_shares import TenantShares
from activities.webhooks.turn_clock import TurnClock
from models.enums import WebhookDeliveryError, WebhookDeliveryStatus
from models.metrics import WEBHOOK_ATTEMPTS, WEBHOOKS_ENDED
from models.queries.webhooks import deliveries_due, delivery_outcomes
from models.queries.webhooks.deliveries_due import DueDelivery, Endpoint, EndpointKey
from models.queries.webhooks.delivery_outcomes import Outcome
from models.rules.system.failures import caused_by_input
from models.rules.webhooks.endpoint_secrets import EndpointSecrets
from models.rules.webhooks.retry_schedule import next_concurrency, next_gap
from models.session import Database, WriteSession
from providers.webhooks.results import WebhookBusy
from workflows.webhooks.types import DeliverResult

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_AGAIN_AFTER: Final = (0.1, 0.5, 1.0)
"""Seconds before an outcome that could not be stored is written again: without it the event is
sent once more.
"""
_FAILED_AT_ONCE: Final = 500
_LOOK_AGAIN_AFTER: Final = 0.2
"""Seconds."""
_SOON: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a turn needs, shared by all turns of a worker. `key` derives the endpoints' secrets."""

    database: Database
    post: Post
    bodies: EventBodies
    key: bytes = field(repr=False)
    shares: TenantShares = field(default_factory=TenantShares)
    random: Callable[[], float] = random.random
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    """For signatures, whose age receivers check."""
    looks: int = 5
    """How often a turn looks again after a success. The events of a message follow each other
    closely, and ten looks cost less than one start of a workflow."""


class Turn:
    """Attempts the due deliveries of one endpoint, several at once while it works."""

    def __init__(self, tools: Tools, endpoint: EndpointKey, clock: TurnClock) -> None:
        self._tools = tools
        self._database = tools.database
        self._key = endpoint
        self._clock = clock
        self._succeeded = 0
        self._failed = 0
        self._busy = False
        self._looks_left = 0

    async def run(self) -> DeliverResult:
        """Run rounds, unless the tenant's share is in use: then pause without an attempt.

        An attempt whose outcome is not stored is made again by a later turn.
        """
        async with self._database.statement() as db:
            await deliveries_due.keep_awake(db, self._key)
        endpoint = await self._find_endpoint()
        if endpoint is None:
            return self._result(None)
        share = self._tools.shares.turn(endpoint.tenant_id, failing=endpoint.failures > 0)
        with share as pause:
            if pause is not None:
                return self._result(pause, pausing=True)
            return await self._rounds()

    async def _rounds(self) -> DeliverResult:
        while not self._clock.is_over:
            endpoint = await self._find_endpoint()
            if endpoint is None:
                return self._result(None)
            if not endpoint.active:
                return await self._give_up(endpoint)
            if due := await self._due(endpoint):
                pause = await self._round(endpoint, due)
                if pause is not None:
                    return self._result(pause, pausing=True)
                continue
            if self._looks_left > 0:
                self._looks_left -= 1
                await asyncio.sleep(_LOOK_AGAIN_AFTER)
                continue
            next_at = await self._rest()
            if next_at is None:
                return self._result(None)
            if next_at > self._clock.due_until:
                return self._result(next_at - self._clock.now)
        return self._result(timedelta(0))

    def _result(self, next_in: timedelta | None, *, pausing: bool = False) -> DeliverResult:
        return DeliverResult(
            succeeded=self._succeeded, failed=self._failed, next_in=next_in, pausing=pausing
        )

    async def _find_endpoint(self) -> Endpoint | None:
        async with self._database.read() as db:
            return await deliveries_due.find_endpoint(db, self._key)

    async def _rest(self) -> datetime | None:
        async with self._database.statement() as db:
            return await deliveries_due.rest(db, self._key, now=self._clock.due_until)

    async def _due(self, endpoint: Endpoint) -> Sequence[DueDelivery]:
        """Return the deliveries of the next round."""
        async with self._database.read() as db:
            due = await deliveries_due.due_deliveries(
                db, self._key, now=self._clock.due_until, most=endpoint.concurrency
            )
        for row in due:
            if row.blocked:
                await self._write(partial(deliveries_due.let_wait, delivery=row.delivery))
        return [row for row in due if not row.blocked]

    async def _give_up(self, endpoint: Endpoint) -> DeliverResult:
        """Fail what is pending for an endpoint that is not active, in small transactions.

        It ends only when nothing is pending: a row that a transaction has locked to record a later
        event is failed once that one is visible, so that neither stays behind.
        """
        failed = -1
        while failed != 0 and not self._clock.is_over:
            async with self._database.statement() as db:
                failed = await delivery_outcomes.fail_pending(db, endpoint, most=_FAILED_AT_ONCE)
            WEBHOOKS_ENDED.labels(WebhookDeliveryStatus.FAILED).inc(failed)
        async with self._database.read() as db:
            left = await delivery_outcomes.any_pending(db, endpoint)
        if left or await self._rest() is not None:
            return self._result(_SOON, pausing=True)
        return self._result(None)

    async def _round(self, endpoint: Endpoint, due: Sequence[DueDelivery]) -> timedelta | None:
        """Attempt some deliveries at once; return the pause after it, if the endpoint fails.

        The attempts do not affect each other: one whose outcome can't be stored fails the turn
        after the others have ended.
        """
        health, before = EndpointHealth(endpoint), self._failed
        bodies = await self._tools.bodies.render([row.event for row in due])
        ended = await asyncio.gather(
            *(self._deliver(endpoint, health, *one) for one in zip(due, bodies, strict=True)),
            return_exceptions=True,
        )
        for error in ended:
            if error is not None:
                raise error
        if self._busy:
            failing = endpoint.failures > 0
            return self._tools.shares.pause(endpoint.tenant_id, failing=failing)
        if self._failed == before and len(due) == endpoint.concurrency:
            wider = next_concurrency(endpoint.concurrency, failed=False)
            if wider != endpoint.concurrency:
                await self._write(lambda db: delivery_outcomes.set_concurrency(db, endpoint, wider))
        return health.pause(self._clock.now)

    async def _deliver(
        self, endpoint: Endpoint, health: EndpointHealth, due: DueDelivery, body: bytes | None
    ) -> None:
        """Attempt one delivery and store what came of it."""
        if body is None:
            await self._conclude(due, _not_renderable(due))
            return
        if not self._clock.may_post:
            return
        secrets = _secrets_of(endpoint).valid(self._tools.key, self._clock.now)
        try:
            made = await attempts.attempt(
                self._tools.post,
                endpoint,
                secrets,
                due.event.event_id,
                body,
                signed_at=self._tools.clock(),
            )
        except WebhookBusy:
            self._busy = True
            return
        WEBHOOK_ATTEMPTS.labels(made.error or "SUCCEEDED").inc()
        now = self._clock.now
        if made.error is None:
            self._succeeded += 1
            self._looks_left = self._tools.looks
            if health.is_troubled:
                await self._write(lambda db: health.succeeded(db, now))
        else:
            self._failed += 1
            made_so_far = due.delivery.attempts + 1
            await self._write(lambda db: health.failed(db, made, made_so_far, now))
        await self._conclude(due, self._outcome(due, made, now, disabled=health.disabled))

    def _outcome(
        self, due: DueDelivery, made: Attempt, now: datetime, *, disabled: bool
    ) -> Outcome:
        count = due.delivery.attempts + 1
        status, due_at = WebhookDeliveryStatus.SUCCEEDED, None
        if made.error is not None:
            gap = next_gap(count, self._tools.random(), made.retry_after)
            retried = gap is not None and not disabled
            status = WebhookDeliveryStatus.PENDING if retried else WebhookDeliveryStatus.FAILED
            due_at = now + gap if gap is not None and retried else None
        return Outcome(
            status=status,
            attempts=count,
            due_at=due_at,
            attempted_at=now,
            status_code=made.status_code,
            error=made.error,
            duration_ms=made.duration_ms,
            response=made.response,
        )

    async def _conclude(self, due: DueDelivery, outcome: Outcome) -> None:
        now = self._clock.now
        written = await self._write(
            lambda db: delivery_outcomes.conclude(db, due.delivery, outcome, now=now)
        )
        if written and outcome.status is not WebhookDeliveryStatus.PENDING:
            WEBHOOKS_ENDED.labels(outcome.status).inc()

    async def _write(self, write: Callable[[WriteSession], Awaitable[Result]]) -> Result:
        """Run a transaction, again after a lock, a deadlock or a lost connection."""
        for wait in _AGAIN_AFTER:
            try:
                async with self._database.transaction() as db:
                    return await write(db)
            except Exception as error:
                if caused_by_input(error):
                    raise
                log.warning(
                    "an outcome could not be stored yet", extra={"error": type(error).__name__}
                )
            await asyncio.sleep(wait)
        async with self._database.transaction() as db:
            return await write(db)


def _secrets_of(endpoint: Endpoint) -> EndpointSecrets:
    return EndpointSecrets(
        tenant=endpoint.tenant_public_id,
        endpoint=endpoint.public_id,
        version=endpoint.secret_version,
        previous_until=endpoint.previous_secret_until,
    )


def _not_renderable(due: DueDelivery) -> Outcome:
    return Outcome(
        status=WebhookDeliveryStatus.FAILED,
        attempts=due.delivery.attempts,
        error=WebhookDeliveryError.NOT_RENDERABLE,
    )
