"""The API over real Postgres, with a double where sends are accepted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from models.session import Database
from models.settings import Settings
from tests.api.doubles import FakeSending
from tests.api.integrator import Integrator, make_integrator


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    """Settings of an installation whose rate limit is out of the way."""
    return Settings(
        database_url=SecretStr(database_url),
        rate_limit=100_000,
        rate_burst=100_000,
        simulator_secret=SecretStr("for-tests-only"),
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running application."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def sending(app: FastAPI) -> Iterator[FakeSending]:
    """Accepts sends in place of the real thing."""
    real = getattr(app.state, "sending", None)
    double = app.state.sending = FakeSending()
    yield double
    app.state.sending = real


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without credentials."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@pytest.fixture
async def integrator(database: Database, client: httpx.AsyncClient) -> Integrator:
    """A tenant of this test's own."""
    return await make_integrator(database, client)


@pytest.fixture
async def stranger(database: Database, client: httpx.AsyncClient) -> Integrator:
    """Another tenant."""
    return await make_integrator(database, client)


@pytest.fixture
def merchant_key(
    database: Database, client: httpx.AsyncClient
) -> Callable[[int, int], Awaitable[Integrator]]:
    """Makes a key that belongs to one merchant of a tenant."""

    async def make(tenant_id: int, merchant_id: int) -> Integrator:
        return await make_integrator(database, client, tenant_id, merchant_id)

    return make
