"""Workers are killed at every step of an upgrade: charged once, then credited once or refunded."""

import asyncio

import pytest

from tests.chaos.payments import Buyer, money_violations
from tests.e2e.harness import Harness, until
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("chaos")

METHODS = (
    "pm_123",
    "pm_slow",
    "pm_declined",
    "pm_action",
    "pm_timeout_charged",
    "pm_fails_later",
    "pm_action_abandoned",
)

UNPAID = ("pm_declined", "pm_fails_later", "pm_action_abandoned")


@pytest.fixture
async def buyer(harness: Harness) -> Buyer:
    return Buyer(await harness.integrator(sms_limit=0))


async def restart_worker(harness: Harness) -> None:
    harness.stack.kill("worker")
    await asyncio.to_thread(harness.stack.start, "worker")


async def orders(buyer: Buyer) -> list[str]:
    """Request an upgrade by every method; return the payments' ids."""
    wanted = (buyer.bought(method, key=unique("key"), units=10) for method in METHODS)
    return list(await asyncio.gather(*wanted))


async def columns(buyer: Buyer, question: str) -> bool:
    """Return whether a condition holds for some payment of the tenant."""
    return bool(
        await buyer.integrator.harness.rows(
            f"SELECT 1 FROM payment WHERE tenant_id = :tenant AND {question}",
            tenant=buyer.integrator.owner.tenant_id,
        )
    )


async def switch_off(buyer: Buyer) -> None:
    off = {"merchantId": buyer.integrator.owner.merchant, "displayName": "A", "active": False}
    assert (await buyer.integrator.post("/merchants", off)).status_code == 200


async def test_a_worker_killed_while_it_charges_charges_once(
    harness: Harness, buyer: Buyer
) -> None:
    payment_id = await buyer.bought("pm_timeout_charged", key=unique("key"))

    async def charged() -> bool:
        return bool(await buyer.listed())

    await until(charged, every=0.02)  # the gateway has it, the worker still waits for the response
    await restart_worker(harness)
    view = await buyer.ended(payment_id)
    assert (view["paymentStatus"], view["fulfilled"]) == ("SUCCEEDED", True)
    assert (len(await buyer.listed()), await buyer.credits()) == (1, 2500)
    assert await money_violations(buyer) == []


async def test_a_worker_killed_while_it_gives_money_back_gives_it_back_once(
    harness: Harness, buyer: Buyer
) -> None:
    payment_id = await buyer.bought("pm_slow", key=unique("key"))
    await until(lambda: columns(buyer, "charge_id IS NOT NULL"), every=0.02)
    await switch_off(buyer)
    await harness.faults(latencyMs=1500)
    await until(lambda: columns(buyer, "refund_due_at IS NOT NULL"), every=0.02)
    await asyncio.sleep(0.3)  # the request is surely on its way
    await restart_worker(harness)
    await harness.faults()
    assert (await buyer.ended(payment_id))["paymentStatus"] == "REFUNDED"
    assert len(await buyer.listed("refunds")) == 1
    assert await money_violations(buyer) == []


async def test_killed_again_and_again_amid_purchases_of_every_kind_no_cent_is_lost(
    harness: Harness, buyer: Buyer
) -> None:
    bought = await orders(buyer)
    await restart_worker(harness)
    bought += await orders(buyer)
    await until(lambda: columns(buyer, "fulfilled_at IS NOT NULL"), every=0.02)
    await restart_worker(harness)
    await until(lambda: columns(buyer, "given_up_at IS NOT NULL"), every=0.02)
    await harness.faults(latencyMs=500)
    await asyncio.sleep(0.2)  # charges are being canceled
    await restart_worker(harness)
    await harness.faults()
    await buyer.all_ended()

    upgrades = await buyer.upgrades()
    ended = [(method, upgrades[id]) for method, id in zip(METHODS * 2, bought, strict=True)]
    unpaid = [view["paymentStatus"] for method, view in ended if method in UNPAID]
    assert set(unpaid) == {"FAILED"}
    assert await buyer.credits() == 10 * sum(view["fulfilled"] for _, view in ended) > 0
    assert await money_violations(buyer) == []
