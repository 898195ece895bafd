"""Upgrades: every row of the table of payment methods, compared with gateway and ledger."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from tests.chaos.invariants import violations
from tests.chaos.payments import Buyer, money_violations
from tests.e2e.harness import Harness, number, shown_of, until
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("stack")

ROWS = {
    "pm_123": ("succeeded", "SUCCEEDED"),
    "pm_slow": ("succeeded", "SUCCEEDED"),
    "pm_declined": ("declined", "FAILED"),
    "pm_action": ("succeeded", "SUCCEEDED"),
    "pm_action_abandoned": ("canceled", "FAILED"),
    "pm_timeout_charged": ("succeeded", "SUCCEEDED"),
    "pm_fails_later": ("failed", "FAILED"),
}
"""Method → final state of the only charge, and of the payment."""


REVERSED = {
    "pm_other_amount": ("REFUNDED", False, 4901, False, []),
    "pm_refunded_later": ("SUCCEEDED", True, 4900, False, [("PAYMENT_DISPUTED", "WARNING")]),
    "pm_partly_refunded_later": ("SUCCEEDED", True, 2450, False, [("PAYMENT_DISPUTED", "WARNING")]),
    "pm_disputed": ("SUCCEEDED", True, 0, True, [("PAYMENT_DISPUTED", "CRITICAL")]),
    "pm_dispute_won": ("SUCCEEDED", True, 0, True, []),
    "pm_dispute_lost": ("SUCCEEDED", True, 0, True, [("PAYMENT_DISPUTED", "CRITICAL")]),
}
"""Method → status, credits, cents refunded, whether it was disputed, and its open alerts."""


@pytest.fixture
async def buyer(harness: Harness) -> Buyer:
    """A buyer whose merchant has no allowance, so that it sends from credits only."""
    return Buyer(await harness.integrator(sms_limit=0))


async def alerts(buyer: Buyer) -> list[tuple[str, str, int, bool]]:
    """Return type, channel, count and state of every alert."""
    return await buyer.integrator.harness.rows(
        "SELECT type, channel, count, resolved_at IS NULL FROM alert WHERE tenant_id = :tenant"
        " ORDER BY id",
        tenant=buyer.integrator.owner.tenant_id,
    )


async def test_every_row_of_the_table_ends_as_it_says(harness: Harness) -> None:
    buyers = {method: Buyer(await harness.integrator(sms_limit=0)) for method in ROWS}
    answers = await asyncio.gather(
        *(buyer.upgrade(method, key=unique("key")) for method, buyer in buyers.items())
    )
    for answer, buyer in zip(answers, buyers.values(), strict=True):
        assert answer.json() == {
            "merchantId": buyer.integrator.owner.merchant,
            "channel": "SMS",
            "unitsRequested": 2500,
            "amountCents": 4900,
            "currency": "USD",
            "paymentId": answer.json()["paymentId"],
            "paymentStatus": "PENDING",
            "fulfilled": False,
            "remainingCredits": 0,
        }

    async def waits_for_action() -> bool:
        actions = [buyers["pm_action"], buyers["pm_action_abandoned"]]
        shown = [next(iter((await buyer.upgrades()).values())) for buyer in actions]
        return [view["paymentStatus"] for view in shown] == ["REQUIRES_ACTION"] * 2

    await until(waits_for_action, within=3)
    for (method, buyer), answer in zip(buyers.items(), answers, strict=True):
        charged, ended = ROWS[method]
        view = await buyer.ended(answer.json()["paymentId"])
        [charge] = await buyer.listed()
        paid = ended == "SUCCEEDED"
        assert (view["paymentStatus"], view["fulfilled"], charge["status"]) == (
            ended,
            paid,
            charged,
        ), method
        assert (charge["amountCents"], charge["currency"]) == (4900, "USD")
        assert view["remainingCredits"] == await buyer.credits() == (2500 if paid else 0), method
        warned = [] if paid else [("PAYMENT_FAILED", "SMS", 1, True)]
        assert await alerts(buyer) == warned, method
        assert await buyer.listed("refunds") == []
        assert await money_violations(buyer) == [], method


async def test_a_charge_that_does_not_fit_or_is_reversed_is_shown(harness: Harness) -> None:
    buyers = {method: Buyer(await harness.integrator(sms_limit=0)) for method in REVERSED}
    for method, buyer in buyers.items():
        payment_id = (await buyer.upgrade(method, key=unique("key"))).json()["paymentId"]
        wanted = REVERSED[method]

        async def as_wanted(
            buyer: Buyer = buyer, payment_id: str = payment_id, wanted: object = wanted
        ) -> bool:
            view = (await buyer.integrator.get(f"/billing/upgrades/{payment_id}")).json()
            found = (await buyer.integrator.get("/alerts?type=PAYMENT_DISPUTED&open=true")).json()
            return wanted == (
                view["paymentStatus"],
                view["fulfilled"],
                view["refundedCents"],
                view["disputed"],
                [(alert["type"], alert["severity"]) for alert in found],
            )

        await until(as_wanted, within=30)


async def test_the_ledger_shows_what_was_bought_and_what_was_sent(buyer: Buyer) -> None:
    payment_id = await buyer.bought(units=2)
    await buyer.ended(payment_id)
    message_id = await buyer.integrator.accepted(number())
    await buyer.integrator.ended(message_id)
    merchant = buyer.integrator.owner.merchant
    shown = await buyer.integrator.get(f"/billing/ledger?merchantId={merchant}&channel=SMS")
    seen = ("type", "units", "creditUnits", "balance", "messageId", "paymentId")
    assert [tuple(entry[name] for name in seen) for entry in shown.json()] == [
        ("CAPTURE", 1, 1, 1, message_id, None),
        ("HOLD", 1, 1, 1, message_id, None),
        ("TOPUP", 2, 2, 2, None, payment_id),
    ]
    assert await violations(buyer.integrator) == []


async def test_fifty_concurrent_requests_with_one_key_are_one_charge(buyer: Buyer) -> None:
    fields = {"referenceId": unique("ref")}
    key = unique("key")
    answers = await asyncio.gather(*(buyer.upgrade(key=key, **fields) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["paymentId"] for answer in answers}) == 1
    replayed = Counter(answer.headers.get("Idempotency-Replayed") for answer in answers)
    assert replayed == {None: 1, "true": 49}
    await buyer.all_ended()
    assert len(await buyer.listed()) == 1
    assert await buyer.credits() == 2500
    again = await buyer.upgrade(key=key, **fields)
    assert (again.json()["paymentStatus"], again.json()["fulfilled"]) == ("SUCCEEDED", True)
    assert await money_violations(buyer) == []


async def test_a_merchant_switched_off_before_the_grant_gets_its_money_back(buyer: Buyer) -> None:
    payment_id = await buyer.bought("pm_slow")
    off = {"displayName": "Gym A", "active": False, "merchantId": buyer.integrator.owner.merchant}
    assert (await buyer.integrator.post("/merchants", off)).status_code == 200
    refused = await buyer.upgrade()
    assert (refused.status_code, refused.json()["code"]) == (403, "MERCHANT_INACTIVE")
    view = await buyer.ended(payment_id)
    assert (view["paymentStatus"], view["fulfilled"], view["remainingCredits"]) == (
        "REFUNDED",
        False,
        0,
    )
    assert len(await buyer.listed()) == len(await buyer.listed("refunds")) == 1
    assert await money_violations(buyer) == []


async def test_a_failed_purchase_frees_its_reference_and_the_next_success_resolves_the_alert(
    buyer: Buyer,
) -> None:
    reference = unique("ref")
    failed = await buyer.bought("pm_declined", referenceId=reference)
    await buyer.ended(failed)
    paid = await buyer.bought(referenceId=reference, channel="EMAIL")
    assert paid != failed
    await buyer.ended(paid)
    assert await alerts(buyer) == [("PAYMENT_FAILED", "SMS", 1, False)]
    assert (await buyer.credits(), await buyer.credits("EMAIL")) == (0, 2500)
    assert await money_violations(buyer) == []


async def test_parallel_purchases_and_sends_leave_exact_balances(buyer: Buyer) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    bought = [buyer.upgrade(key=unique("key"), units=10) for _ in range(20)]
    sent = [buyer.integrator.send(number(), sendAt=later) for _ in range(200)]
    answers = await asyncio.gather(*bought, *sent)
    assert {answer.status_code for answer in answers[:20]} == {200}
    statuses = Counter(answer.status_code for answer in answers[20:])
    assert statuses.keys() <= {200, 402}
    await buyer.all_ended()
    [(available, held)] = await buyer.integrator.harness.rows(
        "SELECT available, held FROM credit_account WHERE tenant_id = :tenant AND channel = 'SMS'",
        tenant=buyer.integrator.owner.tenant_id,
    )
    assert (available, held) == (200 - statuses[200], statuses[200])
    assert await money_violations(buyer) == []


async def test_an_outage_of_the_gateway_only_delays_payments(
    harness: Harness, buyer: Buyer
) -> None:
    await harness.faults(down=True)
    try:
        payment_id = await buyer.bought()
        await asyncio.sleep(1)
        assert await buyer.status(payment_id) == "PENDING"
    finally:
        await harness.faults()
    assert (await buyer.ended(payment_id))["fulfilled"] is True
    assert await money_violations(buyer) == []


async def test_a_payment_method_is_in_no_history_log_or_alert(
    harness: Harness, buyer: Buyer, temporal_client: Client
) -> None:
    methods = ["pm_declined", unique("pm_secret")]
    for method in methods:
        await buyer.ended(await buyer.bought(method, key=unique("key"), note="a private note"))
    mine = f"HexavoxTenant = {buyer.integrator.owner.tenant_id}"
    outcomes: dict[str, str] = {}

    async def found() -> bool:
        for outcome in ("FAILED", "SUCCEEDED"):
            query = f"{mine} AND HexavoxPaymentId > 0 AND HexavoxOutcome = '{outcome}'"
            async for run in temporal_client.list_workflows(query):
                outcomes[outcome] = run.id
        return len(outcomes) == 2

    await until(found)
    [(message,)] = await harness.rows(
        "SELECT message FROM alert WHERE tenant_id = :tenant",
        tenant=buyer.integrator.owner.tenant_id,
    )
    shown = [await shown_of(temporal_client, id) for id in outcomes.values()]
    assert all('"payment_id":' in text for text in shown), "payloads were looked into"
    logs = [harness.stack.log(process) for process in ("api", "worker", "simulator")]
    secrets = [methods[1], "a private note", buyer.integrator.owner.api_secret]
    told = "\n".join([message, *shown, *logs, harness.temporal.log.read_text(errors="replace")])
    assert [word for word in secrets if word in told] == []
