"""An integrator: a key, a secret and an HTTP client."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from models.enums import (
    Channel,
    DeliveryMode,
    KeyScope,
    MessageStatus,
    MessageType,
    SuppressionReason,
)
from models.queries.consent import suppression
from models.rules.tenants.credentials import hash_credential, new_credentials
from models.session import Database
from models.tables.merchant import Merchant
from models.tables.message import Message
from models.tables.tenant import ApiKey, SenderAddress, SenderNumber, Tenant
from tests.contacts import key_of
from tests.shown_ids import shown

GYM: dict[str, Any] = {
    "merchantId": "gym-a",
    "displayName": "Gym A",
    "active": True,
    "smsLimit": 5000,
    "voiceMinutesLimit": 1000,
    "emailLimit": 25000,
}
CONSENT: dict[str, Any] = {
    "merchantId": "gym-a",
    "channel": "SMS",
    "contact": "+18135551234",
    "status": "OPT_IN",
    "source": "checkout-form",
}
SMS: dict[str, Any] = {
    "merchantId": "gym-a",
    "to": "+18135551234",
    "message": "Your OTP is 123456",
    "type": "OTP",
}
VOICE: dict[str, Any] = {
    "merchantId": "gym-a",
    "to": "+18135551234",
    "text": "Your appointment is tomorrow at 10 AM",
    "type": "REMINDER",
    "record": False,
    "timeoutSeconds": 30,
}
EMAIL: dict[str, Any] = {
    "merchantId": "gym-a",
    "to": "member@example.com",
    "subject": "Payment reminder",
    "body": "<p>Your membership renews tomorrow.</p>",
    "type": "TRANSACTIONAL",
}
BATCH: dict[str, Any] = {
    "merchantId": "gym-a",
    "channel": "SMS",
    "messages": [{"to": "+18135551234", "message": "Cycling class at ten", "type": "REMINDER"}],
}
DIRECT: dict[str, Any] = {
    "to": "member@example.com",
    "subject": "Payment reminder",
    "body": "<p>Your membership renews tomorrow.</p>",
}


@dataclass(frozen=True)
class Integrator:
    """A key and its secret in use."""

    client: httpx.AsyncClient
    tenant_id: int
    tenant_public_id: int
    key_id: int
    headers: dict[str, str]

    async def get(self, path: str, **query: str) -> httpx.Response:
        """Send a GET."""
        return await self.client.get(f"/api/v1{path}", params=query, headers=self.headers)

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        """Send a POST, with or without an Idempotency-Key."""
        extra = {} if key is None else {"Idempotency-Key": key}
        return await self.client.post(
            f"/api/v1{path}", json=body, headers={**self.headers, **extra}
        )

    async def send_raw(
        self, path: str, body: bytes, content_type: str | None = "application/json"
    ) -> httpx.Response:
        """Send arbitrary bytes."""
        extra = {} if content_type is None else {"Content-Type": content_type}
        return await self.client.post(
            f"/api/v1{path}", content=body, headers={**self.headers, **extra}
        )


async def make_tenant(database: Database, *, custom_prices: bool = True) -> int:
    """Add a tenant of this test; it may buy credits at any price."""
    async with database.transaction() as db:
        tenant = Tenant(
            name=f"tenant-{uuid4().hex}",
            delivery_mode=DeliveryMode.SIMULATOR,
            custom_prices=custom_prices,
            created_at=_now(),
        )
        db.add(tenant)
        await db.flush()
        assert tenant.id is not None
        return tenant.id


async def make_integrator(
    database: Database,
    client: httpx.AsyncClient,
    tenant_id: int | None = None,
    merchant_id: int | None = None,
    scopes: Collection[KeyScope] = tuple(KeyScope),
) -> Integrator:
    """Add a key of a tenant or one of its merchants, and use it."""
    tenant_id = tenant_id or await make_tenant(database)
    public_id = await shown(database, "tenant", tenant_id)
    pair = new_credentials()
    async with database.transaction() as db:
        key = ApiKey(
            tenant_id=tenant_id,
            merchant_id=merchant_id,
            name="test",
            key=pair.key,
            key_hash=hash_credential(pair.key),
            secret_hash=hash_credential(pair.secret),
            scopes=[scope.value for scope in KeyScope if scope in scopes],
            created_at=_now(),
        )
        db.add(key)
        await db.flush()
        assert key.id is not None
        headers = {"X-API-KEY": pair.key, "X-API-SECRET": pair.secret}
        return Integrator(client, tenant_id, public_id, key.id, headers)


async def make_merchant(database: Database, tenant_id: int, name: str = "gym-a") -> int:
    """Insert a merchant directly."""
    async with database.transaction() as db:
        merchant = Merchant(
            tenant_id=tenant_id,
            external_id=name,
            display_name=name,
            active=True,
            sms_limit=10,
            voice_minutes_limit=10,
            email_limit=10,
            timezone="America/New_York",
            created_at=_now(),
            updated_at=_now(),
        )
        db.add(merchant)
        await db.flush()
        assert merchant.id is not None
        return merchant.id


async def make_message(database: Database, tenant_id: int, merchant_id: int, **facts: Any) -> int:
    """Insert a message directly."""
    at = facts.get("accepted_at", _now())
    async with database.transaction() as db:
        message = Message(
            delivery_mode=DeliveryMode.SIMULATOR,
            **{
                "tenant_id": tenant_id,
                "merchant_id": merchant_id,
                "channel": Channel.SMS,
                "type": MessageType.OTP,
                "contact_key": key_of("+18135551234"),
                "to_contact": "+18135551234",
                "sender": "+18005550100",
                "body": "Your OTP is 123456",
                "attributes": {"orderId": "A-1"},
                "operation": "send-sms",
                "scope": "",
                "fingerprint": "0" * 64,
                "workflow_id": uuid4().hex,
                "status": MessageStatus.QUEUED,
                "units": 1,
                "month": "2026-04",
                "funded": True,
                "held_allowance": 1,
                "held_credits": 0,
                "accepted_at": at,
                "due_at": at,
                "sweep_at": at,
                **facts,
            },
        )
        db.add(message)
        await db.flush()
        assert message.id is not None
        return message.id


async def make_senders(database: Database, tenant_id: int) -> None:
    """Give a tenant a number and two addresses to send from."""
    async with database.transaction() as db:
        db.add(
            SenderNumber(
                number=f"+{15_005_560_000 + tenant_id % 10_000}",
                tenant_id=tenant_id,
                created_at=_now(),
            )
        )
        for name in ("desk", "no-reply"):
            db.add(
                SenderAddress(tenant_id=tenant_id, address=f"{name}@gym.example", created_at=_now())
            )


async def suppress_contact(
    database: Database,
    tenant_id: int,
    merchant_id: int,
    channel: Channel,
    contact: str,
    reason: SuppressionReason = SuppressionReason.HARD_BOUNCE,
) -> None:
    """Suppress a contact as a report does; merchant 0 is the tenant itself."""
    async with database.transaction() as db:
        await suppression.suppress(
            db,
            tenant_id=tenant_id,
            merchant_id=merchant_id,
            channel=channel,
            contact_key=key_of(contact),
            contact=contact,
            reason=reason,
            source="simulator: bounced, permanent",
            now=_now(),
        )


def _now() -> datetime:
    return datetime.now(UTC)
