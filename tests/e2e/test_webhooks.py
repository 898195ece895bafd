"""Forged reports are refused, and repeated ones change nothing."""

import pytest

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, until

pytestmark = pytest.mark.xdist_group("stack")


def _reference(integrator: Integrator, message_id: str, attempt: int = 1) -> str:
    return f"hx-{integrator.owner.tenant_public_id}-{message_id}-{attempt}"


async def _report(
    harness: Harness, reference: str, status: str = "delivered", **facts: object
) -> dict[str, object]:
    """Build a report on an attempt with the simulator's data; `facts` replace fields."""
    message = await harness.provider_message(reference)
    return {
        "eventId": f"forged-{reference}-{status}",
        "messageId": message,
        "reference": reference,
        "channel": "SMS",
        "status": status,
        "at": "2026-04-16T13:20:32.942Z",
        "errorCode": 30005 if status == "undelivered" else None,
        **facts,
    }


async def _forged_receipts(harness: Harness, reference: str) -> list[object]:
    return await harness.rows(
        "SELECT event_id FROM receipt WHERE event_id LIKE :forged",
        forged=f"forged-{reference}-%",
    )


async def test_a_report_with_a_wrong_signature_is_refused_and_changes_nothing(
    harness: Harness, integrator: Integrator
) -> None:
    message_id = await integrator.accepted(number("9010"))  # stays open until it is looked up
    reference = _reference(integrator, message_id)
    await until(lambda: harness.is_known(reference))
    report = await _report(harness, reference, "undelivered")

    forged = await harness.webhook(reference, report, secret="guessed")

    assert (forged.status_code, forged.json()["code"]) == (403, "FORBIDDEN")
    unsigned = await harness.http.post(
        f"{harness.stack.api_url}/webhooks/simulator/{reference}", json=report
    )
    assert unsigned.status_code == 403
    view = await integrator.ended(message_id)
    assert (view["status"], view["errorCode"]) == ("DELIVERED", None)
    assert await _forged_receipts(harness, reference) == []
    assert await violations(integrator) == []


async def test_replaying_every_true_report_changes_nothing(
    harness: Harness, integrator: Integrator
) -> None:
    message_id = await integrator.accepted(number())
    await integrator.ended(message_id)
    reference = _reference(integrator, message_id)
    reports = await harness.reports(reference)
    assert [report["status"] for report in reports] == ["sent", "delivered"]
    before = await integrator.everything()

    for report in reports * 2:
        assert (await harness.webhook(reference, report)).status_code == 204

    assert await integrator.everything() == before
    assert await violations(integrator) == []


async def test_after_the_final_report_another_one_changes_neither_status_nor_ledger(
    harness: Harness, integrator: Integrator
) -> None:
    message_id = await integrator.accepted(number())
    await integrator.ended(message_id)
    reference = _reference(integrator, message_id)
    before = await integrator.everything()

    answer = await harness.webhook(reference, await _report(harness, reference, "undelivered"))

    assert answer.status_code == 204
    after = await integrator.everything()
    assert {**after, "receipt": []} == {**before, "receipt": []}
    assert (await integrator.view(message_id))["status"] == "DELIVERED"


async def test_a_true_report_sent_to_another_messages_address_is_refused(
    harness: Harness, integrator: Integrator
) -> None:
    delivered = await integrator.accepted(number())
    other = await integrator.accepted(number("9001"))
    await integrator.all_ended()
    before = await integrator.everything()
    [*_, report] = await harness.reports(_reference(integrator, delivered))

    answer = await harness.webhook(_reference(integrator, other), report)

    assert answer.status_code == 403
    assert await integrator.everything() == before


async def test_a_report_about_another_tenants_message_has_no_effect(
    harness: Harness, integrator: Integrator
) -> None:
    stranger = await harness.integrator()
    message_id = await integrator.accepted(number("9010"))
    reference = _reference(stranger, message_id)

    await until(lambda: harness.is_known(_reference(integrator, message_id)))
    report = await _report(harness, _reference(integrator, message_id), "undelivered")

    answer = await harness.webhook(reference, {**report, "reference": reference})

    assert answer.status_code == 204
    view = await integrator.ended(message_id)
    assert view["status"] == "DELIVERED"
    assert await _forged_receipts(harness, reference) == []


async def test_a_signed_report_of_something_else_changes_nothing(
    harness: Harness, integrator: Integrator
) -> None:
    message_id = await integrator.accepted(number("9011"))  # ends UNKNOWN, so it can be corrected
    await integrator.ended(message_id)
    reference = _reference(integrator, message_id)
    before = await integrator.everything()

    for facts in (
        {"messageId": "sim_forged"},
        {"recipient": "+18135550000"},
        {"recipient": "eve@example.com", "status": "complained", "channel": "EMAIL"},
        {"channel": "VOICE"},
    ):
        report = await _report(harness, reference, **facts)
        assert (await harness.webhook(reference, report)).status_code == 204

    assert await integrator.everything() == before
    assert (await integrator.view(message_id))["status"] == "UNKNOWN"


async def test_a_late_report_corrects_unknown_once_and_takes_no_units_again(
    harness: Harness, integrator: Integrator
) -> None:
    message_id = await integrator.accepted(number("9011"))
    await integrator.ended(message_id)
    reference = _reference(integrator, message_id)
    before = await integrator.everything()

    async def corrected() -> bool:
        view = await integrator.view(message_id)
        return bool(view["status"] == "DELIVERED")

    assert (await harness.webhook(reference, await _report(harness, reference))).status_code == 204
    await until(corrected)
    again = await harness.webhook(reference, await _report(harness, reference, "undelivered"))
    assert again.status_code == 204
    await harness.webhook(reference, await _report(harness, reference))

    after = await integrator.everything()
    assert (await integrator.view(message_id))["status"] == "DELIVERED"
    for table in ("ledger_entry", "allowance_month", "credit_account", "usage_record"):
        assert after[table] == before[table]
    ((usage,),), ((corrected_usage,),) = before["usage_day"], after["usage_day"]
    assert corrected_usage == {**usage, "delivered": 1}
