"""Several sweepers at once, as after a worker was frozen: each row is taken by one of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

import pytest

from models.enums import MessageType, ReportStatus
from models.queries.messages import receipts
from models.queries.system import sweep_messages, sweep_payments
from models.session import Database, WriteSession
from tests.activities.doubles import Scripted
from tests.activities.gateways import OwnGateway, PaymentHarness
from tests.activities.harness import Harness
from tests.activities.system.test_sweep import GRACE, SECOND, alone, harness, stalled
from tests.activities.system.test_unstarted import unstarted
from tests.contacts import CONTACT_KEYS

__all__ = ["alone", "harness"]

SWEEPERS = 4
ROWS = 40
MOST = 7
"""Rows of one turn."""

Take = Callable[[WriteSession, datetime], Awaitable[Sequence[Any]]]
_SCHEDULE = {"grace": GRACE, "longest": 10 * GRACE, "most": MOST}


@pytest.fixture
async def sweepers(alone: Database) -> AsyncIterator[list[Database]]:
    """Connections of so many workers."""
    url = alone.engine.url.render_as_string(hide_password=False)
    async with AsyncExitStack() as held:
        databases = []
        for _ in range(SWEEPERS):
            database = Database(url, pool_size=2, contact_keys=CONTACT_KEYS)
            held.push_async_callback(database.close)
            databases.append(database)
        yield databases


async def taken(sweepers: list[Database], take: Take) -> list[Any]:
    """Let every sweeper run turns until none is due; return what all took."""

    async def sweep(database: Database) -> list[Any]:
        found: list[Any] = []
        while True:
            async with database.transaction() as db:
                turn = await take(db, datetime.now(UTC))
            if not turn:
                return found
            found += turn

    return list(chain(*await asyncio.gather(*map(sweep, sweepers))))


async def test_each_message_without_a_workflow_is_taken_once(
    harness: Harness, sweepers: list[Database]
) -> None:
    urgent = [await unstarted(harness, MessageType.OTP) for _ in range(ROWS)]
    found = await taken(sweepers, partial(_take, sweep_messages.take_unstarted))
    assert sorted(message.message_id for message in found) == urgent
    silent = [await stalled(harness, since=SECOND) for _ in range(ROWS)]
    found = await taken(sweepers, partial(_take, sweep_messages.take_stalled))
    assert sorted(message.message_id for message in found) == silent


async def test_each_payment_without_a_workflow_is_taken_once(
    harness: Harness, sweepers: list[Database]
) -> None:
    payments = PaymentHarness(harness.database, harness.owner, OwnGateway())
    ids = [await payments.order() for _ in range(ROWS)]
    found = await taken(sweepers, partial(_take, sweep_payments.take_stalled_payments))
    assert sorted(payment.payment_id for payment in found) == ids


async def test_each_report_that_was_not_applied_is_taken_once(
    harness: Harness, sweepers: list[Database]
) -> None:
    reported = Harness(harness.database, harness.owner, Scripted())
    ids = [await reported.accept() for _ in range(MOST * 2)]
    for message_id in ids:
        await reported.dispatch(message_id)
        await reported.tell(message_id, ReportStatus.DELIVERED, event_id=f"e{message_id}")

    async def take(db: WriteSession, now: datetime) -> Sequence[Any]:
        return await receipts.take_open(db, now=now + timedelta(minutes=1), grace=GRACE, most=MOST)

    found = await taken(sweepers, take)
    assert sum(message.receipts for message in found) == len(ids)


async def _take(
    rows: Callable[..., Awaitable[Sequence[Any]]], db: WriteSession, now: datetime
) -> Sequence[Any]:
    return await rows(db, now=now, **_SCHEDULE)
