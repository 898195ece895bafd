"""A message is sent in its own delivery mode, not in the current one of its tenant."""

from contextlib import nullcontext
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from activities.messages.dispatch import Dispatching
from activities.messages.inline_report_wait import InlineReportWait
from models.enums import DeliveryMode, PaymentStatus
from models.session import Database
from providers.routing import Routes
from tests.activities.doubles import Scripted
from tests.activities.gateways import OwnGateway, PaymentHarness
from tests.activities.harness import Harness
from tests.factories import Owner, make_message, new_message


class TwoWays(Harness):
    """One provider per delivery mode."""

    def __init__(self, database: Database, owner: Owner) -> None:
        self.sandbox, self.real = Scripted(name="sandbox"), Scripted(name="real")
        super().__init__(database, owner, self.sandbox)
        order = {DeliveryMode.SIMULATOR: ["sandbox"], DeliveryMode.LIVE: ["real"]}
        self.dispatching = Dispatching(
            database,
            Routes([self.sandbox, self.real], order),
            public_url="http://us/",
            slots=20,
            inline_report_wait=InlineReportWait(database, timedelta(0)),
        )


async def force_live(database: Database, owner: Owner) -> None:
    """Change only the tenant's mode, bypassing the constraints of the database."""
    async with database.transaction() as db:
        await db.execute(text("SET LOCAL session_replication_role = replica"))
        await db.execute(
            text("UPDATE tenant SET delivery_mode = 'LIVE' WHERE id = :t"), {"t": owner.tenant_id}
        )


async def test_a_sandbox_message_stays_at_the_simulator(database: Database, owner: Owner) -> None:
    ways = TwoWays(database, owner)
    message_id = await make_message(database, new_message(owner))
    await force_live(database, owner)
    await ways.dispatch(message_id)
    assert (len(ways.sandbox.sent), len(ways.real.sent)) == (1, 0)


async def test_a_sandbox_payment_stays_at_the_simulators_gateway(
    database: Database, owner: Owner
) -> None:
    harness = PaymentHarness(database, owner, OwnGateway())
    payment_id = await harness.order()
    await force_live(database, owner)
    assert await harness.carry(payment_id) is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("mode", ["SIMULATOR", "LIVE"])
async def test_a_tenant_without_rows_keeps_its_mode_too(database: Database, mode: str) -> None:
    other = {"SIMULATOR": "LIVE", "LIVE": "SIMULATOR"}[mode]
    create = (
        "INSERT INTO tenant (name, delivery_mode, created_at) VALUES (:n, :m, now()) RETURNING id"
    )
    async with database.transaction() as db:
        tenant_id = await db.scalar(text(create), {"n": f"bare-{mode}-{id(db)}", "m": mode})
    change = "UPDATE tenant SET name = name, delivery_mode = :m WHERE id = :t"
    async with database.transaction() as db:
        await db.execute(text(change), {"m": mode, "t": tenant_id})
    with pytest.raises(IntegrityError, match="never changes"):
        async with database.transaction() as db:
            await db.execute(text(change), {"m": other, "t": tenant_id})


@pytest.mark.parametrize("table", ["message", "payment", "credit_account"])
async def test_no_row_is_written_in_another_mode(
    database: Database, owner: Owner, table: str
) -> None:
    await make_message(database, new_message(owner))
    await PaymentHarness(database, owner, OwnGateway()).order()
    statement = f"UPDATE {table} SET delivery_mode = 'LIVE' WHERE tenant_id = :t"
    with pytest.raises(IntegrityError, match=f"fk_{table}_tenant"):
        async with database.transaction() as db:
            await db.execute(text(statement), {"t": owner.tenant_id})


@pytest.mark.parametrize(
    ("provider", "account", "refused"),
    [("a", "one", True), ("a", "two", False), ("b", "one", False)],
)
async def test_a_providers_message_id_is_unique_per_account(
    database: Database, owner: Owner, provider: str, account: str, refused: bool
) -> None:
    add = text(
        "INSERT INTO attempt (tenant_id, message_id, number, provider, account, state,"
        " requested_at, deadline, everywhere, provider_message_id)"
        " VALUES (:t, :m, 1, :p, :a, 'ACCEPTED', now(), now(), FALSE, 'same')"
    )
    first = await make_message(database, new_message(owner))
    second = await make_message(database, new_message(owner))
    ids = {"t": owner.tenant_id}
    async with database.transaction() as db:
        await db.execute(add, {**ids, "m": first, "p": "a", "a": "one"})
    told = pytest.raises(IntegrityError, match="ux_attempt_provider_message")
    with told if refused else nullcontext():
        async with database.transaction() as db:
            await db.execute(add, {**ids, "m": second, "p": provider, "a": account})
