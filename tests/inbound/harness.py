"""A tenant's number that merchants send from and recipients text."""

import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import text

from api.services.consent.inbound_texts import Inbox
from api.workflow_starters import WorkflowStarter
from models.enums import Channel, DeliveryMode
from models.rules.accounts.account_scope import AccountScope
from models.rules.messages.identity import SendStart
from models.session import Database
from models.tables.ledger import CreditAccount
from models.tables.merchant import Merchant
from models.tables.tenant import SenderNumber
from providers.ports.messages import Answer, Webhook
from providers.routing import Routes
from providers.simulator import messages
from providers.twilio.client import Account
from providers.twilio.inbound import inbound_verifier
from providers.twilio.signatures import SIGNATURE_HEADER, signature
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.contacts import key_of
from tests.factories import Owner, unique
from tests.shown_ids import reference_of
from tests.vendors.twilio_double import ACCOUNT
from workflows.messages.start import SendSignal

SECRET = "for-tests-only-too"
TWILIO_URL = "http://api.test/webhooks/twilio/inbound"
TWILIO = Account(sid=ACCOUNT, token=SECRET, answers_keywords=False)
CONTACT = "+18135551234"
OTHER = "+18135559999"


class Started(WorkflowStarter):
    """Records workflow starts, in place of a Temporal client."""

    def __init__(self) -> None:
        self.sends: list[SendStart] = []
        self.row_changed: list[str] = []

    def start(self, send: SendStart) -> None:
        """Record a start."""
        self.sends.append(send)

    async def wake(self, workflow_id: str, signal: SendSignal) -> None:
        """Do nothing: no workflow runs."""
        self.row_changed.append(workflow_id)


def inbox(
    database: Database, started: Started, scopes: Mapping[str, AccountScope] | None = None
) -> Inbox:
    """Return the real service with that double, and accounts of these scopes."""
    routes = Routes([], {}, scopes=scopes)
    return Inbox(
        database,
        started,
        {
            messages.NAME: messages.inbound_verifier(SECRET),
            "twilio": inbound_verifier(TWILIO, TWILIO_URL, lambda: datetime.now(UTC)),
        },
        scope=routes.scope,
        listed_by=routes.listed_by,
        start_within=timedelta(seconds=8),
        clock=lambda: datetime.now(UTC),
    )


