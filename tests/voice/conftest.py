"""The API on a real Postgres, with a settable clock in the voice services."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from models.session import Database
from models.settings import Settings
from tests.api.container import restored
from tests.api.doubles import Clock
from tests.api.integrator import GYM, Integrator, make_integrator
from tests.contacts import CONTACT_KEY_FILE
from tests.factories import NO_LIMITS
from tests.voice.harness import SECRET, TURN_SECRET, Harness
from tests.voice.registrar import REALM
from tests.webhook_key import WEBHOOK_KEY_FILE


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    """Settings of an installation with a registrar and TURN servers."""
    return Settings(
        database_url=SecretStr(database_url),
        server_secret=SecretStr(SECRET),
        contact_key_file=CONTACT_KEY_FILE,
        webhook_key_file=WEBHOOK_KEY_FILE,
        **NO_LIMITS,
        sip_domain=REALM,
        sip_registrar="sip-1.example.com",
        stun_urls=("stun:stun.example.com:3478",),
        turn_secret=SecretStr(TURN_SECRET),
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running application."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="session")
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as http:
        yield http


@pytest.fixture
def clock() -> Clock:
    """The clock of the voice services."""
    return Clock()


@pytest.fixture
def harness(
    app: FastAPI, database: Database, settings: Settings, clock: Clock
) -> Iterator[Harness]:
    """The voice services with a double of the clock only."""
    harness = Harness(app, database, settings.voice_place, clock)
    with restored(app):
        harness.serve()
        yield harness


@pytest.fixture
async def gym(database: Database, http: httpx.AsyncClient, harness: Harness) -> Integrator:
    """An integrator with the guide's merchant."""
    integrator = await make_integrator(database, http)
    assert (await integrator.post("/merchants", GYM)).status_code == 200
    return integrator


@pytest.fixture
async def stranger(database: Database, http: httpx.AsyncClient) -> Integrator:
    """Another tenant."""
    return await make_integrator(database, http)
