"""A new row whose random public id is taken: retried or refused, and never a replay."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.services.billing.upgrades import Billing
from api.services.messages.accept import Sending
from api.services.messages.admission import Admission
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.routed_senders import RoutedSenders
from cli.dev.postgres import EmbeddedPostgres
from models.database.faults import Fault, fault_of, public_id_taken
from models.rules.system.failures import caused_by_input
from models.session import Database
from models.settings import Settings
from providers.routing import Routes
from tests.api.container import put_in
from tests.api.doubles import FakeStarter, FakeUpgradeStarter
from tests.apps import make_app
from tests.contacts import CONTACT_KEY_FILE, CONTACT_KEYS
from tests.factories import NO_LIMITS, Owner, make_message, make_owner, new_message, unique
from tests.stack import async_url, make_database
from tests.webhook_key import WEBHOOK_KEY_FILE

TAKEN = 4_242


@pytest.fixture(scope="module")
def own_url(postgres: EmbeddedPostgres) -> str:
    """A database of its own, with scripted public ids."""
    return make_database(postgres, unique("clashes").replace("-", "_"))


@pytest.fixture
async def alone(own_url: str) -> AsyncIterator[Database]:
    database = Database(async_url(own_url), pool_size=5, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


@pytest.fixture
async def known(alone: Database) -> Owner:
    """A tenant with one message, payment and alert, all with public id 4242."""
    owner = await make_owner(alone, credits=100)
    await make_message(alone, new_message(owner))
    async with alone.transaction() as db:
        for table in ("message", "payment", "ledger_entry"):
            await db.execute(
                text(
                    f"UPDATE {table} SET public_id = :taken WHERE tenant_id = :t AND id ="
                    f" (SELECT max(id) FROM {table} WHERE tenant_id = :t)"
                ),
                {"taken": TAKEN, "t": owner.tenant_id},
            )
    return owner


@asynccontextmanager
async def drawing(database: Database, table: str, times: int | None) -> AsyncIterator[None]:
    """Let the next rows draw a taken id, so many times or always."""
    async with database.read() as db:
        usual = await db.scalar(
            text(
                "SELECT column_default FROM information_schema.columns"
                f" WHERE table_name = '{table}' AND column_name = 'public_id'"
            )
        )
    left = 10**9 if times is None else times
    await _run(database, "CREATE SEQUENCE draws")
    by_turns = f"CASE WHEN nextval('draws') <= {left} THEN {TAKEN} ELSE {usual} END"
    await _run(database, f"ALTER TABLE {table} ALTER COLUMN public_id SET DEFAULT {by_turns}")
    try:
        yield
    finally:
        await _run(database, f"ALTER TABLE {table} ALTER COLUMN public_id SET DEFAULT {usual}")
        await _run(database, "DROP SEQUENCE draws")


async def _run(database: Database, statement: str) -> None:
    async with database.transaction() as db:
        await db.execute(text(statement))


@pytest.fixture
async def starter() -> FakeStarter:
    return FakeStarter()


@pytest.fixture
async def client(
    alone: Database, own_url: str, starter: FakeStarter
) -> AsyncIterator[httpx.AsyncClient]:
    """The API on that database, with a double of Temporal only."""
    app = make_app(
        Settings(
            database_url=SecretStr(own_url),
            **NO_LIMITS,
            server_secret=SecretStr("only-for-tests-too"),
            contact_key_file=CONTACT_KEY_FILE,
            webhook_key_file=WEBHOOK_KEY_FILE,
            simulator_secret=SecretStr("for-tests-only-too"),
        )
    )
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as client,
    ):
        sending = Sending(
            alone,
            starter,
            Permissions(
                alone,
                UnsubscribeLinks("http://api.test", "only-for-tests-too"),
                RoutedSenders(Routes([], {})),
            ),
            admission=Admission(alone, limit=1000),
            start_within=timedelta(minutes=1),
        )
        put_in(app, "messages", sending=sending)
        billing = Billing(
            alone,
            FakeUpgradeStarter(),
            start_within=timedelta(minutes=1),
            clock=lambda: datetime.now(UTC),
        )
        put_in(app, "billing", upgrades=billing)
        yield client


async def send(
    client: httpx.AsyncClient, owner: Owner, key: str, message: str = "Hello"
) -> httpx.Response:
    body = {
        "merchantId": owner.merchant,
        "to": "+18135551234",
        "message": message,
        "type": "OTP",
    }
    headers = {**owner.headers, "Idempotency-Key": key}
    return await client.post("/messages/sms", json=body, headers=headers)


async def counts(database: Database, owner: Owner) -> tuple[int, ...]:
    """Return the number of messages, payments and holds, and the held units."""
    async with database.read() as db:
        statement = text(
            "SELECT (SELECT count(*) FROM message WHERE tenant_id = :t),"
            " (SELECT count(*) FROM payment WHERE tenant_id = :t),"
            " (SELECT count(*) FROM ledger_entry WHERE tenant_id = :t AND kind = 'HOLD'),"
            " (SELECT sum(held)::int FROM allowance_month WHERE tenant_id = :t)"
        )
        return tuple((await db.execute(statement, {"t": owner.tenant_id})).one())


@pytest.mark.parametrize("table", ["message", "ledger_entry"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_send_that_draws_a_taken_id_is_written_once_with_another(
    alone: Database,
    known: Owner,
    client: httpx.AsyncClient,
    starter: FakeStarter,
    table: str,
    times: int,
) -> None:
    async with drawing(alone, table, times):
        answer = await send(client, known, "k")
    assert answer.status_code == 200
    assert "Idempotency-Replayed" not in answer.headers
    assert answer.json()["messageId"] != str(TAKEN)
    assert await counts(alone, known) == (2, 1, 2, 2)
    assert [start.idempotency_key for start in starter.started] == ["k"]
    again = await send(client, known, "k")
    assert (again.headers["Idempotency-Replayed"], again.json()) == ("true", answer.json())


@pytest.mark.parametrize("table", ["message", "ledger_entry"])
async def test_a_send_whose_every_draw_is_taken_is_503_and_leaves_no_trace(
    alone: Database, known: Owner, client: httpx.AsyncClient, starter: FakeStarter, table: str
) -> None:
    before = await counts(alone, known)
    async with drawing(alone, table, None):
        answer = await send(client, known, "k")
    assert (answer.status_code, answer.json()["code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "Retry-After" in answer.headers
    assert await counts(alone, known) == before
    assert starter.started == []
    other = await send(client, known, "k", message="Another text")
    assert other.status_code == 200, "its key is free"
    assert "Idempotency-Replayed" not in other.headers


async def test_an_upgrade_that_draws_a_taken_id_is_another_payment(
    alone: Database, known: Owner, client: httpx.AsyncClient
) -> None:
    order = {
        "merchantId": known.merchant,
        "channel": "SMS",
        "units": 10,
        "amountCents": 100,
        "currency": "USD",
        "paymentMethodId": "pm_1",
        "referenceId": unique("reference"),
    }
    headers = {**known.headers, "Idempotency-Key": "k"}
    async with drawing(alone, "payment", 1):
        answer = await client.post("/billing/upgrade", json=order, headers=headers)
    assert answer.status_code == 200, answer.text
    assert "Idempotency-Replayed" not in answer.headers
    assert answer.json()["paymentId"] != f"pay_{TAKEN}"
    assert (await counts(alone, known))[1] == 2


async def test_a_taken_id_is_distinguished_from_a_taken_key(alone: Database, known: Owner) -> None:
    async def refused(assignment: str) -> IntegrityError:
        with pytest.raises(IntegrityError) as caught:
            async with alone.transaction() as db:
                await db.execute(
                    text(f"UPDATE merchant SET {assignment} WHERE tenant_id = :t AND id <> :m"),
                    {"t": known.tenant_id, "m": known.merchant_id},
                )
        return caught.value

    await _run(
        alone,
        "INSERT INTO merchant (tenant_id, external_id, display_name, active, sms_limit,"
        " voice_minutes_limit, email_limit, timezone, created_at, updated_at)"
        " SELECT tenant_id, 'other', 'Other', active, 0, 0, 0, timezone, created_at, updated_at"
        f" FROM merchant WHERE tenant_id = {known.tenant_id}",
    )
    clash = await refused(f"public_id = {known.merchant_public_id}")
    assert (public_id_taken(clash), fault_of(clash)) == (True, Fault.BUSY)
    assert not caused_by_input(clash), "a step is tried again, and its message does not fail"
    taken = await refused(f"external_id = '{known.merchant}'")
    assert (public_id_taken(taken), fault_of(taken)) == (False, None)
    assert caused_by_input(taken)


async def test_buying_a_number_draws_a_taken_id_and_the_number_is_not_called_taken(
    alone: Database, known: Owner
) -> None:
    from models.queries.registration.merchant_registrations import insert_number
    from models.queries.tenants.visibility import RegistryScope
    from models.rules.registration.vocabulary import NumberType

    scope = RegistryScope(
        tenant_id=known.tenant_id,
        merchant_id=known.merchant_id,
        provider="simulator",
        account="simulator",
    )
    now = datetime.now(UTC)

    async def buy(number: str) -> object:
        async with alone.transaction() as db:
            return await insert_number(
                db, scope, number=number, type=NumberType.LOCAL, sweep_at=now, now=now
            )

    assert await buy("+18132201000") is not None
    assert await buy("+18132201000") is None
    await _run(
        alone,
        f"UPDATE messaging_number SET public_id = {TAKEN} WHERE tenant_id = {known.tenant_id}",
    )
    async with drawing(alone, "messaging_number", 1):
        with pytest.raises(IntegrityError) as caught:
            await buy("+18132201001")
    assert public_id_taken(caught.value)