def signed(document: Any, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """Return a webhook's body and headers as the simulator sends them."""
    body, at = json.dumps(document).encode(), int(time.time())
    digest = hmac.new(secret.encode(), b"%d." % at + body, sha256).hexdigest()
    return body, {messages.SIGNATURE_HEADER: f"t={at},v1={digest}"}


def posted(document: Any) -> Webhook:
    """Return a signed webhook as the simulator posts it."""
    body, headers = signed(document)
    return Webhook(url="http://api.test/webhooks/simulator/inbound", headers=headers, body=body)


def event(body: str, *, sender: str, number: str, **facts: Any) -> dict[str, Any]:
    """Return the simulator's event of a text."""
    return {
        "eventId": f"evt_{uuid4().hex}",
        "type": "inbound",
        "from": sender,
        "to": number,
        "body": body,
        "at": datetime.now(UTC).isoformat(),
        **facts,
    }


async def make_merchant_fixture(database: Database, owner: Owner, name: str) -> Owner:
    """Add another merchant of the tenant, which sends from the same number."""
    now = datetime.now(UTC)
    async with database.transaction() as db:
        merchant = Merchant(
            tenant_id=owner.tenant_id,
            external_id=unique("shop"),
            display_name=name,
            active=True,
            sms_limit=1000,
            voice_minutes_limit=1000,
            email_limit=1000,
            timezone="America/New_York",
            created_at=now,
            updated_at=now,
        )
        db.add(merchant)
        await db.flush()
        assert merchant.id is not None
        db.add_all(
            CreditAccount(
                delivery_mode=DeliveryMode.SIMULATOR,
                tenant_id=owner.tenant_id,
                merchant_id=merchant.id,
                channel=channel,
                available=0,
                held=0,
            )
            for channel in Channel
        )
    return replace(
        owner,
        merchant_id=merchant.id,
        merchant_public_id=merchant.public_id,
        merchant=merchant.external_id,
    )


@dataclass(frozen=True)
class InboundHarness:
    """One number of a tenant, shared by default."""

    database: Database
    owner: Owner
    client: httpx.AsyncClient
    started: Started

    async def merchant_fixture(self, name: str = "Shop B") -> Owner:
        """Add another merchant."""
        return await make_merchant_fixture(self.database, self.owner, name)

    async def own_number(self, owner: Owner | None = None) -> str:
        """Give a merchant a number of its own."""
        of = owner or self.owner
        number = f"+{15_115_550_000 + of.merchant_id % 10_000}"
        async with self.database.transaction() as db:
            db.add(
                SenderNumber(
                    number=number,
                    tenant_id=of.tenant_id,
                    merchant_id=of.merchant_id,
                    created_at=datetime.now(UTC),
                )
            )
        return number

    async def writes(self, owner: Owner | None = None, *answers: Answer, to: str = CONTACT) -> int:
        """Send from the shared number as a merchant."""
        harness = Harness(self.database, owner or self.owner, Scripted(*answers, name="simulator"))
        message_id = await harness.accept(to=to)
        await harness.dispatch(message_id)
        return message_id

    async def reference(self, message_id: int) -> str:
        """Return the provider's reference of a message's first attempt."""
        return await reference_of(self.database, self.owner.tenant_id, message_id)

    async def texts(
        self, body: str, *, number: str | None = None, sender: str = CONTACT, **facts: Any
    ) -> httpx.Response:
        """Send an inbound text; `facts` replace fields of the event."""
        told = event(body, sender=sender, number=number or self.owner.sender, **facts)
        return await self.tells(told)

    async def tells(self, told: Any, secret: str = SECRET) -> httpx.Response:
        """Post an event of the simulator."""
        raw, headers = signed(told, secret)
        return await self.client.post("/webhooks/simulator/inbound", content=raw, headers=headers)

    async def twilio_tells(self, body: str, *, event_id: str, **fields: str) -> httpx.Response:
        """Post Twilio's webhook of a text from CONTACT."""
        form = {
            "AccountSid": ACCOUNT,
            "MessageSid": event_id,
            "From": CONTACT,
            "To": self.owner.sender,
            "Body": body,
            "FromZip": "",
            **fields,
        }
        return await self.twilio_posts(form)

    async def twilio_posts(self, form: dict[str, str]) -> httpx.Response:
        """Post a form as Twilio does for a text."""
        signed = signature(SECRET, TWILIO_URL, {name: [word] for name, word in form.items()})
        headers = {SIGNATURE_HEADER: signed}
        return await self.client.post("/webhooks/twilio/inbound", data=form, headers=headers)

    async def consents(self) -> dict[int, tuple[str, str]]:
        """Return status and source by merchant, for CONTACT on SMS."""
        rows = await self.rows(
            "SELECT merchant_id, status, source FROM consent WHERE tenant_id = :t"
            " AND channel = 'SMS' AND contact_key = :c"
        )
        return {row.merchant_id: (row.status, row.source) for row in rows}

    async def suppressions(self) -> set[tuple[int, str]]:
        """Return merchant and reason of every suppression."""
        rows = await self.rows("SELECT merchant_id, reason FROM suppression WHERE tenant_id = :t")
        return {(row.merchant_id, row.reason) for row in rows}

    async def history(self) -> list[tuple[int, str, str]]:
        """Return merchant, status and source of every consent change."""
        rows = await self.rows(
            "SELECT merchant_id, status, source FROM consent_change WHERE tenant_id = :t"
            " ORDER BY id"
        )
        return [tuple(row) for row in rows]

    async def stored(self) -> list[Any]:
        """Return every stored text."""
        return await self.rows("SELECT * FROM inbound_message WHERE tenant_id = :t ORDER BY id")

    async def answers(self) -> list[Any]:
        """Return every answer."""
        return await self.rows(
            "SELECT * FROM message WHERE tenant_id = :t AND operation = 'answer-inbound'"
            " ORDER BY id"
        )

    def starts(self) -> list[int]:
        """Return the messages whose workflows were to be started."""
        return [
            send.message_id for send in self.started.sends if send.tenant_id == self.owner.tenant_id
        ]

    async def rows(self, sql: str) -> list[Any]:
        async with self.database.read() as db:
            values = {"t": self.owner.tenant_id, "c": key_of(CONTACT)}
            return list((await db.execute(text(sql), _used(sql, values))).all())


def _used(sql: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if f":{name}" in sql}
