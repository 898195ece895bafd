"""What an attempt costs is reserved in its claim, within the limits of account and tenant."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from models.enums import AttemptState, DeliveryMode, MessageStatus, MessageType
from models.rules.accounts.spending import tried_again_at
from models.rules.messages.operations import ANSWER_INBOUND
from models.session import Database
from tests.activities.doubles import AMBIGUOUS, NOT_PROCESSED, REFUSED, Scripted
from tests.factories import Owner, add_card, make_message, new_message
from tests.spending.guarded import (
    NOTHING,
    PRICE,
    Guarded,
    Sums,
    limit_account,
    limit_tenant,
    make_live,
    named,
)
from workflows.messages.types import Ending, Verdict


async def test_a_claim_reserves_the_cards_price_with_its_carrier_fee(database: Database) -> None:
    provider = Scripted(name=named())
    live = await Guarded(database, await make_live(database), provider).with_cards(
        carrier_fee="0.003"
    )
    message_id = await live.accept(units=3)
    await live.dispatch(message_id)
    today = datetime.now(UTC).date()
    reserved = Sums(Decimal("0.039"), Decimal(0))
    assert await live.days_of_tenant() == {today: reserved}
    assert await live.days_of_account(provider.account) == {today: reserved}
    await live.check_sums()


async def test_a_simulator_tenant_without_a_limit_counts_nothing(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(name=named())
    tried = await Guarded(database, owner, provider, mode=DeliveryMode.SIMULATOR).with_cards()
    await limit_account(database, provider.account, "0")
    message_id = await tried.accept()
    assert (await tried.dispatch(message_id)).verdict is Verdict.ACCEPTED
    assert await tried.spent() == NOTHING


async def test_a_limit_holds_for_a_simulator_tenant_too_if_one_is_set(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(name=named())
    tried = await Guarded(database, owner, provider, mode=DeliveryMode.SIMULATOR).with_cards()
    await limit_tenant(database, owner, "0.01")
    first, second = await tried.accept(), await tried.accept()
    assert (await tried.dispatch(first)).verdict is Verdict.ACCEPTED
    assert (await tried.dispatch(second)).verdict is Verdict.LATER
    assert len(provider.sent) == 1


async def test_at_the_accounts_limit_the_next_account_sends(database: Database) -> None:
    full, free = Scripted(name=named()), Scripted(name=named())
    live = await Guarded(database, await make_live(database), full, free).with_cards()
    await limit_account(database, full.account, "0.01")
    for _ in range(3):
        assert (await live.dispatch(await live.accept())).verdict is Verdict.ACCEPTED
    assert (len(full.sent), len(free.sent)) == (1, 2)
    await live.check_sums()


async def test_at_every_accounts_limit_it_waits_and_nothing_is_written(database: Database) -> None:
    full = Scripted(name=named())
    live = await Guarded(database, await make_live(database), full).with_cards()
    await limit_account(database, full.account, "0.02")
    message_id = await live.accept(units=3)
    before = datetime.now(UTC)
    result = await live.dispatch(message_id)
    assert result.verdict is Verdict.LATER
    assert result.until is not None
    earliest = tried_again_at(before, None, 0, urgent=False)
    assert earliest <= result.until <= before + timedelta(hours=1, minutes=15)
    assert full.sent == []
    assert await live.attempts(message_id) == []
    assert await live.status(message_id) is MessageStatus.QUEUED
    assert await live.spent() == NOTHING


async def test_at_the_tenants_limit_no_account_sends_and_other_tenants_do(
    database: Database,
) -> None:
    one, two = Scripted(name=named()), Scripted(name=named())
    live = await Guarded(
        database, await make_live(database, usd_per_day="0.01"), one, two
    ).with_cards()
    other = await Guarded(database, await make_live(database), one, two).with_cards()
    first, second = await live.accept(), await live.accept()
    assert (await live.dispatch(first)).verdict is Verdict.ACCEPTED
    assert (await live.dispatch(second)).verdict is Verdict.LATER
    assert (await other.dispatch(await other.accept())).verdict is Verdict.ACCEPTED
    assert len(one.sent) + len(two.sent) == 2


async def test_a_raised_limit_lets_a_waiting_message_go(database: Database) -> None:
    provider = Scripted(name=named())
    live = await Guarded(
        database, await make_live(database, usd_per_day="0"), provider
    ).with_cards()
    message_id = await live.accept()
    assert (await live.dispatch(message_id)).verdict is Verdict.LATER
    await limit_tenant(database, live.owner, "0.01")
    assert (await live.dispatch(message_id)).verdict is Verdict.ACCEPTED


async def test_an_otp_that_expires_first_is_tried_again_when_it_expires(
    database: Database,
) -> None:
    provider = Scripted(name=named())
    live = await Guarded(
        database, await make_live(database, usd_per_day="0"), provider
    ).with_cards()
    message_id = await live.accept(type=MessageType.OTP, valid_for=timedelta(minutes=10))
    expires_at = (await live.message(message_id)).expires_at
    assert (await live.dispatch(message_id)).until == expires_at


@pytest.mark.parametrize("answer", [REFUSED, NOT_PROCESSED])
async def test_what_the_vendor_did_not_send_is_released(database: Database, answer: object) -> None:
    provider = Scripted(answer, name=named())  # type: ignore[arg-type]
    live = await Guarded(database, await make_live(database), provider).with_cards()
    await live.dispatch(await live.accept())
    assert await live.spent() == NOTHING
    await live.check_sums()


async def test_an_ambiguous_attempt_keeps_it_until_absence_is_proven(database: Database) -> None:
    provider = Scripted(AMBIGUOUS, name=named())
    provider.timeout = timedelta(seconds=-1)  # its deadline has passed
    live = await Guarded(
        database, await make_live(database, usd_per_day="0.01"), provider
    ).with_cards()
    message_id = await live.accept()
    await live.dispatch(message_id)
    assert await live.spent() == Sums(PRICE, Decimal(0))
    assert (await live.dispatch(await live.accept())).verdict is Verdict.LATER
    await live.reconcile(message_id)
    assert [state for _, state in await live.attempts(message_id)] == [AttemptState.ABSENT]
    assert await live.spent() == NOTHING
    assert (await live.dispatch(await live.accept())).verdict is Verdict.AMBIGUOUS


async def test_without_a_card_nothing_goes_within_a_limit_and_another_vendor_does(
    database: Database,
) -> None:
    unknown, known = Scripted(name=named()), Scripted(name=named())
    live = Guarded(database, await make_live(database, usd_per_day="1"), unknown, known)
    await add_card(database, live.owner.tenant_id, provider=known.name)
    assert (await live.dispatch(await live.accept())).verdict is Verdict.ACCEPTED
    assert (len(unknown.sent), len(known.sent)) == (0, 1)


async def test_without_a_card_and_a_limit_it_is_sent_and_counted_once_it_is_priced(
    database: Database,
) -> None:
    provider = Scripted(name=named())
    live = Guarded(database, await make_live(database), provider)
    message_id = await live.accept()
    assert (await live.dispatch(message_id)).verdict is Verdict.ACCEPTED
    assert await live.spent() == NOTHING
    await add_card(database, live.owner.tenant_id, provider=provider.name)
    await live.settle(message_id, Ending.GIVEN_UP)
    assert await live.spent() == Sums(Decimal(0), PRICE)
    await live.check_sums()


async def test_fifty_racing_claims_never_exceed_a_limit(database: Database) -> None:
    account, spare = Scripted(name=named()), Scripted(name=named())
    limits = {
        "0.17": await make_live(database),
        "0.13": await make_live(database, usd_per_day="0.13"),
    }
    await limit_account(database, account.account, "0.17")
    free, bound = [
        await Guarded(database, owner, account, spare).with_cards() for owner in limits.values()
    ]
    sends = [(live, await live.accept()) for _ in range(25) for live in (free, bound)]
    results = await asyncio.gather(*(live.dispatch(message_id) for live, message_id in sends))
    assert len(account.sent) == 17
    accepted = [
        live for (live, _), r in zip(sends, results, strict=True) if r.verdict is Verdict.ACCEPTED
    ]
    assert (accepted.count(free), accepted.count(bound)) == (25, 13)
    (of_account,) = (await free.days_of_account(account.account)).values()
    assert of_account.spent == Decimal("0.17")
    assert (await bound.spent()).spent == Decimal("0.13")
    await free.check_sums()
    await bound.check_sums()


async def test_fifty_racing_claims_without_a_limit_are_all_counted(database: Database) -> None:
    provider = Scripted(name=named())
    live = await Guarded(database, await make_live(database), provider).with_cards()
    messages = [await live.accept() for _ in range(50)]
    await asyncio.gather(*(live.dispatch(message_id) for message_id in messages))
    assert await live.spent() == Sums(50 * PRICE, Decimal(0))
    await live.check_sums()


async def test_claims_without_a_limit_do_not_wait_for_each_other(database: Database) -> None:
    """Two claims of different shards commit in any order."""
    provider = Scripted(name=named())
    live = await Guarded(database, await make_live(database), provider).with_cards()
    first, second = await live.accept(), await live.accept()
    assert first % 8 != second % 8
    await live.dispatch(first)
    async with database.transaction() as db:
        await db.execute(
            text("SELECT 1 FROM spending_day WHERE tenant_id = :t FOR UPDATE"),
            {"t": live.owner.tenant_id},
        )
        result = await asyncio.wait_for(live.dispatch(second), 20)
    assert result.verdict is Verdict.ACCEPTED


async def test_the_answer_to_a_text_is_not_free(database: Database) -> None:
    provider = Scripted(name=named())
    live = await Guarded(
        database, await make_live(database, usd_per_day="0.01"), provider
    ).with_cards()
    answers = [
        replace(new_message(live.owner), operation=ANSWER_INBOUND, funded=False) for _ in range(2)
    ]
    first, second = [await make_message(database, answer) for answer in answers]
    assert (await live.dispatch(first)).verdict is Verdict.ACCEPTED
    assert await live.spent() == Sums(PRICE, Decimal(0))
    assert (await live.dispatch(second)).verdict is Verdict.LATER
