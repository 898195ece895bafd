"""Runs turns of an endpoint on a real database, with a real client and a real receiver."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.webhooks.attempts import Post
from activities.webhooks.deliver import WebhookDeliveries
from activities.webhooks.turn import Tools
from models.queries.webhooks.events import StoredEvent
from models.session import Database
from models.tables.webhook import WebhookDelivery, WebhookEndpoint
from providers.webhooks.client import WebhookClient
from tests.factories import Owner, make_message, new_message
from tests.webhook_key import WEBHOOK_KEY
from tests.webhooks.endpoints import deliveries_of, make_endpoint, set_status
from workflows import policies
from workflows.webhooks.types import DeliverResult, DeliverStep

SECOND = timedelta(seconds=1)

START_TO_CLOSE = policies.WEBHOOK_TURN + policies.WEBHOOK_ATTEMPT + 15 * SECOND


class Bodies:
    """Renders type, number and subject, without the database; `gone` events can't be rendered."""

    def __init__(self) -> None:
        self.gone: set[int] = set()

    async def render(self, events: Sequence[StoredEvent]) -> list[bytes | None]:
        """Return the bodies."""
        return [None if event.event_id in self.gone else self._body(event) for event in events]

    def _body(self, event: StoredEvent) -> bytes:
        data = {"subject": event.subject_id, "number": event.number, **event.state}
        return json.dumps({"id": str(event.event_id), "type": event.type, "data": data}).encode()


def client(deadline: float = 15) -> WebhookClient:
    """Return a client that may reach the receiver."""
    return WebhookClient(local=True, deadline=deadline)


@dataclass
class EndpointHarness:
    """One endpoint, whose turns run one after the other on a clock of its own."""

    database: Database
    owner: Owner
    endpoint: WebhookEndpoint
    post: Post
    bodies: Bodies = field(default_factory=Bodies)
    random: float = 0.5
    skipped: timedelta = timedelta(0)
    start_to_close: timedelta = START_TO_CLOSE
    looks: int = 0

    async def turn(self, after: timedelta = timedelta(0)) -> DeliverResult:
        """Run one turn, with the clock so much later than at the previous one."""
        self.skipped += after
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            start_to_close_timeout=self.start_to_close,
        )
        result: DeliverResult = await environment.run(self.step_body, self.step())
        return result

    @property
    def step_body(self) -> Any:
        """The activity."""
        tools = Tools(
            database=self.database,
            post=self.post,
            bodies=self.bodies,
            key=WEBHOOK_KEY,
            random=lambda: self.random,
            looks=self.looks,
        )
        return WebhookDeliveries(tools).deliver_webhooks

    def step(self) -> DeliverStep:
        """Return the input of a turn."""
        assert self.endpoint.id is not None
        return DeliverStep(
            tenant_id=self.endpoint.tenant_id,
            endpoint_id=self.endpoint.id,
            public_id=self.endpoint.public_id,
            at=datetime.now(UTC) + self.skipped,
        )

    async def until_idle(self, *, most: int = 100, hours: float = 0) -> int:
        """Run turns, skipping their waits, until none is pending or so many hours are skipped.

        Returns the number of turns.
        """
        limit = self.skipped + timedelta(hours=hours)
        for number in range(1, most + 1):
            result = await self.turn()
            if result.next_in is None or self.skipped + result.next_in > limit:
                return number
            self.skipped += result.next_in
        raise AssertionError(f"not idle after {most} turns")

    async def message(self, *statuses: str) -> int:
        """Accept a message and let it reach these statuses; return its row id."""
        message = await make_message(self.database, new_message(self.owner))
        for status in statuses:
            await set_status(self.database, self.owner.tenant_id, message, status)
        return message

    async def deliveries(self) -> list[WebhookDelivery]:
        """Return the deliveries, in the order of their ids."""
        return await deliveries_of(self.database, self.endpoint)

    async def only(self) -> WebhookDelivery:
        """Return the one delivery that there is."""
        (delivery,) = await self.deliveries()
        return delivery

    async def reload(self) -> WebhookEndpoint:
        """Return the endpoint as it is stored."""
        async with self.database.read() as db:
            found = await db.get(WebhookEndpoint, (self.endpoint.tenant_id, self.endpoint.id))
        assert found is not None
        return found

    async def set(self, **columns: Any) -> None:
        """Change columns of the endpoint."""
        changes = ", ".join(f"{name} = :{name}" for name in columns)
        await self.write(
            f"UPDATE webhook_endpoint SET {changes} WHERE tenant_id = :tenant AND id = :endpoint",
            **columns,
        )

    async def write(self, statement: str, **values: Any) -> None:
        """Execute a statement about the endpoint."""
        ids = {"tenant": self.endpoint.tenant_id, "endpoint": self.endpoint.id}
        async with self.database.transaction() as db:
            await db.execute(text(statement), {**ids, **values})

    async def alerts(self) -> list[tuple[str, int, str, bool]]:
        """Return severity, count, message and openness of the endpoint's alerts."""
        async with self.database.read() as db:
            rows = await db.execute(
                text(
                    "SELECT severity, count, message, resolved_at IS NULL FROM alert"
                    " WHERE tenant_id = :tenant AND type = 'WEBHOOK_FAILING'"
                    " AND subject = :subject ORDER BY id"
                ),
                {
                    "tenant": self.endpoint.tenant_id,
                    "subject": str(self.endpoint.public_id),
                },
            )
            return [(r[0], r[1], r[2], r[3]) for r in rows]


async def make_harness(
    database: Database, owner: Owner, url: str, *, deadline: float = 15, **columns: Any
) -> EndpointHarness:
    """Create an endpoint for all events of messages."""
    endpoint = await make_endpoint(database, owner, url=url, **columns)
    return EndpointHarness(database, owner, endpoint, client(deadline).post)
