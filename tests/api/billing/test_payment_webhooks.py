"""Webhooks of charges: forged ones are refused, repeated ones change nothing."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from models.enums import ChargeState
from models.rules.billing.payments import PaymentAction
from models.rules.messages.reference import PaymentReference, parse_payment_reference
from models.session import Database
from tests.activities.gateways import LOST, OwnGateway, PaymentHarness
from tests.api.billing.charge_reports import SECRET, charge_report, everything, post
from tests.api.doubles import FakeUpgradeStarter
from tests.factories import Owner, make_owner
from tests.shown_ids import row_of


@pytest.fixture
async def harness(database: Database, owner: Owner) -> PaymentHarness:
    """Payments at the simulator's gateway."""
    return PaymentHarness(
        database, owner, OwnGateway(state=ChargeState.PROCESSING, name="simulator")
    )


@pytest.fixture
async def reference(harness: PaymentHarness, upgrades: FakeUpgradeStarter) -> str:
    """A pending charge."""
    payment_id = await harness.order(key="k")
    await harness.take("charge", payment_id)
    [request] = harness.gateway.requests
    return request.reference


async def payment_of(harness: PaymentHarness, reference: str) -> int:
    return await row_of(harness.database, "payment", reference.split("-")[2])


async def test_a_report_takes_effect_and_signals_the_workflow(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str, upgrades: FakeUpgradeStarter
) -> None:
    assert (await post(client, reference, charge_report(reference))).status_code == 204
    row = await harness.row(await payment_of(harness, reference))
    assert (row.status, row.taken_at is not None, row.completed_at) == ("SUCCEEDED", True, None)
    assert row.sweep_at <= datetime.now(UTC) + timedelta(seconds=5)
    assert upgrades.row_changed == [f"upgrade/{harness.owner.tenant_public_id}/k"]


async def test_a_repeated_report_changes_nothing(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str, upgrades: FakeUpgradeStarter
) -> None:
    body = charge_report(reference)
    await post(client, reference, body)
    await harness.take("grant", await payment_of(harness, reference))
    before = await everything(harness)
    row_changed = len(upgrades.row_changed)
    answers = await asyncio.gather(*(post(client, reference, body) for _ in range(10)))
    answers.append(await post(client, reference, charge_report(reference, status="failed")))
    assert {answer.status_code for answer in answers} == {204}
    assert await everything(harness) == before
    assert len(upgrades.row_changed) == row_changed, "nobody is left to wake"


async def test_a_payment_ended_by_a_report_is_counted_once(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str
) -> None:
    before = failures_counted()
    for event in ("1", "1", "2"):
        await post(client, reference, charge_report(reference, status="failed", eventId=event))
    payment_id = await payment_of(harness, reference)
    assert (await harness.take("await_payment", payment_id)).moved is False
    assert failures_counted() == before + 1


def failures_counted() -> float:
    return REGISTRY.get_sample_value("hexavox_payments_ended_total", {"status": "FAILED"}) or 0


@pytest.mark.parametrize(("secret", "seconds_off"), [("guessed", 0), (SECRET, -600), (SECRET, 600)])
async def test_a_wrong_or_old_signature_is_403(
    client: httpx.AsyncClient,
    harness: PaymentHarness,
    reference: str,
    secret: str,
    seconds_off: int,
) -> None:
    before = await everything(harness)
    at = time.time() + seconds_off
    answer = await post(client, reference, charge_report(reference), secret=secret, at=at)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    unsigned = await client.post(
        f"/webhooks/simulator/payments/{reference}", json=charge_report(reference)
    )
    assert unsigned.status_code == 403
    assert await everything(harness) == before


async def test_a_report_of_another_payment_at_this_url_is_403(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str
) -> None:
    other = f"{reference}0"
    assert (await post(client, other, charge_report(reference))).status_code == 403
    assert (await post(client, reference, charge_report(other))).status_code == 403


@pytest.mark.parametrize("where", ["reference", "fixed"])
async def test_an_event_of_another_type_is_204_and_changes_nothing(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str, where: str
) -> None:
    before = await everything(harness)
    address = reference if where == "reference" else None
    for told in ({"type": "payout", "reference": reference}, {"type": "charge.updated"}):
        assert (await post(client, address, told)).status_code == 204
    assert await everything(harness) == before


