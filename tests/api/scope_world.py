"""Creates one of everything for gym-a, to test that other callers cannot access it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from models.enums import (
    AlertSeverity,
    AlertType,
    AttemptState,
    Channel,
    InboundKind,
    MessageStatus,
    ReportStatus,
)
from models.queries.alerts.alerts import raise_alert
from models.session import Database
from models.tables.inbound import InboundMessage
from models.tables.merchant import Merchant
from models.tables.message import Attempt, Receipt
from tests.api.integrator import BATCH, CONSENT, GYM, SMS, Integrator, make_message
from tests.api.registrar import Registrar
from tests.api.scopes import KEY, OWNER, PRESENCE, UPGRADE
from tests.contacts import key_of
from tests.factories import Owner
from tests.messaging import CAMPAIGN
from tests.reports.usage_fixtures import Use, book
from tests.shown_ids import shown


async def merchant_of(tenant: Integrator, database: Database, name: str) -> int:
    """Create a merchant through the API; return the id of its row."""
    await _posted(tenant, "/merchants", {**GYM, "merchantId": name, "displayName": name})
    statement = select(col(Merchant.id)).where(
        col(Merchant.tenant_id) == tenant.tenant_id, col(Merchant.external_id) == name
    )
    async with database.read() as db:
        return int((await db.scalars(statement)).one() or 0)


async def asked_for(tenant: Integrator) -> dict[str, str]:
    """Create everything that the API can create; return the ids."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    order = {**SMS, "message": "Cycling class at ten", "sendAt": tomorrow}
    message = await _posted(tenant, "/messages/sms", order)
    batch = await _posted(tenant, "/messages/batch", {**BATCH, "merchantId": OWNER})
    await _posted(tenant, "/consents", CONSENT)
    order = {**UPGRADE, "merchantId": OWNER, "referenceId": "1"}
    payment = await _posted(tenant, "/billing/upgrade", order)
    key = await _posted(tenant, "/keys", {**KEY, "merchantId": OWNER})
    provisioning = await tenant.get("/voice/provisioning", merchantId=OWNER)
    username: str = provisioning.json()["sip"]["username"]
    presence = {**PRESENCE, "merchantId": OWNER, "username": username}
    await _posted(tenant, "/voice/provisioning/presence", presence)
    return {
        "message": message["messageId"],
        "batch": batch["batchId"],
        "payment": payment["paymentId"],
        "key": key["keyId"],
        "username": username,
    }


async def registered(tenant: Integrator, database: Database) -> dict[str, str]:
    """Register brand, campaigns and a number with gym-a; return the ids."""
    registrar = Registrar(tenant, database)
    campaign = await registrar.approved()
    number = await registrar.bought()
    rejected = await _posted(tenant, f"{registrar.path}/campaigns", {**CAMPAIGN, "submit": False})
    return {
        "campaign": campaign,
        "rejected": rejected["campaignId"],
        "number": number,
        "another": f"+18142{tenant.tenant_id % 10**6:06d}",
    }


async def recorded_call(database: Database, tenant_id: int, merchant_id: int) -> int:
    """Add a recorded call; return its public id."""
    call = await make_message(
        database,
        tenant_id,
        merchant_id,
        channel=Channel.VOICE,
        details={"record": True},
        status=MessageStatus.DELIVERED,
    )
    now = datetime.now(UTC)
    who: dict[str, Any] = {
        "tenant_id": tenant_id,
        "provider": "simulator",
        "account": "simulator",
        "message_id": call,
    }
    attempt = Attempt(
        **who,
        number=1,
        state=AttemptState.ACCEPTED,
        provider_message_id="call-1",
        requested_at=now,
        deadline=now,
    )
    report = Receipt(
        **who,
        event_id=f"{call}-completed",
        attempt=1,
        status=ReportStatus.DELIVERED,
        phase="completed",
        reported_at=now,
        received_at=now,
        look_at=now,
    )
    async with database.transaction() as db:
        db.add(attempt)
        await db.flush()
        db.add(report)
    return await shown(database, "message", call)


async def told(database: Database, tenant_id: int, merchant_id: int) -> None:
    """Add an inbound text and an alert of gym-a."""
    now = datetime.now(UTC)
    text = InboundMessage(
        tenant_id=tenant_id,
        merchant_id=merchant_id,
        provider="simulator",
        event_id=f"inbound-{tenant_id}",
        kind=InboundKind.OTHER,
        sender="+18135551234",
        contact_key=key_of("+18135551234"),
        number="+15005550006",
        body="Cycling class at ten",
        sent_at=now,
        received_at=now,
    )
    async with database.transaction() as db:
        db.add(text)
        await raise_alert(
            db,
            tenant_id=tenant_id,
            merchant_id=merchant_id,
            type=AlertType.COMPLIANCE_REJECTED,
            channel=Channel.SMS,
            severity=AlertSeverity.WARNING,
            message="Cycling class at ten",
            now=now,
        )


async def used(database: Database, tenant_id: int, merchant_id: int) -> None:
    """Add a message with usage of yesterday."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    message = await make_message(database, tenant_id, merchant_id, accepted_at=yesterday)
    owner = Owner(
        tenant_id=tenant_id,
        tenant_public_id=0,
        tenant="",
        merchant_id=merchant_id,
        merchant_public_id=0,
        merchant=OWNER,
        sender="",
        api_key="",
        api_secret="",
    )
    use = Use(day=yesterday.date(), cost=Decimal("1.25"))
    await book(database, owner, use, message)


async def hooked(tenant: Integrator) -> dict[str, str]:
    """Create a webhook endpoint of gym-a with a delivery; return the ids."""
    url = "https://hooks.example.com/"
    endpoint = await _posted(tenant, "/webhooks", {"url": url, "merchantId": OWNER})
    delivery = await _posted(tenant, f"/webhooks/{endpoint['webhookId']}/test", {})
    return {"webhook": endpoint["webhookId"], "delivery": delivery["deliveryId"]}


async def _posted(tenant: Integrator, path: str, body: Any) -> dict[str, Any]:
    answer = await tenant.post(path, body)
    assert answer.status_code == 200, (path, answer.text)
    made: dict[str, Any] = answer.json()
    return made
