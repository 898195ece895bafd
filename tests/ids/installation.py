"""A database with one of everything that is referenced from outside, and the API on it."""

import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import httpx
from pydantic import SecretStr
from sqlalchemy import text

from api.services.billing.payment_reports import PaymentWebhooks
from api.services.messages.delivery_reports import Receipts
from api.services.messages.permission import UnsubscribeLinks
from models.queries.messages import acceptance
from models.rules.messages.identity import SendKey, SendStart
from models.session import Database
from models.settings import Settings
from providers.simulator import messages, payments
from tests.activities.doubles import Scripted
from tests.activities.gateways import OwnGateway, PaymentHarness
from tests.activities.harness import Harness
from tests.api.container import put_in
from tests.api.doubles import FakeStarter, FakeUpgradeStarter
from tests.apps import make_app
from tests.contacts import CONTACT_KEY_FILE, CONTACT_KEYS, key_of
from tests.factories import NO_LIMITS, Owner, make_owner
from tests.registration.harness import Harness as RegistrationHarness
from tests.registration.harness import ScriptedRegistry
from tests.shown_ids import payment_reference_of, reference_of
from tests.stack import async_url
from tests.webhook_key import WEBHOOK_KEY_FILE

KEY: Final = "welcome-1"
TO: Final = "+18135551234"
_SECRET: Final = "for-tests-only-too"
_LINKS: Final = UnsubscribeLinks("http://api.test", "only-for-tests-too")
_TABLES: Final = ("message", "attempt", "receipt", "payment", "payment_event", "ledger_entry")


@dataclass(frozen=True)
class Installation:
    """One tenant with an open message and payment, a brand, and a SIP user."""

    database: Database
    client: httpx.AsyncClient
    owner: Owner
    gateway: OwnGateway
    registry: ScriptedRegistry
    message_id: int
    payment_id: int
    brand_id: int
    sip: dict[str, Any]

    def row_ids(self) -> tuple[int, ...]:
        """Return all row ids."""
        own = (self.owner.tenant_id, self.owner.merchant_id)
        return (*own, self.message_id, self.payment_id, self.brand_id)

    async def reference(self) -> str:
        """Return the provider's reference of the message."""
        return await reference_of(self.database, self.owner.tenant_id, self.message_id)

    async def payment_reference(self) -> str:
        """Return the gateway's reference of the payment."""
        return await payment_reference_of(self.database, self.owner.tenant_id, self.payment_id)

    def unsubscribe_link(self) -> str:
        """Return the unsubscribe link of the merchant's e-mail."""
        owner = self.owner
        return _LINKS.link(owner.tenant_public_id, owner.merchant_public_id, key_of("a@b.example"))

    async def start(self) -> SendStart:
        """Return the start input of the message's workflow."""
        key = SendKey(
            tenant_id=self.owner.tenant_id, operation="send-sms", scope="", idempotency_key=KEY
        )
        async with self.database.read() as db:
            known = await acceptance.find_known(db, key)
        assert known is not None
        return known.send

    async def public_id(self, table: str, row_id: int) -> int:
        """Return the public id of a row."""
        async with self.database.read() as db:
            statement = text(f"SELECT public_id FROM {table} WHERE id = :id")
            return int((await db.execute(statement, {"id": row_id})).scalar_one())

    async def reported(self, path: str, body: dict[str, Any]) -> int:
        """Post a webhook of the simulator; return the status of the response."""
        raw, at = json.dumps(body).encode(), int(time.time())
        digest = hmac.new(_SECRET.encode(), b"%d." % at + raw, sha256).hexdigest()
        headers = {messages.SIGNATURE_HEADER: f"t={at},v1={digest}"}
        answer = await self.client.post(f"/webhooks/simulator/{path}", content=raw, headers=headers)
        return answer.status_code

    async def everything(self) -> list[Any]:
        """Return all rows that a report, a link or a step could change."""
        tables = (*_TABLES, "brand", "consent", "suppression", "voice_presence")
        found: list[Any] = []
        async with self.database.read() as db:
            for table in tables:
                rows = await db.execute(text(f"SELECT to_jsonb(t) FROM {table} t ORDER BY 1"))
                found += [tuple(row) for row in rows]
        return found


@asynccontextmanager
async def installation(url: str) -> AsyncIterator[Installation]:
    """Create one of everything in a new database."""
    database = Database(async_url(url), pool_size=5, contact_keys=CONTACT_KEYS)
    app = make_app(
        Settings(
            database_url=SecretStr(url),
            **NO_LIMITS,
            server_secret=SecretStr("only-for-tests-too"),
            contact_key_file=CONTACT_KEY_FILE,
            webhook_key_file=WEBHOOK_KEY_FILE,
            simulator_secret=SecretStr(_SECRET),
            public_url="http://api.test",
        )
    )
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api.test") as client,
    ):
        receipts = Receipts(database, FakeStarter(), {"simulator": messages.verifier(_SECRET)})
        put_in(app, "messages", receipts=receipts)
        webhooks = PaymentWebhooks(
            database,
            FakeUpgradeStarter(),
            {"simulator": payments.verifier(_SECRET)},
            sweep_grace=timedelta(seconds=5),
            clock=lambda: datetime.now(UTC),
        )
        put_in(app, "billing", payment_webhooks=webhooks)
        yield await _filled(database, client)
    await database.close()


async def _filled(database: Database, client: httpx.AsyncClient) -> Installation:
    owner = await make_owner(database)
    sending = Harness(database, owner, Scripted(name="simulator"))
    message_id = await sending.accept(to=TO, key=KEY)
    await sending.dispatch(message_id)
    gateway = OwnGateway(name="simulator")
    buying = PaymentHarness(database, owner, gateway)
    payment_id = await buying.order(key=KEY)
    registry = ScriptedRegistry()
    registering = RegistrationHarness(database, owner, registry)
    provisioned = await client.get(
        "/api/v1/voice/provisioning", params={"merchantId": owner.merchant}, headers=owner.headers
    )
    return Installation(
        database=database,
        client=client,
        owner=owner,
        gateway=gateway,
        registry=registry,
        message_id=message_id,
        payment_id=payment_id,
        brand_id=await registering.brand(),
        sip=provisioned.json()["sip"],
    )
