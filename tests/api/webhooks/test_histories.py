"""Random histories of endpoints, events, attempts and redeliveries agree with a naive model."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from api.services.webhooks.deliveries import WebhookDeliveries
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.integrator import Integrator, make_integrator, make_merchant, make_message
from tests.api.webhooks.hooks import act, changed, created, refusal, shown
from tests.api.webhooks.outbox_model import Delivery, Due, Endpoint
from tests.webhooks import worker_steps
from tests.webhooks.endpoints import set_status

MOST = 2
"""Deliveries that one request makes pending."""
MOST_OBJECTS = 2
"""Endpoints, and messages: actions meet only if there are few."""
STEPS = ("SENDING", "SENT", "UNKNOWN", "DELIVERED")
NUMBERS = {"SENT": 2, "UNKNOWN": 3, "DELIVERED": 4}
EXAMPLES = int(os.environ.get("WEBHOOK_EXAMPLES", "20"))
LENGTH = 50

WEIGHTS = {
    "create": 2,
    "accept": 2,
    "step": 8,
    "test": 2,
    "attempt": 14,
    "set_active": 4,
    "fail_pending": 1,
    "redeliver_one": 8,
    "redeliver_all": 5,
    "delete": 1,
}
"""How often each action is taken, relative to the others."""


@pytest.fixture
def few_at_once(app: FastAPI, database: Database) -> Iterator[None]:
    """The service with a small limit per request."""
    with restored(app):
        service = WebhookDeliveries(database, lambda: datetime.now(UTC), most_redelivered=MOST)
        put_in(app, "webhooks", deliveries=service)
        yield


@dataclass
class History:
    """A tenant with two merchants, and the model of it."""

    database: Database
    who: Integrator
    merchants: dict[str, int]
    random: Random
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    messages: list[tuple[str, int, int]] = field(default_factory=list)
    """Merchant, row id and number of steps made."""

    async def create(self) -> None:
        """Create an endpoint, if there are few."""
        if len(self.endpoints) >= MOST_OBJECTS:
            return
        merchant = self.random.choice([None, None, "gym-a", "gym-b"])
        events = self.random.choice([[], [], ["message.sent", "message.delivered"]])
        active = self.random.random() < 0.8
        given = {"merchantId": merchant, "events": events, "active": active}
        view = await created(self.who, **given)
        self.endpoints[view["webhookId"]] = Endpoint(merchant, events, active)

    async def accept(self) -> None:
        """Accept a message, if there are few."""
        if len(self.messages) >= MOST_OBJECTS:
            return
        merchant = self.random.choice(["gym-a", "gym-b"])
        row = await make_message(self.database, self.who.tenant_id, self.merchants[merchant])
        self.messages.append((merchant, row, 0))
        self._record(merchant, row, 1, "message.accepted")

    async def step(self) -> None:
        """Write the next status of a message."""
        if not self.messages:
            return
        place = self.random.randrange(len(self.messages))
        merchant, row, made = self.messages[place]
        if made < len(STEPS):
            status = STEPS[made]
            await set_status(self.database, self.who.tenant_id, row, status)
            self.messages[place] = merchant, row, made + 1
            if status in NUMBERS:
                self._record(merchant, row, NUMBERS[status], f"message.{status.lower()}")

    async def test(self) -> None:
        """Send a test event."""
        webhook_id, endpoint = self._chosen()
        answer = await act(self.who, "POST", f"{webhook_id}/test")
        self._expect(answer, endpoint.test())

    async def attempt(self) -> None:
        """Attempt what is due first, as the worker does; it lets a blocked delivery wait."""
        webhook_id, endpoint = self._chosen()
        due = [delivery for delivery in endpoint.deliveries if delivery.due is Due.NOW]
        if not due or not endpoint.active:
            return
        delivery_id = await self._id_of(webhook_id, endpoint, due[0])
        outcome = self.random.choice(["SUCCEEDED", "SUCCEEDED", "FAILED", "PENDING"])
        if endpoint.is_blocked(due[0]):
            due[0].due = Due.NEVER
            await worker_steps.let_wait(self.database, delivery_id)
        else:
            endpoint.end(due[0], outcome)
            await worker_steps.end(self.database, delivery_id, outcome)

    async def set_active(self) -> None:
        """Make an endpoint active or inactive."""
        webhook_id, endpoint = self._chosen()
        active = not endpoint.active or self.random.random() < 0.2
        await changed(self.who, webhook_id, active=active)
        if endpoint.active and not active:
            endpoint.deactivate()
        endpoint.active = active

    async def fail_pending(self) -> None:
        """Let the worker look at an inactive endpoint."""
        webhook_id, endpoint = self._chosen()
        if not endpoint.active:
            endpoint.fail_pending()
            await worker_steps.fail_pending(self.database, webhook_id)

    async def redeliver_one(self) -> None:
        """Request one delivery again."""
        webhook_id, endpoint = self._chosen()
        if not endpoint.deliveries:
            return
        delivery = self.random.choice(endpoint.deliveries)
        delivery_id = await self._id_of(webhook_id, endpoint, delivery)
        answer = await act(self.who, "POST", f"{webhook_id}/deliveries/{delivery_id}/redeliver")
        self._expect(answer, endpoint.active)
        if endpoint.active and (not delivery.is_pending or delivery.due is Due.LATER):
            endpoint.redeliver([delivery])

    async def redeliver_all(self) -> None:
        """Request the oldest deliveries again."""
        webhook_id, endpoint = self._chosen()
        body = {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
        answer = await self.who.post(f"/webhooks/{webhook_id}/redeliver", body)
        self._expect(answer, endpoint.active)
        if endpoint.active:
            ended = [delivery for delivery in endpoint.deliveries if not delivery.is_pending]
            endpoint.redeliver(ended[:MOST])
            assert answer.json()["count"] == len(ended[:MOST])
            assert (answer.json()["nextSince"] is None) is (len(ended) <= MOST)

    async def delete(self) -> None:
        """Delete an endpoint."""
        webhook_id, _ = self._chosen()
        assert (await act(self.who, "DELETE", webhook_id)).status_code == 204
        del self.endpoints[webhook_id]

    async def check(self) -> None:
        """Compare what the API shows with the model."""
        listed = {v["webhookId"]: v["active"] for v in (await self.who.get("/webhooks")).json()}
        assert listed == {id: endpoint.active for id, endpoint in self.endpoints.items()}
        for webhook_id, endpoint in self.endpoints.items():
            views = await shown(self.who, webhook_id, limit="500")
            seen = [_seen(view) for view in reversed(views)]
            assert seen == [delivery.seen() for delivery in endpoint.deliveries]

    def _record(self, merchant: str, row: int, number: int, type: str) -> None:
        for endpoint in self.endpoints.values():
            endpoint.record(merchant, str(row), number, type)

    def _chosen(self) -> tuple[str, Endpoint]:
        return self.random.choice(list(self.endpoints.items()))

    async def _id_of(self, webhook_id: str, endpoint: Endpoint, delivery: Delivery) -> str:
        views = await shown(self.who, webhook_id, limit="500")
        place = next(i for i, one in enumerate(endpoint.deliveries) if one is delivery)
        return str(views[len(views) - 1 - place]["deliveryId"])

    def _expect(self, answer: httpx.Response, accepted: bool) -> None:
        if accepted:
            assert answer.status_code == 200, answer.text
        else:
            assert refusal(answer) == (409, "WEBHOOK_NOT_ACTIVE")


def _seen(view: dict[str, Any]) -> tuple[str, str, int, Due]:
    due = Due.NEVER
    if view["nextAttemptAt"] is not None:
        at = datetime.fromisoformat(view["nextAttemptAt"])
        due = Due.LATER if at > datetime.now(UTC) + timedelta(minutes=1) else Due.NOW
    return view["type"], view["status"], view["attempts"], due


@pytest.mark.timeout(60 + 10 * EXAMPLES)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@seed(15)
@given(start=st.integers(0, 2**32))
async def test_every_history_agrees_with_the_model(
    database: Database, client: httpx.AsyncClient, few_at_once: None, start: int
) -> None:
    who = await make_integrator(database, client)
    merchants = {
        name: await make_merchant(database, who.tenant_id, name) for name in ("gym-a", "gym-b")
    }
    history = History(database, who, merchants, Random(start))
    actions = history.random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=LENGTH)
    for name in ("create", "accept", "accept", *actions):
        if history.endpoints or name in ("create", "accept", "step"):
            await getattr(history, name)()
        if name.startswith(("redeliver", "set_active")):
            await history.check()
    await history.check()
