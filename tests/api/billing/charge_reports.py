"""Signed webhooks of charges, as the simulator's gateway posts them, and what they may change."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx

from tests.activities.gateways import PaymentHarness

SECRET = "for-tests-only-too"


def charge_report(reference: str, **changed: Any) -> dict[str, Any]:
    """Build a webhook of the simulator."""
    return {
        "eventId": f"evt-{reference}",
        "type": "charge",
        "chargeId": f"ch-{reference}",
        "reference": reference,
        "amountCents": 10,
        "currency": "USD",
        "status": "succeeded",
        "errorCode": None,
        "at": "2026-11-27T00:00:00.000Z",
        **changed,
    }


async def post(
    client: httpx.AsyncClient,
    reference: str | None,
    body: Any,
    *,
    secret: str = SECRET,
    at: float | None = None,
    gateway: str = "simulator",
) -> httpx.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), b"%d." % moment + raw, hashlib.sha256).hexdigest()
    return await client.post(
        f"/webhooks/{gateway}/payments" + ("" if reference is None else f"/{reference}"),
        content=raw,
        headers={"X-Simulator-Signature": f"t={moment},v1={digest}"},
    )


async def everything(harness: PaymentHarness) -> list[Any]:
    """Return all rows that a webhook could change."""
    found: list[Any] = []
    for table in ("payment", "payment_event", "ledger_entry", "credit_account", "alert"):
        found += await harness.rows(
            f"SELECT to_jsonb(t) - 'sweep_at' FROM {table} t WHERE tenant_id = :t ORDER BY 1"
        )
    return found
