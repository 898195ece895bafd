"""Buying credits: every row of the table of payment methods, held against gateway and ledger."""

import asyncio

import pytest

from tests.chaos.payments import Buyer
from tests.e2e.house import House

pytestmark = pytest.mark.xdist_group("stack")


async def test_smoke(house: House) -> None:
    buyer = Buyer(await house.integrator(sms_limit=0))
    answer = await buyer.upgrade("pm_123", key="k1")
    print(answer.json())
    for _ in range(20):
        print((await buyer.integrator.get("/billing/upgrades")).json())
        await asyncio.sleep(0.3)
    print((await buyer.integrator.get(f"/billing/ledger?merchantId={buyer.integrator.owner.merchant}")).json())
    print(house.stack.log("worker")[-3000:])
    assert 0
