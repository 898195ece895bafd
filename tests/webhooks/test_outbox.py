"""The outbox: an event is stored with the change that makes it true, for each endpoint."""

import asyncio

import pytest
from sqlalchemy import text

from models.enums import WebhookDeliveryStatus, WebhookEventType
from models.session import Database
from tests.factories import Owner, make_message, make_owner, new_message
from tests.webhooks.endpoints import deliveries_of, make_endpoint, set_status, told, write_status

PENDING, FAILED = WebhookDeliveryStatus.PENDING, WebhookDeliveryStatus.FAILED
ACCEPTED, SENT = WebhookEventType.MESSAGE_ACCEPTED, WebhookEventType.MESSAGE_SENT
DELIVERED, UNKNOWN = WebhookEventType.MESSAGE_DELIVERED, WebhookEventType.MESSAGE_UNKNOWN


async def test_events_of_a_message_are_numbered_and_only_the_first_is_due(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    message = await make_message(database, new_message(owner))
    for status in ("SENDING", "SENT", "UNKNOWN", "DELIVERED"):
        await set_status(database, owner.tenant_id, message, status)
    assert told(await deliveries_of(database, endpoint)) == [
        (ACCEPTED, 1, PENDING, True),
        (SENT, 2, PENDING, False),
        (UNKNOWN, 3, PENDING, False),
        (DELIVERED, 4, PENDING, False),
    ]


async def test_each_endpoint_gets_what_it_asked_for(database: Database, owner: Owner) -> None:
    all_events = await make_endpoint(database, owner)
    sent_only = await make_endpoint(database, owner, events=[SENT])
    of_merchant = await make_endpoint(database, owner, merchant_id=owner.merchant_id)
    of_another = await make_endpoint(database, owner, merchant_id=owner.merchant_id + 1)
    inactive = await make_endpoint(database, owner, active=False)
    stranger = await make_endpoint(database, await make_owner(database))
    message = await make_message(database, new_message(owner))
    await set_status(database, owner.tenant_id, message, "SENDING")
    await set_status(database, owner.tenant_id, message, "SENT")
    both = [(ACCEPTED, 1, PENDING, True), (SENT, 2, PENDING, False)]
    assert told(await deliveries_of(database, all_events)) == both
    assert told(await deliveries_of(database, of_merchant)) == both
    assert told(await deliveries_of(database, sent_only)) == [(SENT, 2, PENDING, True)]
    assert told(await deliveries_of(database, inactive)) == [
        (ACCEPTED, 1, FAILED, False),
        (SENT, 2, FAILED, False),
    ]
    assert not await deliveries_of(database, of_another)
    assert not await deliveries_of(database, stranger)
    assert {d.event_id for d in await deliveries_of(database, all_events)} == {
        d.event_id for d in await deliveries_of(database, of_merchant)
    }


async def roll_back_canceled(database: Database, owner: Owner, message: int) -> None:
    """Write a status and roll it back."""
    async with database.transaction() as db:
        await write_status(db, owner.tenant_id, message, "CANCELED")
        raise RuntimeError


async def test_what_is_rolled_back_is_not_told(database: Database, owner: Owner) -> None:
    endpoint = await make_endpoint(database, owner)
    message = await make_message(database, new_message(owner))
    cancel = roll_back_canceled(database, owner, message)
    with pytest.raises(RuntimeError):
        await cancel
    assert [d.type for d in await deliveries_of(database, endpoint)] == [ACCEPTED]


async def test_an_event_is_due_if_the_earlier_one_ends_while_it_is_recorded(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    message = await make_message(database, new_message(owner))
    async with database.transaction() as db:
        await db.execute(
            text(
                "UPDATE webhook_delivery SET status = 'SUCCEEDED', due_at = NULL"
                " WHERE tenant_id = :t AND endpoint_id = :e"
            ),
            {"t": owner.tenant_id, "e": endpoint.id},
        )
        recording = asyncio.create_task(set_status(database, owner.tenant_id, message, "CANCELED"))
        await asyncio.sleep(0.3)
        assert not recording.done()
    await recording
    assert [d.due_at is not None for d in await deliveries_of(database, endpoint)] == [False, True]
