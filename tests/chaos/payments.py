"""A buyer of credits, and the invariants of its payments once none is open."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.e2e.harness import Integrator, until
from tests.factories import unique

OVER: Final = {"SUCCEEDED", "FAILED", "REFUNDED"}


@dataclass(frozen=True)
class Buyer:
    """An integrator that buys credits for its merchant."""

    integrator: Integrator

    async def upgrade(
        self, method: str = "pm_123", *, key: str | None = None, **fields: object
    ) -> httpx.Response:
        """Request credits."""
        order = {
            "merchantId": self.integrator.owner.merchant,
            "channel": "SMS",
            "units": 2500,
            "amountCents": 4900,
            "paymentMethodId": method,
            "referenceId": unique("ref"),
            "currency": "USD",
            **fields,
        }
        return await self.integrator.post("/billing/upgrade", order, key=key)

    async def bought(self, method: str = "pm_123", **fields: Any) -> str:
        """Request credits, which must be accepted; return the payment's id."""
        answer = await self.upgrade(method, **fields)
        assert answer.status_code == 200, answer.text
        payment_id: str = answer.json()["paymentId"]
        return payment_id

    async def upgrades(self) -> dict[str, dict[str, Any]]:
        """Return every upgrade as the API shows it, by payment."""
        answer = await self.integrator.get("/billing/upgrades?limit=500")
        assert answer.status_code == 200, answer.text
        return {view["paymentId"]: view for view in answer.json()}

    async def ended(self, payment_id: str, *, within: float = 40) -> dict[str, Any]:
        """Wait until a payment has ended; return it."""
        await self.all_ended(payment_id, within=within)
        return (await self.upgrades())[payment_id]

    async def all_ended(self, *payment_ids: str, within: float = 40) -> None:
        """Wait until these payments, or all, have ended."""
        wanted = [int(payment_id.removeprefix("pay_")) for payment_id in payment_ids]

        async def over() -> bool:
            return not await self.integrator.harness.rows(
                "SELECT 1 FROM payment WHERE tenant_id = :tenant AND completed_at IS NULL"
                " AND (cardinality(CAST(:wanted AS bigint[])) = 0"
                "      OR public_id = ANY(CAST(:wanted AS bigint[])))",
                tenant=self.integrator.owner.tenant_id,
                wanted=wanted,
            )

        await until(over, within)

    async def status(self, payment_id: str) -> str:
        """Return the status of a payment through the API."""
        status: str = (await self.upgrades())[payment_id]["paymentStatus"]
        return status

    async def listed(self, kind: str = "payments") -> list[dict[str, Any]]:
        """Return the gateway's charges or refunds of this tenant."""
        answer = await self.integrator.harness.http.get(
            f"{self.integrator.harness.stack.simulator_url}/{kind}"
        )
        mine = f"hxp-{self.integrator.owner.tenant_public_id}-"
        return [item for item in answer.json()["items"] if item["reference"].startswith(mine)]

    async def credits(self, channel: str = "SMS") -> int:
        """Return the available credits."""
        [(available,)] = await self.integrator.harness.rows(
            "SELECT available FROM credit_account WHERE tenant_id = :tenant AND channel = :channel",
            tenant=self.integrator.owner.tenant_id,
            channel=channel,
        )
        return int(available)


MONEY_LAWS: Final = {
    "every payment has ended": """
        SELECT id, status FROM payment WHERE tenant_id = :tenant AND (completed_at IS NULL
            OR status IN ('PENDING', 'REQUIRES_ACTION')
            OR (status = 'SUCCEEDED' AND fulfilled_at IS NULL))
    """,
    "credits were granted once for every payment that succeeded, and for no other": """
        SELECT p.id, p.status, count(e.id), sum(e.units) FROM payment p
          LEFT JOIN ledger_entry e ON e.tenant_id = p.tenant_id AND e.payment_id = p.id
         WHERE p.tenant_id = :tenant
         GROUP BY p.id, p.status, p.units
        HAVING count(e.id) <> (p.status = 'SUCCEEDED')::int
            OR sum(e.units) <> p.units OR sum(e.credit_units) <> p.units
            OR count(e.id) FILTER (WHERE e.kind <> 'TOPUP') > 0
    """,
    "a topup is of the merchant and the channel that was paid for": """
        SELECT e.id FROM ledger_entry e JOIN payment p
               ON p.tenant_id = e.tenant_id AND p.id = e.payment_id
         WHERE e.tenant_id = :tenant
           AND (e.merchant_id, e.channel) <> (p.merchant_id, p.channel)
    """,
    "at most one payment of a reference has not failed": """
        SELECT merchant_id, reference_id, count(*) FROM payment
         WHERE tenant_id = :tenant AND failed_at IS NULL
         GROUP BY merchant_id, reference_id HAVING count(*) > 1
    """,
}
"""One query per invariant; each returns the violations."""


async def money_violations(buyer: Buyer) -> list[str]:
    """Return every violation as text; only for a tenant without open payments."""
    rows, tenant = buyer.integrator.harness.rows, buyer.integrator.owner.tenant_id
    found = [
        f"{law}: {broken}"
        for law, question in MONEY_LAWS.items()
        if (broken := await rows(question, tenant=tenant))
    ]
    return found + await _money_moved(buyer)


async def _money_moved(buyer: Buyer) -> list[str]:
    """Compare the gateway's charges and refunds with the payments."""
    charges = await buyer.listed()
    charged = Counter(item["reference"] for item in charges if item["status"] == "succeeded")
    taken = {item["reference"]: item for item in charges if item["status"] == "succeeded"}
    refunded = Counter(item["reference"] for item in await buyer.listed("refunds"))
    payments: list[Any] = await buyer.integrator.harness.rows(
        "SELECT public_id, status, amount_cents, currency, gateway FROM payment"
        " WHERE tenant_id = :tenant AND (gateway IS NOT NULL OR status <> 'SUCCEEDED')",
        tenant=buyer.integrator.owner.tenant_id,
    )
    found = []
    for public_id, status, cents, currency, _ in payments:
        reference = f"hxp-{buyer.integrator.owner.tenant_public_id}-{public_id}"
        moved = charged.pop(reference, 0), refunded.pop(reference, 0)
        if moved != {"SUCCEEDED": (1, 0), "REFUNDED": (1, 1)}.get(status, (0, 0)):
            found.append(f"{reference} is {status}; charged and refunded {moved} times")
        item = taken.get(reference)
        if item and (item["amountCents"], item["currency"]) != (cents, currency):
            found.append(f"{reference}: {item['amountCents']} taken, {cents} ordered")
    if charged or refunded:
        found.append(f"money moved for nothing: {charged}, {refunded}")
    return found
