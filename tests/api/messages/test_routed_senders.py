"""Senders and quotes of LIVE tenants follow the accounts of the routing table."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.messages.dispatch import Dispatching
from activities.messages.inline_report_wait import InlineReportWait
from api.services.messages.accept import Sending
from api.services.messages.admission import Admission
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.quote import Quoting
from api.services.messages.routed_senders import RoutedSenders
from models.enums import Channel, DeliveryMode
from models.rules.accounts.account_scope import AccountScope
from models.session import Database
from models.tables.tenant import SenderAddress, SenderNumber
from providers.ports.messages import Capabilities
from providers.routing import Routes
from tests.api.container import put_in, restored
from tests.api.doubles import Clock, FakeStarter
from tests.api.integrator import DIRECT, EMAIL, SMS, VOICE, Integrator, make_integrator
from tests.delivery_modes import make_over
from tests.factories import add_card
from tests.senders.accounts import ScriptedAccount, routes_of, scope_of, set_enabled
from tests.unit.accounts.test_routing_table import Row
from workflows.messages.types import DispatchStep

Serve = Callable[..., AbstractContextManager[Routes]]
BOTH = frozenset({Channel.SMS, Channel.VOICE})


@pytest.fixture
def serve(app: FastAPI, database: Database, starter: FakeStarter, clock: Clock) -> Serve:
    """Runs the services with these LIVE accounts."""

    @contextmanager
    def with_accounts(
        accounts: Mapping[ScriptedAccount, AccountScope], *rows: Row
    ) -> Iterator[Routes]:
        routes = routes_of(accounts, *rows)
        senders = RoutedSenders(routes)
        links = UnsubscribeLinks("http://api.test", "only-for-tests-too")
        permissions = Permissions(database, links, senders)
        sending = Sending(
            database,
            starter,
            permissions,
            admission=Admission(database, limit=100_000, lag_allowed=timedelta(days=36_500)),
            start_within=timedelta(minutes=1),
            clock=clock,
        )
        quoting = Quoting(database, permissions, senders, clock)
        with restored(app):
            put_in(app, "messages", sending=sending, quoting=quoting)
            yield routes

    return with_accounts


async def live(gym: Integrator, database: Database) -> Integrator:
    """Move the tenant to LIVE, with a rate card; return a key that is not known as SIMULATOR's."""
    async with database.transaction() as db:
        await make_over(db, gym.tenant_id, DeliveryMode.LIVE)
        await db.execute(
            text("UPDATE tenant SET allowed_countries = ARRAY['US', 'DE'] WHERE id = :t"),
            {"t": gym.tenant_id},
        )
    for channel in Channel:
        await add_card(database, gym.tenant_id, provider="vendor", channel=channel)
    return await make_integrator(database, gym.client, gym.tenant_id)


async def add_number(
    gym: Integrator, database: Database, prefix: str, *, own: bool = True, **facts: Any
) -> str:
    number = f"{prefix}{gym.tenant_id % 10_000:04}"
    find = text("SELECT id FROM merchant WHERE tenant_id = :t AND external_id = 'gym-a'")
    async with database.transaction() as db:
        merchant_id = await db.scalar(find, {"t": gym.tenant_id})
        row = {"registered_at": datetime.now(UTC), **facts}
        db.add(
            SenderNumber(
                number=number,
                tenant_id=gym.tenant_id,
                merchant_id=merchant_id if own else None,
                created_at=datetime.now(UTC),
                **row,
            )
        )
    return number


async def sender_of(gym: Integrator, path: str, order: dict[str, Any]) -> str:
    answer = await gym.post(path, order)
    assert answer.status_code == 200, answer.text
    told: str = (await gym.get(f"/messages/{answer.json()['messageId']}")).json()["from"]
    return told


async def refused(gym: Integrator, path: str, order: dict[str, Any]) -> tuple[int, str, str]:
    answer = await gym.post(path, order)
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


async def test_a_sender_of_the_first_account_that_has_one_is_chosen(
    gym: Integrator, database: Database, serve: Serve
) -> None:
    gym = await live(gym, database)
    first, second = [await add_number(gym, database, p) for p in ("+1212557", "+1213557")]
    a, b = ScriptedAccount("a", channels=BOTH), ScriptedAccount("b", channels=BOTH)
    with serve({a: scope_of(), b: scope_of(second)}):
        senders = {
            await sender_of(gym, "/messages/sms", {**SMS, "to": f"+1813555{n:04}"})
            for n in range(8)
        }
        assert senders == {second}
        assert await sender_of(gym, "/messages/voice", VOICE) == second
    with serve({a: scope_of(first), b: scope_of(second)}):
        assert await sender_of(gym, "/messages/sms", SMS) == first  # its last was at b
    with serve({a: scope_of(first), b: scope_of(second)}, Row(accounts=("b", "a"))):
        assert await sender_of(gym, "/messages/sms", SMS) == second


