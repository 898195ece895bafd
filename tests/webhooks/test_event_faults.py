"""A fault in the body of one event affects only that one; one of infrastructure affects all."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from models.enums import WebhookEventType, WebhookSubject
from models.session import Database
from tests.factories import Owner, make_message, new_message
from tests.webhooks.endpoints import deliveries_of, make_endpoint
from tests.webhooks.rendering import rendered


async def test_an_event_that_cannot_be_rendered_does_not_affect_others(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    for _ in range(3):
        await make_message(database, new_message(owner))
    broken, gone, good = await deliveries_of(database, endpoint)
    broken.state = {"status": "NO_SUCH_STATUS"}
    gone.subject_id = 1
    bodies = await rendered(database, [broken, gone, good])
    assert bodies[:2] == [None, None]
    assert bodies[2]["id"] == str(good.event_id)
    assert await rendered(database, [broken]) == [None]


@pytest.mark.parametrize(
    "facts",
    [
        {"subject_id": 2**63},
        {"subject_id": -(2**63) - 1},
        {"subject": "INBOUND", "type": "message.inbound", "subject_id": 2**63},
        {"subject": "UPGRADE", "type": "upgrade.failed", "subject_id": 2**63},
        {"subject": "CONSENT", "type": "consent.changed", "subject_id": 2**63},
        {"subject": "ALERT", "type": "alert.raised", "subject_id": 2**63},
        {"subject": "USAGE", "type": "usage.finalized", "state": {"day": "2026-02-30"}},
        {"subject": "USAGE", "type": "usage.finalized", "state": {"day": 1}},
        {"subject": "USAGE", "type": "usage.finalized", "state": {}},
        {"subject": "COMPLIANCE", "type": "compliance.changed", "merchant_id": 2**63},
        {"type": "alert.raised"},
        {"state": {"status": []}},
        {"state": {"status": "SENT", "attempts": "many"}},
    ],
    ids=str,
)
async def test_a_fault_of_one_event_is_told_from_those_of_all(
    database: Database, owner: Owner, facts: dict[str, Any]
) -> None:
    endpoint = await make_endpoint(database, owner)
    for _ in range(3):
        await make_message(database, new_message(owner))
    first, broken, last = await deliveries_of(database, endpoint)
    for name, value in facts.items():
        setattr(broken, name, value)
    good_1, none, good_2 = await rendered(database, [first, broken, last])
    assert none is None
    assert [good_1["id"], good_2["id"]] == [str(first.event_id), str(last.event_id)]


async def test_a_status_without_a_registry_does_not_hold_up_other_events(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    for _ in range(2):
        await make_message(database, new_message(owner))
    status, good = await deliveries_of(database, endpoint)
    status.subject = WebhookSubject.COMPLIANCE
    status.type = WebhookEventType.COMPLIANCE_CHANGED
    none, body = await rendered(database, [status, good])  # no registry is configured
    assert none is None
    assert body["id"] == str(good.event_id)


async def test_a_database_that_is_away_fails_the_whole_step(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    await make_message(database, new_message(owner))
    deliveries = await deliveries_of(database, endpoint)
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    try:
        with pytest.raises(OperationalError):
            await rendered(away, deliveries)
    finally:
        await away.close()
    assert await rendered(database, deliveries) != [None]
