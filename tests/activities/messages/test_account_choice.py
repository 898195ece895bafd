"""Which account gets the next attempt of a message, and the sender that it is sent from."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from models.enums import AttemptState, Channel, DeliveryMode, ErrorCode, MessageType
from models.rules.messages.operations import ANSWER_INBOUND
from models.session import Database
from providers.ports.messages import Answer, Proof
from tests.activities.doubles import (
    ACCEPTED,
    AMBIGUOUS,
    FOUND,
    NOT_FOUND,
    NOT_PROCESSED,
    REFUSED,
    REFUSED_EVERYWHERE,
)
from tests.activities.harness import TO, Harness
from tests.factories import Owner, make_owner
from tests.senders.accounts import (
    ScriptedAccount,
    routes_of,
    scope_of,
    set_enabled,
    two_accounts,
)
from tests.senders.test_choice import LIVE, add, switch
from tests.unit.accounts.test_routing_table import Row
from workflows.messages.types import Finding, Verdict


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("answer", [REFUSED, NOT_PROCESSED])
async def test_the_next_account_sends_from_a_number_of_its_own(
    database: Database, owner: Owner, answer: Answer, own: bool
) -> None:
    two = await two_accounts(database, owner, own=own)
    a, b = ScriptedAccount("a", answer), ScriptedAccount("b", ACCEPTED)
    harness = two.harness(a, b)
    message_id = await two.message()
    first = await harness.dispatch(message_id)
    assert (first.verdict, first.until) == (Verdict.LATER, None)
    assert (await harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
    assert [(request.sender, request.to) for request in a.sent] == [(two.at_a, TO)]
    assert [(request.sender, request.to) for request in b.sent] == [(two.at_b, TO)]
    assert await two.sender(message_id) == two.at_b


async def test_after_an_absence_that_is_proven_the_next_account_sends(
    database: Database, owner: Owner
) -> None:
    two = await two_accounts(database, owner)
    a, b = ScriptedAccount("a"), ScriptedAccount("b")
    harness = two.harness(a, b)
    message_id = await two.message()
    await harness.crash(message_id, deadline_in=-timedelta(seconds=1), provider="a")
    assert (await harness.reconcile(message_id)).finding is Finding.ABSENT
    assert (await harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
    assert ([request.sender for request in b.sent], a.sent) == ([two.at_b], [])


async def test_after_a_lost_answer_no_other_account_sends(database: Database, owner: Owner) -> None:
    two = await two_accounts(database, owner)
    a, b = ScriptedAccount("a", AMBIGUOUS, truths=[FOUND]), ScriptedAccount("b")
    harness = two.harness(a, b)
    message_id = await two.message()
    for _ in range(3):
        assert (await harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    await harness.reconcile(message_id)
    assert (await harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
    assert (len(a.sent), b.sent) == (1, [])
    assert await two.sender(message_id) == two.at_a


async def test_a_refusal_that_all_would_repeat_ends_the_message(
    database: Database, owner: Owner
) -> None:
    two = await two_accounts(database, owner)
    a, b = ScriptedAccount("a", REFUSED_EVERYWHERE), ScriptedAccount("b")
    harness = two.harness(a, b)
    message_id = await two.message()
    first = await harness.dispatch(message_id)
    assert (first.verdict, first.error_code) == (Verdict.REFUSED, ErrorCode.BAD_DESTINATION)
    await harness.dispatch(message_id)
    assert b.sent == []


async def test_after_an_absence_that_is_only_inferred_neither_account_nor_sender_changes(
    database: Database, owner: Owner
) -> None:
    two = await two_accounts(database, owner)
    a, b = ScriptedAccount("a", proof=Proof.LISTING), ScriptedAccount("b")
    harness = two.harness(a, b)
    message_id = await two.message()
    await harness.crash(message_id, deadline_in=-timedelta(seconds=1), provider="a")
    async with database.transaction() as db:  # as for a tenant that allowed it
        await db.execute(
            text(
                "UPDATE attempt SET state = 'ABSENT', finished_at = now(), equal_key = 1"
                " WHERE message_id = :m"
            ),
            {"m": message_id},
        )
    assert (await harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
    assert ([request.sender for request in a.sent], b.sent) == ([two.at_a], [])


@pytest.mark.parametrize("gone", [False, True])
async def test_after_an_absence_that_is_not_proven_a_lost_number_ends_the_message(
    database: Database, owner: Owner, gone: bool
) -> None:
    two = await two_accounts(database, owner)
    a = ScriptedAccount("c" if gone else "a", proof=Proof.LISTING)
    message_id = await two.message()
    before = two.harness(a, ScriptedAccount("b"))
    await before.crash(message_id, deadline_in=-timedelta(seconds=1), provider="a")
    async with database.transaction() as db:
        await db.execute(
            text(
                "UPDATE attempt SET state = 'ABSENT', finished_at = now(), equal_key = 1"
                " WHERE message_id = :m"
            ),
            {"m": message_id},
        )
    routes = routes_of({a: scope_of(two.at_b)})  # the file was changed
    result = await Harness(database, owner, routes=routes).dispatch(message_id)
    assert (result.verdict, result.error_code) == (
        Verdict.REFUSED,
        ErrorCode.SENDER_NOT_REGISTERED,
    )
    assert (a.sent, await two.sender(message_id)) == ([], two.at_a)


@pytest.mark.parametrize("state", [A for A in AttemptState if A.name not in {"REFUSED"}])
async def test_the_sender_changes_only_if_no_copy_may_have_gone_out(
    database: Database, owner: Owner, state: AttemptState
) -> None:
    two = await two_accounts(database, owner)
    a, b = ScriptedAccount("a"), ScriptedAccount("b")
    harness = two.harness(a, b, Row(accounts=("b",)))  # a was routed before
    message_id = await two.message()
    await harness.crash(message_id, deadline_in=timedelta(hours=1), provider="a")
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE attempt SET state = :s WHERE message_id = :m"),
            {"s": state, "m": message_id},
        )
    await harness.dispatch(message_id)
    certain = state in {AttemptState.NOT_PROCESSED, AttemptState.ABSENT}
    assert len(b.sent) == certain
    assert await two.sender(message_id) == (two.at_b if certain else two.at_a)


async def test_an_account_without_a_usable_sender_is_skipped(
    database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    own = await add(database, owner, "+1212555", registered=True)
    pool = await add(database, owner, "+1213555", own=False, registered=True)
    unready = await add(database, owner, "+1214555")
    a, b = ScriptedAccount("a", REFUSED), ScriptedAccount("b")
    routes = routes_of({a: scope_of(own), b: scope_of(pool, unready, "+19995550000")})
    harness = Harness(database, owner, routes=routes)
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    last = await harness.dispatch(message_id)
    assert (last.verdict, last.error_code) == (Verdict.REFUSED, ErrorCode.PROVIDER_REFUSED)
    assert ([request.sender for request in a.sent], b.sent) == ([own], [])


@pytest.mark.parametrize(
    ("rows", "owned", "code"),
    [
        ((Row(accounts=("elsewhere",)),), True, ErrorCode.NO_PROVIDER),
        ((), False, ErrorCode.SENDER_NOT_REGISTERED),
    ],
)
async def test_a_message_that_no_account_can_send_says_why(
    database: Database, owner: Owner, rows: tuple[Row, ...], owned: bool, code: ErrorCode
) -> None:
    await switch(database, owner, LIVE)
    number = await add(database, owner, "+1212555", registered=True)
    a = ScriptedAccount("a")
    routes = routes_of({a: scope_of(*([number] if owned else []))}, *rows)
    harness = Harness(database, owner, routes=routes)
    message_id = await harness.accept()
    result = await harness.dispatch(message_id)
    assert (result.verdict, result.error_code, a.sent) == (Verdict.REFUSED, code, [])


async def test_a_number_that_was_bought_through_an_account_is_its_own(
    database: Database, owner: Owner
) -> None:
    two = await two_accounts(database, owner)
    bought = await add(database, owner, "+1215555", registered=True, provider="twilio")
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE sender_number SET account = 'c' WHERE number = :n"), {"n": bought}
        )
    a, c = ScriptedAccount("a", REFUSED), ScriptedAccount("c")
    routes = routes_of({a: scope_of(two.at_a), c: scope_of()})
    harness = Harness(database, owner, routes=routes)
    message_id, direct = await two.message(), await two.message(sender=bought, to="+18135550001")
    await harness.dispatch(message_id)
    await harness.dispatch(message_id)
    assert [request.sender for request in c.sent] == [bought]
    await harness.dispatch(direct)  # the first account of the route wins over the sender
    assert [request.sender for request in a.sent] == [two.at_a, two.at_a]


async def test_another_tenants_account_is_never_used(database: Database, owner: Owner) -> None:
    stranger = await make_owner(database)
    two, theirs = await two_accounts(database, owner), await two_accounts(database, stranger)
    a, b = ScriptedAccount("a", NOT_PROCESSED), ScriptedAccount("b", NOT_PROCESSED)
    numbers = (two.at_a, two.at_b, theirs.at_a, theirs.at_b)
    routes = routes_of(
        {
            a: scope_of(*numbers, tenants=[stranger.tenant]),
            b: scope_of(*numbers, tenants=[owner.tenant, "other"]),
        },
        Row(accounts=("a", "b")),
    )
    for one in (two, theirs):
        harness = Harness(database, one.owner, routes=routes)
        message_id = await one.message()
        for _ in range(3):
            await harness.dispatch(message_id)
    assert {request.sender for request in a.sent} <= {theirs.at_a, theirs.at_b}
    assert {request.sender for request in b.sent} <= {two.at_a, two.at_b}
    assert (len(a.sent), len(b.sent)) == (3, 3)


async def test_an_answer_goes_only_through_the_account_of_the_number_that_was_texted(
    database: Database, owner: Owner
) -> None:
    two = await two_accounts(database, owner)
    a, b = ScriptedAccount("a"), ScriptedAccount("b", REFUSED)
    harness = two.harness(a, b)
    message_id = await two.message(sender=two.at_b, operation=ANSWER_INBOUND)
    result = await harness.dispatch(message_id)
    assert result.verdict is Verdict.REFUSED
    await harness.dispatch(message_id)
    assert ([request.sender for request in b.sent], a.sent) == ([two.at_b], [])


@pytest.mark.parametrize("type", [MessageType.OTP, MessageType.TRANSACTIONAL])
async def test_the_row_of_country_and_type_decides(
    database: Database, owner: Owner, type: MessageType
) -> None:
    two = await two_accounts(database, owner)
    a, b = ScriptedAccount("a"), ScriptedAccount("b")
    rows = (
        Row(accounts=("a",)),
        Row(type=MessageType.OTP, accounts=("b", "a")),
        Row(country="DE", accounts=("b",)),
    )
    harness = two.harness(a, b, *rows)
    await harness.dispatch(await two.message(type=type))
    otp = type is MessageType.OTP
    assert (len(a.sent), len(b.sent)) == (not otp, otp)
    await harness.dispatch(await two.message(type=type, to="+4915112345678"))
    assert len(b.sent) == 1 + otp


async def test_the_modes_share_no_account(database: Database, owner: Owner) -> None:
    a = ScriptedAccount("a")
    stranger = await make_owner(database)
    await switch(database, stranger, LIVE)
    routes = routes_of({a: scope_of(owner.sender, stranger.sender)})
    for of, account in ((owner, "simulator"), (stranger, "a")):
        harness = Harness(database, of, routes=routes)
        message_id = await harness.accept()
        assert (await harness.dispatch(message_id)).provider == account
    nowhere = routes_of({})
    harness = Harness(database, stranger, routes=nowhere)
    result = await harness.dispatch(await harness.accept())
    assert result.error_code is ErrorCode.NO_PROVIDER
    assert {provider.account for provider in nowhere.able(DeliveryMode.LIVE, Channel.SMS)} == set()


async def test_while_an_account_is_unavailable_the_next_one_sends_and_else_the_message_waits(
    database: Database, owner: Owner
) -> None:
    two = await two_accounts(database, owner)
    a, b = ScriptedAccount("a"), ScriptedAccount("b")
    soon, later = (datetime.now(UTC) + timedelta(minutes=m) for m in (5, 9))
    message_id = await two.message()
    waits = await two.harness(a, b, unavailable={"a": later, "b": soon}).dispatch(message_id)
    assert (waits.verdict, waits.until) == (Verdict.LATER, soon)
    assert await two.sender(message_id) == two.at_a
    harness = two.harness(a, b, unavailable={"a": later})
    assert (await harness.dispatch(message_id)).provider == "b"
    assert [request.sender for request in b.sent] == [two.at_b]


async def test_a_disabled_account_is_not_used_until_it_is_enabled(
    database: Database, owner: Owner
) -> None:
    two = await two_accounts(database, owner)
    name = f"a-{uuid4().hex[:8]}"  # the table is shared by all tests
    a, b = ScriptedAccount(name), ScriptedAccount("b")
    harness = two.harness(a, b)
    await set_enabled(database, name, False)
    assert (await harness.dispatch(await two.message())).provider == "b"
    only = two.harness(a, b, Row(accounts=(name,)))
    message_id = await two.message()
    waits = await only.dispatch(message_id)
    assert waits.verdict is Verdict.LATER
    assert waits.until is not None
    assert waits.until > datetime.now(UTC)
    await set_enabled(database, name, True)
    assert (await only.dispatch(message_id)).provider == name
    assert len(a.sent) == 1


async def test_a_message_that_waits_for_long_looks_seldom_whether_an_account_is_enabled(
    database: Database, owner: Owner
) -> None:
    two = await two_accounts(database, owner)
    name = f"a-{uuid4().hex[:8]}"
    harness = two.harness(ScriptedAccount(name), ScriptedAccount("b"), Row(accounts=(name,)))
    await set_enabled(database, name, False)
    message_id = await two.message()
    gaps = []
    for waited in (timedelta(0), timedelta(hours=2), timedelta(days=1)):
        async with database.transaction() as db:
            await db.execute(
                text("UPDATE message SET due_at = :due, expires_at = NULL WHERE id = :m"),
                {"due": datetime.now(UTC) - waited, "m": message_id},
            )
        waits = await harness.dispatch(message_id)
        assert waits.until is not None
        gaps.append(round((waits.until - datetime.now(UTC)) / timedelta(minutes=1)))
    assert gaps == [1, 6, 10]


async def test_with_absences_only_proven_ones_let_the_next_account_send_again(
    database: Database, owner: Owner
) -> None:
    two = await two_accounts(database, owner)
    a, b = ScriptedAccount("a", truths=[NOT_FOUND]), ScriptedAccount("b", AMBIGUOUS)
    harness = two.harness(a, b)
    message_id = await two.message()
    await harness.crash(message_id, deadline_in=-timedelta(seconds=1), provider="a")
    await harness.reconcile(message_id)
    assert (await harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    assert await two.accounts(message_id) == [("a", "ABSENT"), ("b", "AMBIGUOUS")]
    assert (await harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    assert (len(a.sent), len(b.sent)) == (0, 1)


@pytest.mark.parametrize("reason", ["no sender", "disabled", "held back"])
async def test_if_the_next_account_cannot_send_either_the_first_one_is_tried_after_a_back_off(
    database: Database, owner: Owner, reason: str
) -> None:
    two = await two_accounts(database, owner)
    name = f"b-{uuid4().hex[:8]}"
    a, b = ScriptedAccount("a", NOT_PROCESSED), ScriptedAccount(name, channels=frozenset(Channel))
    harness = two.harness(a, b)
    if reason == "no sender":
        routes = routes_of({a: scope_of(two.at_a), b: scope_of("+19995550000")})
        harness = Harness(database, owner, routes=routes)
    elif reason == "disabled":
        await set_enabled(database, name, False)
    else:
        later = datetime.now(UTC) + timedelta(hours=1)
        harness = two.harness(a, b, unavailable={name: later})
    message_id = await two.message()
    results = [await harness.dispatch(message_id) for _ in range(4)]
    assert {result.provider for result in results} == {"a"}
    assert all(result.until is not None for result in results[1:])
