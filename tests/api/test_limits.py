"""The rate limit: a bucket for each key, told in headers."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from models.session import Database
from models.settings import Settings
from tests.api.integrator import Integrator, make_integrator


@pytest.fixture
async def slow_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """An installation that allows two requests at once and one a second."""
    app = create_app(settings.model_copy(update={"rate_limit": 1, "rate_burst": 2}))
    async with app.router.lifespan_context(app):
        yield app


async def test_who_asks_too_fast_is_told_when_to_come_back(
    slow_app: FastAPI, database: Database
) -> None:
    transport = httpx.ASGITransport(app=slow_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        one = await make_integrator(database, client)
        other = await make_integrator(database, client)
        answers = [await one.get("/merchants") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        refused = answers[-1]
        assert refused.json()["code"] == "RATE_LIMITED"
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["RateLimit-Policy"] == '"key";q=2;w=2'
        assert refused.headers["RateLimit"] == '"key";r=0;t=2'
        assert answers[0].headers["RateLimit"] == '"key";r=1;t=1'
        assert (await other.get("/merchants")).status_code == 200


async def test_a_refusal_for_other_reasons_tells_the_rate_too(integrator: Integrator) -> None:
    assert "RateLimit" in (await integrator.get("/merchants/nobody")).headers