async def test_a_call_goes_to_the_first_account_that_can_place_it(
    gym: Integrator, database: Database, serve: Serve
) -> None:
    gym = await live(gym, database)
    first, second = [await add_number(gym, database, p) for p in ("+1212557", "+1213557")]
    short = Capabilities(longest_call=timedelta(minutes=10))
    a = ScriptedAccount("a", channels=BOTH, capabilities=short)
    b = ScriptedAccount("b", channels=BOTH)
    with serve({a: scope_of(first), b: scope_of(second)}) as routes:
        brief = {**VOICE, "maxDurationSeconds": 60}
        assert await sender_of(gym, "/messages/voice", brief) == first
        for order in ({**brief, "record": True}, {**VOICE, "maxDurationSeconds": 601}):
            accepted = (await gym.post("/messages/voice", order)).json()["messageId"]
            assert (await gym.get(f"/messages/{accepted}")).json()["from"] == second
            assert (await dispatch(routes, database, gym, accepted)).provider == "b"


async def test_a_recipient_keeps_its_sender_among_those_of_the_account(
    gym: Integrator, database: Database, serve: Serve
) -> None:
    gym = await live(gym, database)
    numbers = [await add_number(gym, database, f"+121{n}557") for n in range(2, 6)]
    a = ScriptedAccount("a")
    seen = {}
    for listed in (numbers[:1], numbers[:3], numbers):
        with serve({a: scope_of(*listed)}):
            to = {**SMS, "to": "+18135550077"}
            seen[len(listed)] = await sender_of(gym, "/messages/sms", to)
    assert set(seen.values()) == {numbers[0]}


async def test_a_number_that_was_bought_through_an_account_needs_no_entry_in_the_file(
    gym: Integrator, database: Database, serve: Serve
) -> None:
    gym = await live(gym, database)
    await add_number(gym, database, "+1212557")
    bought = await add_number(gym, database, "+1213557", provider="twilio", account="b")
    with serve({ScriptedAccount("a"): scope_of(), ScriptedAccount("b"): scope_of()}):
        assert await sender_of(gym, "/messages/sms", SMS) == bought


async def test_a_merchant_with_numbers_never_sends_from_the_pool_of_another_account(
    gym: Integrator, database: Database, serve: Serve
) -> None:
    gym = await live(gym, database)
    await add_number(gym, database, "+1212557")
    pool = await add_number(gym, database, "+1213557", own=False)
    with serve({ScriptedAccount("a"): scope_of(pool)}):
        status, code, detail = await refused(gym, "/messages/sms", SMS)
    assert (status, code) == (403, "SENDER_NOT_REGISTERED")
    assert "account" in detail


async def test_without_any_account_the_sender_is_chosen_as_before(
    gym: Integrator, database: Database, serve: Serve
) -> None:
    gym = await live(gym, database)
    number = await add_number(gym, database, "+1212557")
    with serve({}):
        assert await sender_of(gym, "/messages/sms", SMS) == number


async def test_in_simulator_mode_accounts_and_their_senders_do_not_matter(
    gym: Integrator, database: Database, serve: Serve
) -> None:
    number = await add_number(gym, database, "+1212557")
    await add_card(database, gym.tenant_id, provider="simulator", unit_cost="0.02")
    quote = {**SMS, "channel": "SMS"}
    with serve({ScriptedAccount("a"): scope_of()}, Row(accounts=("a",))):
        assert await sender_of(gym, "/messages/sms", SMS) == number
        answer = (await gym.post("/messages/quote", quote)).json()
        assert (answer["allowed"], answer["providerCost"]) == (True, "0.020000")


async def test_an_account_for_other_tenants_lends_no_sender(
    gym: Integrator, database: Database, serve: Serve
) -> None:
    gym = await live(gym, database)
    async with database.read() as db:
        name = await db.scalar(text("SELECT name FROM tenant WHERE id = :t"), {"t": gym.tenant_id})
    number = await add_number(gym, database, "+1212557")
    a, b = ScriptedAccount("a"), ScriptedAccount("b")
    with serve({a: scope_of(number, tenants=["other"]), b: scope_of()}):
        assert (await refused(gym, "/messages/sms", SMS))[:2] == (403, "SENDER_NOT_REGISTERED")
    with serve({a: scope_of(number, tenants=["other", name]), b: scope_of()}):
        assert await sender_of(gym, "/messages/sms", SMS) == number


