"""The choice of a sender, by one database statement."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from models.enums import Channel, DeliveryMode
from models.queries.consent.send_policy import SendPolicy, find_policy
from models.session import Database
from models.tables.tenant import SenderNumber
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.contacts import key_of
from tests.delivery_modes import make_over
from tests.factories import Owner, make_message, make_owner, new_message
from workflows.messages.types import Verdict

TO = "+18135551234"
LIVE, SIMULATOR = DeliveryMode.LIVE, DeliveryMode.SIMULATOR


async def add(
    database: Database,
    owner: Owner,
    number: str,
    *,
    own: bool = True,
    registered: bool = False,
    provider: str | None = None,
    claimed: bool = False,
) -> str:
    """Add a number of this test to a merchant, or to its tenant."""
    unique = f"{number}{owner.tenant_id % 10_000:04}"
    now = datetime.now(UTC)
    async with database.transaction() as db:
        db.add(
            SenderNumber(
                number=unique,
                tenant_id=owner.tenant_id,
                merchant_id=owner.merchant_id if own else None,
                registered_at=now if registered else None,
                provider=provider,
                claimed_at=now if claimed else None,
                created_at=now,
            )
        )
    return unique


async def switch(database: Database, owner: Owner, mode: DeliveryMode) -> None:
    async with database.transaction() as db:
        await make_over(db, owner.tenant_id, mode)


async def ask(
    database: Database, owner: Owner, *, to: str = TO, channel: Channel = Channel.SMS
) -> SendPolicy:
    async with database.read() as db:
        found = await find_policy(
            db,
            tenant_id=owner.tenant_id,
            merchant=owner.merchant,
            channel=channel,
            contact_keys=[key_of(to)],
        )
    assert found is not None
    return found


@pytest.mark.parametrize("mode", [LIVE, SIMULATOR])
async def test_without_a_number_of_its_own_a_merchant_sends_from_the_pool(
    database: Database, owner: Owner, mode: DeliveryMode
) -> None:
    await switch(database, owner, mode)
    assert (await ask(database, owner)).sender == owner.sender


async def test_in_live_mode_an_unassigned_number_stops_texts_and_calls_go_on(
    database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    number = await add(database, owner, "+1212555")
    refused = await ask(database, owner)
    assert (refused.sender, refused.unregistered) == (None, True)
    assert (await ask(database, owner, channel=Channel.VOICE)).sender == number
    await switch(database, owner, SIMULATOR)
    assert (await ask(database, owner)).sender == number


async def test_a_registered_number_and_a_toll_free_one_may_send(
    database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    await add(database, owner, "+1212555")
    toll_free = await add(database, owner, "+1833555")
    assert (await ask(database, owner)).sender == toll_free
    registered = await add(database, owner, "+1213555", registered=True)
    seen = {(await ask(database, owner, to=f"+1813555{n:04}")).sender for n in range(40)}
    assert seen == {toll_free, registered}


@pytest.mark.parametrize(
    ("number", "needed"), [("+1833555", True), ("+4420718", True), ("+1212555", False)]
)
@pytest.mark.parametrize("others", [0, 4])
async def test_the_stored_flag_decides_whether_a_number_is_ready(
    database: Database, owner: Owner, number: str, needed: bool, others: int
) -> None:
    await switch(database, owner, LIVE)
    stored = [await add(database, owner, f"{number[:7]}{n}") for n in range(others + 1)]
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE sender_number SET needs_registration = :n WHERE merchant_id = :m"),
            {"n": needed, "m": owner.merchant_id},
        )
    found = await ask(database, owner)
    assert found.unregistered
    assert (found.sender is None) is needed
    assert found.sender in {None, *stored}
    message = replace(new_message(owner, to=TO), sender=stored[0])
    message_id = await make_message(database, message)
    result = await Harness(database, owner, Scripted(), mode=LIVE).dispatch(message_id)
    assert result.verdict is (Verdict.BLOCKED if needed else Verdict.ACCEPTED)


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
async def test_a_number_is_sent_from_only_in_the_mode_it_was_bought_in(
    database: Database, owner: Owner, channel: Channel
) -> None:
    sandboxed = await add(database, owner, "+1212555", registered=True, provider="simulator")
    assert (await ask(database, owner, channel=channel)).sender == sandboxed
    await switch(database, owner, LIVE)
    # As without a number: a number bought in the simulator is not usable live.
    alone = await ask(database, owner, channel=channel)
    assert (alone.sender, alone.unregistered) == (owner.sender, False)
    real = await add(database, owner, "+1213555", registered=True, provider="twilio")
    assert (await ask(database, owner, channel=channel)).sender == real
    await switch(database, owner, SIMULATOR)
    assert (await ask(database, owner, channel=channel)).sender == sandboxed


async def test_nothing_is_sent_from_a_number_that_is_still_being_bought(
    database: Database, owner: Owner
) -> None:
    await add(database, owner, "+1212555", provider="simulator", claimed=True)
    found = await ask(database, owner)
    assert (found.sender, found.unregistered) == (owner.sender, False)


async def test_a_recipient_keeps_its_number_when_others_come(
    database: Database, owner: Owner
) -> None:
    first = await add(database, owner, "+1212555", registered=True)
    await make_message(database, replace(new_message(owner, to=TO), sender=first))
    for prefix in ("+1213555", "+1214555", "+1215555", "+1216555"):
        await add(database, owner, prefix, registered=True)
    assert (await ask(database, owner)).sender == first
    assert (await ask(database, owner, channel=Channel.VOICE)).sender == first


async def test_what_another_merchant_sent_the_recipient_counts_for_nothing(
    database: Database, owner: Owner
) -> None:
    mine = await add(database, owner, "+1212555", registered=True)
    other = await make_owner(database)
    theirs = await add(database, other, "+1213555", registered=True)
    await make_message(database, replace(new_message(owner, to=TO), sender=theirs))
    assert (await ask(database, owner)).sender == mine
    assert (await ask(database, other)).sender == theirs


async def test_the_last_sender_is_found_by_index(database: Database) -> None:
    statement = text(
        "EXPLAIN SELECT sender FROM message WHERE tenant_id = 1 AND merchant_id = 1"
        " AND contact_key = '+18135551234' AND channel IN ('SMS', 'VOICE') ORDER BY id DESC LIMIT 1"
    )
    async with database.engine.connect() as db, db.begin() as nothing_stays:
        # In a nearly empty table the planner may choose any index: drop the others.
        await db.execute(text("DROP INDEX ix_message_merchant, ix_message_to"))
        await db.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(await db.scalars(statement))
        await nothing_stays.rollback()
    assert "Index Scan Backward using ix_message_heard" in plan
    assert "Filter" not in plan
