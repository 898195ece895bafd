"""The real API on a database of its own, which a test may break."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from pydantic import SecretStr

from api.services.system.readiness import KEPT_FOR
from models.session import Database
from models.settings import Settings
from tests.apps import make_app
from tests.contacts import CONTACT_KEY_FILE, CONTACT_KEYS
from tests.factories import NO_LIMITS, Owner, make_owner
from tests.stack import async_url
from tests.webhook_key import WEBHOOK_KEY_FILE

ANSWERED = {200, 503}


@dataclass(frozen=True, kw_only=True)
class Site:
    """The API, and a direct connection to its database."""

    url: str
    client: httpx.AsyncClient
    owner: Owner
    database: Database

    def admin(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Open an autocommit connection that may always write."""
        writing = "-c default_transaction_read_only=off"
        return psycopg.connect(self.url, autocommit=True, options=writing)

    def run(self, *statements: str) -> None:
        """Execute statements directly."""
        with self.admin() as db:
            for statement in statements:
                db.execute(statement.encode())

    async def send(
        self, owner: Owner | None = None, *, key: str | None = None, to: str = "+18135551234"
    ) -> httpx.Response:
        """Send one SMS."""
        owner = owner or self.owner
        body = {
            "merchantId": owner.merchant,
            "to": to,
            "message": "Hello",
            "type": "TRANSACTIONAL",
        }
        return await self.post("/messages/sms", body, owner=owner, key=key)

    async def post(
        self, path: str, body: object, *, owner: Owner | None = None, key: str | None = None
    ) -> httpx.Response:
        """Send a POST."""
        extra = {} if key is None else {"Idempotency-Key": key}
        headers = {**(owner or self.owner).headers, **extra}
        return await self.client.post(f"/api/v1{path}", json=body, headers=headers)

    async def ready(self) -> bool:
        """Return the readiness status, after the cached one has expired."""
        await asyncio.sleep(KEPT_FOR + 0.01)
        return (await self.client.get("/readyz")).status_code == 200


@asynccontextmanager
async def open_site(url: str, *, behind: str | None = None, pool: int = 10) -> AsyncIterator[Site]:
    """Open the API on a migrated database, which it reaches through the address `behind` if
    given.
    """
    settings = Settings(
        database_url=SecretStr(behind or url),
        database_pool=pool,
        **NO_LIMITS,
        server_secret=SecretStr("only-for-tests-too"),
        contact_key_file=CONTACT_KEY_FILE,
        webhook_key_file=WEBHOOK_KEY_FILE,
    )
    app = make_app(settings)
    database = Database(async_url(url), pool_size=3, contact_keys=CONTACT_KEYS)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api.test") as client,
    ):
        owner = await make_owner(database)
        yield Site(url=url, client=client, owner=owner, database=database)
    await database.close()
