"""Parts of a report that cannot be stored do not prevent storing the rest."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.enums import ErrorCode, MessageStatus, ReportStatus, SuppressionReason
from models.session import Database
from providers.ports.messages import Accepted, Found, Refused
from tests.activities.counted import Counted
from tests.activities.doubles import Scripted, report
from tests.factories import Owner
from workflows.messages.types import Ending, Finding, Verdict


@pytest.mark.parametrize(
    ("told_id", "kept_id"),
    [("m1", "m1"), ("x" * 128, "x" * 128), ("x" * 129, None), ("m\0", None)],
)
async def test_an_id_that_cannot_be_stored_does_not_hide_that_it_was_taken(
    database: Database, owner: Owner, told_id: str, kept_id: str | None
) -> None:
    harness = Counted(database, owner, Scripted(Accepted(provider_message_id=told_id)))
    message_id = await harness.accept()
    assert (await harness.hand_over(message_id)).verdict is Verdict.ACCEPTED
    [row] = await harness.rows(
        "SELECT provider_message_id FROM attempt WHERE tenant_id = :t AND message_id = :m",
        message_id,
    )
    assert row.provider_message_id == kept_id


@pytest.mark.parametrize("code", ["9" * 65, "9\0"])
async def test_a_code_that_cannot_be_stored_does_not_hide_a_refusal(
    database: Database, owner: Owner, code: str
) -> None:
    refused = Refused(error_code=ErrorCode.PROVIDER_REFUSED, provider_code=code, everywhere=True)
    harness = Counted(database, owner, Scripted(refused))
    message_id = await harness.accept()
    handed = await harness.hand_over(message_id)
    assert (handed.verdict, handed.error_code) == (Verdict.REFUSED, ErrorCode.PROVIDER_REFUSED)


@pytest.mark.parametrize(
    "bad",
    [
        {"recipient": "nobody", "suppresses": SuppressionReason.CARRIER_OPT_OUT},
        {"phase": "x" * 33},
        {"event_id": "e\0"},
        {"duration_seconds": 2**31},
        {"error_code": "NONE_OF_OURS" * 4},
    ],
)
async def test_a_report_that_cannot_be_stored_hides_neither_the_message_nor_other_reports(
    database: Database, owner: Owner, bad: dict[str, Any]
) -> None:
    wrong = replace(report(ReportStatus.SENT, event_id="e0"), **bad)
    right = report(ReportStatus.DELIVERED, event_id="e1")
    found = Found(provider_message_id="m1", reports=(wrong, right))
    harness = Counted(database, owner, Scripted(truths=[found]))
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=timedelta(seconds=9), provider="one")
    asked = await harness.ask(message_id)
    assert (asked.finding, asked.reported) == (Finding.FOUND, True)
    assert await harness.settle(message_id, Ending.REPORTED) == (MessageStatus.DELIVERED, True)


async def test_a_report_without_a_valid_contact_is_refused_and_blocks_nothing(
    database: Database, owner: Owner
) -> None:
    wrong = replace(report(ReportStatus.DELIVERED), recipient="nobody")
    right = replace(report(ReportStatus.DELIVERED), event_id="right")
    found = Found(provider_message_id="m1", reports=(wrong, right))
    harness = Counted(database, owner, Scripted(truths=[found]))
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=timedelta(seconds=9), provider="one")
    assert (await harness.ask(message_id)).finding is Finding.FOUND
    stored = await harness.rows("SELECT event_id FROM receipt WHERE tenant_id = :t")
    assert [row.event_id for row in stored] == ["right"]
    assert await harness.settle(message_id, Ending.REPORTED) == (MessageStatus.DELIVERED, True)
