"""An opt-out counts even if its answer is not accepted."""

import logging

import pytest
from sqlalchemy import text

from tests.inbound.harness import InboundHarness

STORED = "evt_0123456789"


async def test_an_opt_out_counts_when_the_key_of_its_answer_is_taken(
    inbound: InboundHarness, caplog: pytest.LogCaptureFixture
) -> None:
    await inbound.writes()
    await inbound.texts("STOP", eventId=STORED)
    await inbound.texts("START")
    async with inbound.database.transaction() as db:
        await db.execute(
            text("DELETE FROM inbound_message WHERE tenant_id = :t AND event_id = :event"),
            {"t": inbound.owner.tenant_id, "event": STORED},
        )
    answers = await inbound.answers()
    with caplog.at_level(logging.ERROR):
        response = await inbound.texts("STOP", eventId=STORED)
    assert response.status_code == 204
    assert [status for status, _ in (await inbound.consents()).values()] == ["OPT_OUT"]
    assert await inbound.answers() == answers
    assert [record.message for record in caplog.records] == ["an answer was not accepted"]