async def add_address(gym: Integrator, database: Database, address: str) -> None:
    async with database.transaction() as db:
        db.add(
            SenderAddress(tenant_id=gym.tenant_id, address=address, created_at=datetime.now(UTC))
        )


async def test_mail_is_sent_from_an_address_of_an_accounts_domain(
    gym: Integrator, database: Database, serve: Serve
) -> None:
    gym = await live(gym, database)
    mail = frozenset({Channel.EMAIL})
    a, b = ScriptedAccount("a", channels=mail), ScriptedAccount("b", channels=mail)
    await add_address(gym, database, "shop@News.Example.net")
    await add_address(gym, database, "shop@example.org")
    with serve({a: scope_of("example.net"), b: scope_of("news.example.net")}):
        assert await sender_of(gym, "/messages/email", EMAIL) == "shop@News.Example.net"
        assert await sender_of(gym, "/email/send", DIRECT) == "shop@News.Example.net"
        wanted = {**DIRECT, "from": "shop@example.org"}
        status, code, detail = await refused(gym, "/email/send", wanted)
        assert (status, code) == (403, "SENDER_NOT_REGISTERED")
        assert "account" in detail
        foreign = {**DIRECT, "from": "boss@elsewhere.example"}
        assert (await refused(gym, "/email/send", foreign))[:2] == (400, "VALIDATION_FAILED")
    with serve({a: scope_of("example.org"), b: scope_of("news.example.net")}):
        assert await sender_of(gym, "/email/send", DIRECT) == "shop@example.org"


async def dispatch(routes: Routes, database: Database, gym: Integrator, shown: str) -> Any:
    """Dispatch a message that the API accepted."""
    async with database.read() as db:
        statement = text("SELECT id FROM message WHERE tenant_id = :t AND public_id = :p")
        message_id = await db.scalar(statement, {"t": gym.tenant_id, "p": int(shown)})
    dispatching = Dispatching(
        database,
        routes,
        public_url="http://us/",
        slots=20,
        inline_report_wait=InlineReportWait(database, timedelta(0)),
    )
    step = DispatchStep(tenant_id=gym.tenant_id, message_id=message_id)
    return await ActivityEnvironment().run(dispatching.dispatch, step)


@pytest.mark.parametrize(
    ("order", "rows", "account"),
    [
        ({}, (), "one"),
        ({}, (Row(accounts=("two", "one")),), "two"),
        ({"type": "REMINDER"}, (Row(accounts=("two",)), Row(type=None, country="DE")), "two"),
        ({"to": "+4915112345678"}, (Row(country="DE", accounts=("two",)),), "two"),
        ({"to": "+4915112345678"}, (Row(country="FR", accounts=("two",)),), "one"),
        ({}, (Row(accounts=("none", "two")),), "two"),
        ({}, (Row(accounts=("off", "two")),), "two"),
        ({}, (Row(accounts=("foreign", "two")),), "two"),
    ],
)
async def test_a_quote_is_the_price_of_the_account_that_sends(
    gym: Integrator,
    database: Database,
    serve: Serve,
    order: dict[str, str],
    rows: tuple[Row, ...],
    account: str,
) -> None:
    gym = await live(gym, database)
    first, second = [await add_number(gym, database, p) for p in ("+1212557", "+1213557")]
    suffix = uuid4().hex[:8]  # vendors and switched-off accounts are shared by all tests
    scopes = {
        "one": scope_of(first),
        "two": scope_of(second),
        "none": scope_of(),
        "off": scope_of(first),
        "foreign": scope_of(first, tenants=["other"]),
    }
    accounts = {
        ScriptedAccount(f"{name}-{suffix}", vendor=f"v-{name}"): scope
        for name, scope in scopes.items()
    }
    await set_enabled(database, f"off-{suffix}", False)
    for cost, name in enumerate(scopes, start=1):
        await add_card(database, gym.tenant_id, provider=f"v-{name}", unit_cost=f"0.0{cost}")
    named = [
        Row(**{**vars(row), "accounts": tuple(f"{name}-{suffix}" for name in row.accounts)})
        for row in rows
    ]
    with serve(accounts, *named) as routes:
        quoted = (await gym.post("/messages/quote", {**SMS, "channel": "SMS", **order})).json()
        accepted = (await gym.post("/messages/sms", {**SMS, **order})).json()["messageId"]
        result = await dispatch(routes, database, gym, accepted)
    assert result.provider == f"{account}-{suffix}"
    cost = list(scopes).index(account) + 1
    assert quoted["providerCost"] == f"0.0{cost}0000"
