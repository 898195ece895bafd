"""10DLC on the whole system: all registrations of a merchant until it may send."""

import asyncio

import pytest
from temporalio.client import Client

from tests.e2e.harness import Harness, Integrator, number, shown_of
from tests.e2e.registrar import Registrar
from tests.messaging import BRAND

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture
def registrar(integrator: Integrator) -> Registrar:
    """A merchant that is not registered yet."""
    return Registrar(integrator)


async def test_a_merchant_registers_buys_a_number_sends_from_it_and_gives_it_back(
    harness: Harness, registrar: Registrar, temporal_client: Client
) -> None:
    assert (await registrar.get("status"))["a2pAllowed"] is False
    brand, bought = await asyncio.gather(registrar.brand(), registrar.bought("813"))
    assert (brand["status"], brand["ein"]) == ("APPROVED", "*****6789")
    campaign = await registrar.campaign()
    assert (campaign["status"], campaign["reasons"]) == ("APPROVED", [])
    body = {"campaignId": campaign["campaignId"]}
    assigned = await registrar.post(f"numbers/{bought['number']}/assignment", body)
    assert assigned["status"] == "PENDING"
    await registrar.number(bought["number"], assignmentStatus=["ASSIGNED"])

    status = await registrar.get("status")
    assert (status["a2pAllowed"], status["missing"]) == (True, [])
    assert status["throughput"]["numbers"] == 1

    to = number()
    await registrar.integrator.ended(await registrar.integrator.accepted(to))
    assert [copy["from"] for copy in await harness.deliveries(to)] == [bought["number"]]

    leaving = await registrar.release(bought["number"])
    assert (leaving["status"], leaving["assignmentStatus"]) == ("ACTIVE", "UNASSIGNING")
    gone = await registrar.number(bought["number"], status=["RELEASED"])
    assert (gone["assignmentStatus"], gone["reasons"]) == ("UNASSIGNED", [])
    assert (await registrar.get("status"))["a2pAllowed"] is False
    senders = await harness.rows(
        "SELECT number FROM sender_number WHERE number = :number", number=bought["number"]
    )
    assert senders == []
    counted = {
        collection: len(await registrar.registered(collection))
        for collection in ("brands", "campaigns", "numbers", "assignments", "releases")
    }
    assert set(counted.values()) == {1}

    tenant = registrar.integrator.owner.tenant_id
    private = ["3456789", bought["number"][1:], "gym-a.example", "Main Street", "Gym A"]
    for workflow in (
        f"register-brand/{tenant}/{brand['brandId']}",
        f"register-campaign/{tenant}/{campaign['campaignId']}",
        f"buy-number/{tenant}/{bought['numberId']}",
        f"assign-number/{tenant}/{bought['numberId']}",
        f"return-number/{tenant}/{bought['numberId']}",
    ):
        shown = await shown_of(temporal_client, workflow)
        assert "row_id" in shown, "payloads were looked into"
        assert [word for word in private if word in shown] == []
    for process in ("api", "worker"):
        log = harness.stack.log(process)
        assert log, "it was looked into"
        assert [word for word in private if word in log] == []


async def test_a_rejected_brand_says_why_raises_an_alert_and_is_approved_once_corrected(
    harness: Harness, registrar: Registrar
) -> None:
    async def alerts() -> list[tuple[str, bool]]:
        return await harness.rows(
            "SELECT subject, resolved_at IS NULL FROM alert"
            " WHERE tenant_id = :tenant AND type = 'COMPLIANCE_REJECTED'",
            tenant=registrar.integrator.owner.tenant_id,
        )

    rejected = await registrar.brand("REJECT LLC")
    assert rejected["status"] == "REJECTED"
    assert [reason["field"] for reason in rejected["reasons"]] == ["ein", "website"]
    assert await alerts() == [(f"brand-{rejected['brandId']}", True)]

    approved = await registrar.brand()
    assert (approved["status"], approved["reasons"]) == ("APPROVED", [])
    assert approved["brandId"] == rejected["brandId"]
    assert await alerts() == [(f"brand-{rejected['brandId']}", False)]
    assert len(await registrar.registered("brands")) == 1


async def test_campaigns_of_a_creject_brand_are_rejected_with_the_field_at_fault(
    registrar: Registrar,
) -> None:
    assert (await registrar.brand("CREJECT LLC"))["status"] == "APPROVED"
    campaign = await registrar.campaign()
    assert campaign["status"] == "REJECTED"
    assert [reason["field"] for reason in campaign["reasons"]] == ["messageFlow"]
    missing = (await registrar.get("status"))["missing"]
    assert missing[0].startswith("Correct the campaign")


async def test_a_slow_registry_is_awaited_and_a_retry_returns_the_status(
    registrar: Registrar,
) -> None:
    body = {**BRAND, "legalName": "SLOW LLC"}
    first = await registrar.post("brand", body, key="brand-1")
    again = await registrar.post("brand", body, key="brand-1")
    assert (first["status"], again["status"]) == ("PENDING", "PENDING")
    assert first["brandId"] == again["brandId"]
    assert (await registrar.get("status"))["missing"][0].startswith("Wait for the brand")
