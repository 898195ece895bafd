"""Two tenants of one kind: one sends a batch, the other the same sends one after another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from sqlalchemy import text

from models.enums import Channel, ConsentStatus
from models.session import Database
from tests.api.integrator import (
    GYM,
    Integrator,
    make_integrator,
    make_senders,
    suppress_contact,
)
from tests.batches.accepting.harness import Batches, Line

ROUTES: Final = {
    Channel.SMS: "/messages/sms",
    Channel.VOICE: "/messages/voice",
    Channel.EMAIL: "/messages/email",
}

_KEPT: Final = (
    "channel, type, contact_key, to_contact, body, details - 'unsubscribeUrl' AS details,"
    " attributes, operation, scope, idempotency_key, fingerprint, status, attempts, units,"
    " billed_units, month, funded, held_allowance, held_credits, accepted_at, due_at, expires_at,"
    " delivery_mode"
)
"""Columns of a message that do not depend on the tenant or the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What decides about sends."""

    channel: Channel = Channel.SMS
    allowance: int = 100
    credits: int = 0
    active: bool = True
    consents: tuple[tuple[str, ConsentStatus], ...] = ()
    suppressed: frozenset[str] = frozenset()
    limits: dict[str, int] = field(default_factory=dict)
    senders: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a send came to: the place of its message, or a refusal."""

    message: int | None = None
    code: str | None = None
    detail: str | None = None


async def make_twin(database: Database, client: httpx.AsyncClient, world: World) -> Integrator:
    """Create a tenant with its merchant."""
    twin = await make_integrator(database, client)
    if world.senders:
        await make_senders(database, twin.tenant_id)
    limits = {"smsLimit": world.allowance, "voiceMinutesLimit": world.allowance}
    body = {**GYM, **limits, "emailLimit": world.allowance, "active": world.active}
    assert (await twin.post("/merchants", body)).status_code == 200
    for contact, status in world.consents:
        consent = {
            "merchantId": "gym-a",
            "channel": world.channel,
            "contact": contact,
            "status": status,
            "source": "test",
        }
        assert (await twin.post("/consents", consent)).status_code == 200
    ids = {"t": twin.tenant_id, "c": world.channel}
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE credit_account SET available = :n WHERE tenant_id = :t AND channel = :c"),
            {**ids, "n": world.credits},
        )
        for name, most in world.limits.items():
            await db.execute(
                text(f"UPDATE tenant SET {name} = :most WHERE id = :t"), {**ids, "most": most}
            )
        merchant_id = await db.scalar(text("SELECT id FROM merchant WHERE tenant_id = :t"), ids)
    for contact in world.suppressed:
        await suppress_contact(database, twin.tenant_id, merchant_id, world.channel, contact)
    return twin


async def send_singly(
    twin: Integrator, lines: Sequence[Line], channel: Channel, *, base: str = "b"
) -> list[Outcome]:
    """Send every line as a request of its own, in order, under the key that it has in a batch."""
    outcomes = []
    shown: list[str] = []
    for place, line in enumerate(lines, start=1):
        body = {**line, "merchantId": "gym-a"}
        key = body.pop("key", None) or f"{base}/{place}"
        answer = await twin.post(ROUTES[channel], body, key=key)
        told = answer.json()
        if answer.status_code == 200:
            if told["messageId"] not in shown:
                shown.append(told["messageId"])
            outcomes.append(Outcome(message=shown.index(told["messageId"])))
        else:
            outcomes.append(Outcome(code=told["code"], detail=told["detail"]))
    return outcomes


async def send_as_batch(
    batches: Batches, twin: Integrator, lines: Sequence[Line], channel: Channel, *, page: int
) -> list[Outcome]:
    """Send all lines as one batch; return what they came to."""
    batch = await batches.store(twin.tenant_id, lines, channel=channel)
    await batches.accept_all(batch, batches.acceptance(page=page))
    decided = await batches.decided(batch)
    assert not any(line.kept for line in decided)
    ids: list[int] = []
    for line in decided:
        if line.message_id is not None and line.message_id not in ids:
            ids.append(line.message_id)
    return [
        Outcome(
            message=None if line.message_id is None else ids.index(line.message_id),
            code=line.code,
            detail=line.detail,
        )
        for line in decided
    ]


async def state_of(database: Database, twin: Integrator) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of a tenant that accepting writes, without what differs between tenants."""
    statements = {
        "messages": f"SELECT {_KEPT} FROM message WHERE tenant_id = :t ORDER BY id",
        "ledger": "SELECT channel, kind, units, credit_units, balance, month, at"
        " FROM ledger_entry WHERE tenant_id = :t ORDER BY id",
        "months": "SELECT channel, month, used, held, credits_used FROM allowance_month"
        " WHERE tenant_id = :t AND (used, held, credits_used) <> (0, 0, 0) ORDER BY channel",
        "credits": "SELECT channel, available, held FROM credit_account"
        " WHERE tenant_id = :t ORDER BY channel",
        "windows": "SELECT merchant_id = 0, destination_key, sent_at, expires_at"
        " FROM destination_window WHERE tenant_id = :t ORDER BY 1, 2",
        "metadata": "SELECT message.idempotency_key, count(*) FROM message_metadata"
        " JOIN message ON message.tenant_id = message_metadata.tenant_id"
        " AND message.id = message_metadata.message_id"
        " WHERE message.tenant_id = :t GROUP BY 1 ORDER BY 1",
    }
    async with database.read() as db:
        found = {}
        for name, statement in statements.items():
            rows = await db.execute(text(statement), {"t": twin.tenant_id})
            found[name] = [tuple(row) for row in rows]
        return found


def soon(now: datetime, hours: float) -> str:
    """Return a time in the form of requests."""
    return (now + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
