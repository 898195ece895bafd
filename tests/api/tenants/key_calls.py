"""Calls of the API of keys that several tests share."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import update
from sqlmodel import col

from models.session import Database
from models.tables.tenant import ApiKey
from tests.api.integrator import Integrator

ALL = ["send", "read", "billing", "admin"]
NEW: dict[str, Any] = {"name": "Checkout service", "scopes": ["send", "read"]}


async def created(by: Integrator, **facts: Any) -> dict[str, Any]:
    """Create a key and return the answer."""
    answer = await by.post("/keys", {**NEW, **facts})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def use(by: Integrator, made: dict[str, Any]) -> Integrator:
    """Return the same client with a created key."""
    headers = {"X-API-KEY": made["apiKey"], "X-API-SECRET": made["apiSecret"]}
    return replace(by, headers=headers)


async def deleted(by: Integrator, key_id: str, key: str | None = None) -> httpx.Response:
    """Delete a key."""
    extra = {} if key is None else {"Idempotency-Key": key}
    return await by.client.delete(f"/api/v1/keys/{key_id}", headers={**by.headers, **extra})


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code."""
    return answer.status_code, answer.json()["code"]


async def listed(by: Integrator, **query: str) -> list[dict[str, Any]]:
    """Return the listed keys."""
    answer = await by.get("/keys", **query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def own_id(by: Integrator) -> str:
    """Return the id of the first key of a test's tenant."""
    (view,) = [view for view in await listed(by) if view["name"] == "test"]
    return str(view["keyId"])


async def revoke(database: Database, integrator: Integrator) -> None:
    """Revoke an integrator's key as the operator does."""
    async with database.transaction() as db:
        await db.execute(
            update(ApiKey)
            .where(
                col(ApiKey.tenant_id) == integrator.tenant_id, col(ApiKey.id) == integrator.key_id
            )
            .values(revoked_at=datetime.now(UTC))
        )
