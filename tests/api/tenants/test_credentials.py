"""API keys: one error for all invalid credentials, and effective revocation."""

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, update
from sqlmodel import col

from models.session import Database
from models.tables.tenant import ApiKey
from tests.api.container import services_of
from tests.api.integrator import Integrator

PATH = "/api/v1/merchants"


async def test_missing_unknown_wrong_and_revoked_get_one_and_the_same_answer(
    client: httpx.AsyncClient, integrator: Integrator, stranger: Integrator, database: Database
) -> None:
    await _revoke(database, stranger)
    key, secret = integrator.headers.values()
    attempts: list[dict[str, str]] = [
        {},
        {"X-API-KEY": key},
        {"X-API-SECRET": secret},
        {"X-API-KEY": "", "X-API-SECRET": ""},
        {"X-API-KEY": "hxk_unknown", "X-API-SECRET": secret},
        {"X-API-KEY": key, "X-API-SECRET": "hxs_wrong"},
        {"X-API-KEY": secret, "X-API-SECRET": key},
        stranger.headers,
    ]
    bodies = []
    for headers in attempts:
        response = await client.get(PATH, headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"]
        body = response.json()
        del body["requestId"]
        bodies.append(body)
    assert all(body == bodies[0] for body in bodies)


@pytest.mark.timeout(30)
async def test_a_hot_key_costs_no_query_and_is_dead_soon_after_its_revocation(
    app: FastAPI, integrator: Integrator, database: Database
) -> None:
    authenticator = services_of(app).authenticator
    queries: list[str] = []
    engine = authenticator._database.engine.sync_engine

    def note(_c: object, _cur: object, statement: str, *_rest: object) -> None:
        queries.append(statement)

    assert (await integrator.get("/merchants")).status_code == 200
    event.listen(engine, "before_cursor_execute", note)
    try:
        for _ in range(5):
            await integrator.get("/merchants/nobody")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert not [query for query in queries if "api_key" in query]
    await _revoke(database, integrator)
    await _until_refused(integrator, seconds=5)


async def _until_refused(integrator: Integrator, seconds: float) -> None:
    end = datetime.now(UTC).timestamp() + seconds
    while (await integrator.get("/merchants")).status_code != 401:
        assert datetime.now(UTC).timestamp() < end


async def _revoke(database: Database, integrator: Integrator) -> None:
    async with database.transaction() as db:
        await db.execute(
            update(ApiKey)
            .where(
                col(ApiKey.tenant_id) == integrator.tenant_id, col(ApiKey.id) == integrator.key_id
            )
            .values(revoked_at=datetime.now(UTC))
        )
