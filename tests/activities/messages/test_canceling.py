"""A cancel that races a dispatch: exactly one wins, and both get the result."""

import asyncio
from datetime import UTC, datetime

from models.enums import MessageStatus
from models.queries.messages import settlement, settlement_facts
from models.session import Database
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.factories import Owner
from workflows.messages.types import Verdict

ROUNDS = 150


async def _cancel(database: Database, owner: Owner, message_id: int) -> bool:
    async with database.transaction() as db:
        message = await settlement_facts.lock_for_settlement(
            db, tenant_id=owner.tenant_id, message_id=message_id
        )
        assert message is not None
        return await settlement.cancel_message(db, message, datetime.now(UTC))


async def test_of_a_cancel_and_a_dispatch_exactly_one_wins(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider)
    winners = set()
    for turn in range(ROUNDS):
        message_id = await harness.accept()
        calls = len(provider.sent)
        if turn % 2:
            canceled, handed = await asyncio.gather(
                _cancel(database, owner, message_id), harness.dispatch(message_id)
            )
        else:
            handed, canceled = await asyncio.gather(
                harness.dispatch(message_id), _cancel(database, owner, message_id)
            )
        sent = len(provider.sent) - calls
        status = await harness.status(message_id)
        assert canceled is not (sent == 1)
        assert (handed.verdict is Verdict.OVER) is canceled
        assert status is (MessageStatus.CANCELED if canceled else MessageStatus.SENT)
        winners.add(canceled)
    assert winners == {True, False}, "both must have had a chance"


async def test_a_canceled_message_gives_its_units_back_once(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted())
    message_id = await harness.accept()
    twenty = [_cancel(database, owner, message_id) for _ in range(20)]
    assert sum(await asyncio.gather(*twenty)) == 1
    assert await harness.units() == (0, 0)
