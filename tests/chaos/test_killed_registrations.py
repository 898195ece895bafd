"""A worker is killed during a number purchase: the merchant gets and pays for one number."""

import asyncio

import pytest

from tests.e2e.harness import Harness, Integrator, until
from tests.e2e.registrar import Registrar

pytestmark = pytest.mark.xdist_group("chaos")


async def test_a_worker_killed_while_it_buys_buys_one_number(
    harness: Harness, integrator: Integrator
) -> None:
    registrar = Registrar(integrator)
    offered = await registrar.get("numbers/available?areaCode=512&limit=1")
    number = offered[0]["number"]
    await harness.faults(latencyMs=1500)

    async def called() -> bool:
        return bool(
            await harness.rows(
                "SELECT 1 FROM messaging_number WHERE tenant_id = :tenant"
                " AND deadline IS NOT NULL AND taken_at IS NULL",
                tenant=integrator.owner.tenant_id,
            )
        )

    await registrar.post("numbers", {"number": number}, key="buy-1")
    await until(called, every=0.02)
    await asyncio.sleep(0.3)  # the request is surely on its way
    harness.stack.kill("worker")
    await harness.faults()
    await asyncio.to_thread(harness.stack.start, "worker")

    bought = await registrar.number(number, status=["ACTIVE", "FAILED"])
    assert bought["status"] == "ACTIVE"
    assert [one["number"] for one in await registrar.registered("numbers")] == [number]
    again = await registrar.post("numbers", {"number": number}, key="buy-1")
    assert (again["numberId"], again["status"]) == (bought["numberId"], "ACTIVE")
    senders = await harness.rows(
        "SELECT number FROM sender_number WHERE tenant_id = :tenant AND merchant_id = :merchant",
        tenant=integrator.owner.tenant_id,
        merchant=integrator.owner.merchant_id,
    )
    assert senders == [(number,)]
