"""Calls of the API of webhooks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from models.session import Database
from tests.api.integrator import Integrator, make_merchant, make_message
from tests.webhooks.endpoints import set_status
from tests.webhooks.worker_steps import end

STEPS = ("SENDING", "SENT", "DELIVERED")
URL = "https://hooks.example.com/in?of=gym-a"


async def created(who: Integrator, **given: Any) -> dict[str, Any]:
    """Create an endpoint; return its first answer."""
    answer = await who.post("/webhooks", {"url": URL, **given})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def changed(who: Integrator, webhook_id: str, **given: Any) -> dict[str, Any]:
    """Update an endpoint; return the answer."""
    answer = await who.post(f"/webhooks/{webhook_id}", given)
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def shown(who: Integrator, webhook_id: str, **query: str) -> list[dict[str, Any]]:
    """Return the deliveries of an endpoint, newest first."""
    answer = await who.get(f"/webhooks/{webhook_id}/deliveries", **query)
    assert answer.status_code == 200, answer.text
    views: list[dict[str, Any]] = answer.json()
    return views


async def pages(who: Integrator, path: str, **query: str) -> list[list[dict[str, Any]]]:
    """Return every page of a list."""
    found = []
    while True:
        answer = await who.get(path, **query)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        if "next" not in answer.links:
            return found
        query["cursor"] = httpx.URL(answer.links["next"]["url"]).params["cursor"]


async def act(who: Integrator, method: str, path: str, key: str | None = None) -> httpx.Response:
    """Send a request without a body."""
    extra = {} if key is None else {"Idempotency-Key": key}
    return await who.client.request(
        method, f"/api/v1/webhooks/{path}", headers={**who.headers, **extra}
    )


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of a refused request."""
    return answer.status_code, answer.json()["code"]


async def sent(database: Database, who: Integrator, steps: tuple[str, ...] = STEPS) -> None:
    """Let a message of a new merchant go through steps; three of them are told."""
    name = f"m-{datetime.now(UTC).timestamp()}"
    merchant = await make_merchant(database, who.tenant_id, name)
    message = await make_message(database, who.tenant_id, merchant)
    for step in steps:
        await set_status(database, who.tenant_id, message, step)


async def end_all(database: Database, who: Integrator, webhook_id: str, status: str) -> None:
    """End what is pending at an endpoint, in order."""
    for view in reversed(await shown(who, webhook_id, status="PENDING")):
        await end(database, view["deliveryId"], status)


def facts(views: list[dict[str, Any]]) -> list[tuple[str, str, int, bool]]:
    """Return type, status, attempts and whether an attempt follows, the oldest first."""
    return [
        (v["type"].removeprefix("message."), v["status"], v["attempts"], bool(v["nextAttemptAt"]))
        for v in reversed(views)
    ]


def since_yesterday() -> dict[str, str]:
    """Return a range that begins a day ago."""
    return {"since": (datetime.now(UTC) - timedelta(days=1)).isoformat()}