async def test_a_report_at_the_fixed_address_is_about_the_reference_in_it(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str, upgrades: FakeUpgradeStarter
) -> None:
    assert (await post(client, None, charge_report(reference), secret="x")).status_code == 403
    assert (await post(client, None, charge_report(reference))).status_code == 204
    row = await harness.row(await payment_of(harness, reference))
    assert row.status == "SUCCEEDED"
    assert upgrades.row_changed == [f"upgrade/{harness.owner.tenant_public_id}/k"]


async def test_a_report_of_somebody_elses_charge_at_the_fixed_address_is_204(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str
) -> None:
    """The account at the gateway may take payments of other software too."""
    before = await everything(harness)
    for other in (f"{reference}0", "order-7", ""):
        assert (await post(client, None, charge_report(other))).status_code == 204
    assert await everything(harness) == before


@pytest.mark.parametrize(
    "changed", [{"amountCents": 9}, {"amountCents": 11}, {"currency": "MXN"}], ids=repr
)
async def test_an_unrequested_charge_is_recorded_once_and_not_granted(
    client: httpx.AsyncClient,
    harness: PaymentHarness,
    reference: str,
    upgrades: FakeUpgradeStarter,
    changed: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    counted, payment_id = dropped("AMOUNT"), await payment_of(harness, reference)
    assert (await post(client, reference, charge_report(reference, **changed))).status_code == 204
    noted = await everything(harness)
    row = await harness.row(payment_id)
    told = charge_report(reference, **changed)
    assert (row.status, row.mismatch_at is not None) == ("PENDING", True)
    assert (row.captured_cents, row.captured_currency) == (told["amountCents"], told["currency"])
    assert (await harness.take("grant", payment_id)).next_action is PaymentAction.AWAIT
    assert dropped("AMOUNT") == counted + 1
    assert upgrades.row_changed == [f"upgrade/{harness.owner.tenant_public_id}/k"]
    assert "the charge at the gateway does not match the payment" in caplog.messages
    assert (await post(client, reference, told)).status_code == 204
    assert await everything(harness) == noted


@pytest.mark.parametrize("status", ["failed", "canceled", "processing", "requires_action"])
async def test_an_unrequested_charge_without_money_is_dropped(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str, status: str
) -> None:
    before, counted = await everything(harness), dropped("AMOUNT")
    told = charge_report(reference, amountCents=9, status=status)
    assert (await post(client, reference, told)).status_code == 204
    assert await everything(harness) == before
    assert dropped("AMOUNT") == counted + 1


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
async def test_a_report_of_another_charge_than_the_payments_is_dropped(
    client: httpx.AsyncClient,
    harness: PaymentHarness,
    reference: str,
    upgrades: FakeUpgradeStarter,
    status: str,
) -> None:
    before, counted = await everything(harness), dropped("CHARGE_ID")
    told = charge_report(reference, chargeId="ch-another", status=status)
    assert (await post(client, reference, told)).status_code == 204
    assert await everything(harness) == before
    assert (dropped("CHARGE_ID"), upgrades.row_changed) == (counted + 1, [])


async def test_one_charge_pays_one_payment(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str
) -> None:
    await post(client, reference, charge_report(reference))
    other = await harness.order(key="other")
    harness.gateway.answers.append(LOST)
    await harness.take("charge", other)
    unpaid = str(await harness.reference(other))
    before = await everything(harness)
    told = charge_report(unpaid, chargeId=f"ch-{reference}")
    assert (await post(client, unpaid, told)).status_code == 204
    again = charge_report(unpaid, eventId=f"evt-{reference}")
    assert (await post(client, unpaid, again)).status_code == 204
    assert await everything(harness) == before


async def test_a_charge_that_a_concurrent_payment_takes_is_dropped(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str
) -> None:
    other = await harness.order(key="other")
    harness.gateway.answers.append(LOST)
    await harness.take("charge", other)
    unpaid = str(await harness.reference(other))
    counted = dropped("CHARGE_ID")
    charge, payment_id = f"ch-new-{reference}", await payment_of(harness, reference)
    async with harness.database.transaction() as db:
        await db.execute(
            text("UPDATE payment SET charge_id = :c WHERE tenant_id = :t AND id = :p"),
            {"c": charge, "t": harness.owner.tenant_id, "p": payment_id},
        )
        told = asyncio.create_task(post(client, unpaid, charge_report(unpaid, chargeId=charge)))
        async with asyncio.timeout(5):
            while not await harness.rows(_UNGRANTED):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert (await told).status_code == 204
    assert dropped("CHARGE_ID") == counted + 1


_UNGRANTED = "SELECT 1 FROM pg_locks WHERE NOT granted AND CAST(:t AS bigint) IS NOT NULL"


def dropped(reason: str) -> float:
    labels = {"gateway": "simulator", "reason": reason}
    return REGISTRY.get_sample_value("hexavox_charge_mismatches_total", labels) or 0


async def test_a_report_of_an_old_charge_under_the_same_ids_is_404(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str
) -> None:
    before = await everything(harness)
    owner, row_id = harness.owner, await payment_of(harness, reference)
    by_rows = PaymentReference(tenant=owner.tenant_id, payment=row_id)
    by_row = PaymentReference(tenant=owner.tenant_public_id, payment=row_id)
    for old in (str(by_rows), str(by_row), f"hxp-{owner.tenant_id}-{row_id}-aaaaaaaa"):
        assert (await post(client, old, charge_report(old))).status_code == 404
    assert await everything(harness) == before


async def test_a_report_about_a_message_is_not_one_of_a_charge(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str
) -> None:
    report = charge_report(reference)
    del report["type"]
    assert (await post(client, reference, report)).status_code == 400
    assert (await post(client, "hx-1-1-1", charge_report("hx-1-1-1"))).status_code == 404


async def test_a_report_of_an_unknown_payment_is_404(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str
) -> None:
    named = parse_payment_reference(reference)
    assert named is not None
    for nobody in (replace(named, payment=named.payment ^ 1), replace(named, tenant=1)):
        assert (await post(client, str(nobody), charge_report(str(nobody)))).status_code == 404
    assert (
        await post(client, reference, charge_report(reference), gateway="other")
    ).status_code == 404
    never_asked = str(await harness.reference(await harness.order()))
    assert (await post(client, never_asked, charge_report(never_asked))).status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "unheard-of"},
        {"status": None},
        {"status": ["succeeded"]},
        {"eventId": ""},
        {"eventId": "e" * 129},
        {"eventId": "a\x00b"},
        {"chargeId": "c" * 129},
        {"chargeId": "\ud800"},
        {"at": "yesterday"},
        {"at": "2026-11-27T00:00:00"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"at": 7},
        {"amountCents": None},
        {"amountCents": "10"},
        {"currency": None},
        {"currency": "dollars"},
    ],
    ids=repr,
)
async def test_a_body_that_cannot_be_read_is_400_although_it_is_signed(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str, changed: dict[str, Any]
) -> None:
    before = await everything(harness)
    assert (await post(client, reference, charge_report(reference, **changed))).status_code == 400
    assert await everything(harness) == before


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"[" * 100_000, b"null", b'"x"'])
async def test_an_invalid_report_is_400(
    client: httpx.AsyncClient, reference: str, body: bytes
) -> None:
    assert (await post(client, reference, body)).status_code == 400


async def test_a_report_of_another_tenants_payment_affects_only_that_one(
    client: httpx.AsyncClient, harness: PaymentHarness, reference: str, database: Database
) -> None:
    stranger = await make_owner(database)
    own = str(harness.owner.tenant_public_id)
    crossed = reference.replace(own, str(stranger.tenant_public_id), 1)
    assert (await post(client, crossed, charge_report(crossed))).status_code == 404
    async with database.read() as db:
        found = await db.execute(
            text("SELECT 1 FROM payment_event WHERE charge_id = :c"), {"c": f"ch-{crossed}"}
        )
    assert found.all() == []
