"""The API on a real Postgres, with a double for workflow starts."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from api.services.messages.delivery_reports import Receipts
from models.session import Database
from models.settings import Settings
from providers.simulator import messages
from providers.twilio.client import Account
from providers.twilio.message_reports import report_verifier
from tests.api.container import put_in
from tests.contacts import CONTACT_KEY_FILE
from tests.factories import Owner
from tests.inbound.harness import SECRET, InboundHarness, Started, inbox
from tests.vendors.twilio_double import ACCOUNT, TOKEN
from tests.webhook_key import WEBHOOK_KEY_FILE


@pytest.fixture(scope="session")
def started() -> Started:
    """The workflow starts that were requested, by tenant."""
    return Started()


@pytest.fixture(scope="session")
async def app(database_url: str, database: Database, started: Started) -> AsyncIterator[FastAPI]:
    """The running application."""
    app = create_app(
        Settings(
            database_url=SecretStr(database_url),
            server_secret=SecretStr("only-for-tests-too"),
            contact_key_file=CONTACT_KEY_FILE,
            webhook_key_file=WEBHOOK_KEY_FILE,
            simulator_secret=SecretStr(SECRET),
            public_url="http://api.test",
            # No worker serves the messages that other tests left, so they count as lag for ever.
            lag_allowed=timedelta(days=3_650),
        )
    )
    async with app.router.lifespan_context(app):
        twilio = report_verifier(Account(sid=ACCOUNT, token=TOKEN), lambda: datetime.now(UTC))
        verifiers = {messages.NAME: messages.verifier(SECRET), "twilio": twilio}
        receipts = Receipts(database, started, verifiers)
        put_in(app, "consent", inbox=inbox(database, started))
        put_in(app, "messages", receipts=receipts)
        yield app


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@pytest.fixture
def inbound(
    database: Database, owner: Owner, client: httpx.AsyncClient, started: Started
) -> InboundHarness:
    """A tenant's shared number, and recipients who text it."""
    return InboundHarness(database, owner, client, started)
