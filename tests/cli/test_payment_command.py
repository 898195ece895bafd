"""`hexavox payment`: stuck refunds, retried or closed by an operator."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from cli.dev.postgres import EmbeddedPostgres
from cli.main import app
from models.session import Database
from tests.activities.gateways import OwnGateway, PaymentHarness
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner
from tests.stack import async_url, make_database

Found = TypeVar("Found")


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> str:
    """A database of its own: the command finds tenants by name."""
    return async_url(make_database(postgres, "payments"))


class Run:
    """The command line on a database, and one payment whose refund is stuck."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.tenant, self.payment = self.on_database(self._stuck)

    def __call__(self, *words: str) -> Result:
        words = ("payment", *words, "--tenant", self.tenant)
        return CliRunner().invoke(app, words, env={"DATABASE_URL": self._url})

    def on_database(self, work: Callable[[Database], Coroutine[Any, Any, Found]]) -> Found:
        """Run an action on the database, in an event loop of its own."""

        async def run() -> Found:
            database = Database(self._url, pool_size=1, contact_keys=CONTACT_KEYS)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(run())

    def row(self) -> Any:
        """Return the payment's row with the types of its open alerts."""

        async def read(database: Database) -> Any:
            async with database.read() as db:
                found = await db.execute(
                    text(
                        "SELECT p.*, ARRAY(SELECT a.type FROM alert a WHERE a.tenant_id ="
                        " p.tenant_id AND a.resolved_at IS NULL) AS alerts FROM payment p"
                        " WHERE p.public_id = :p"
                    ),
                    {"p": int(self.payment.removeprefix("pay_"))},
                )
                return found.one()

        return self.on_database(read)

    async def _stuck(self, database: Database) -> tuple[str, str]:
        owner = await make_owner(database)
        gateway = OwnGateway(refuses_refunds=True)
        harness = PaymentHarness(database, owner, gateway)
        payment_id = await harness.order()
        await harness.take("charge", payment_id)
        await harness.switch(active=False)
        harness.refund_wait = timedelta(0)
        await harness.carry(payment_id)
        [tenant] = await harness.rows("SELECT name FROM tenant WHERE id = :t")
        return tenant.name, f"pay_{(await harness.row(payment_id)).public_id}"


@pytest.fixture
def run(url: str) -> Run:
    return Run(url)


def test_payments_that_need_an_operator_are_listed(run: Run) -> None:
    [line] = run("list").output.splitlines()
    shown = line.split("\t")
    assert shown[:4] == [run.payment, "SUCCEEDED", "MERCHANT_INACTIVE", "own"]
    assert shown[5] == "REFUND_STUCK"


def test_a_stuck_refund_is_opened_for_its_workflow_once(run: Run) -> None:
    assert run("refund", run.payment).exit_code == 0
    row = run.row()
    assert (row.completed_at, row.refund_stuck_at) == (None, None)
    assert row.sweep_at <= datetime.now(UTC)
    assert run("refund", run.payment).exit_code == 2


def test_a_refund_made_in_another_way_is_closed(run: Run) -> None:
    assert "as REFUNDED" in run("close", run.payment).output
    row = run.row()
    assert (row.status, row.refunded_cents, row.alerts) == ("REFUNDED", 10, [])
    assert run("list").output == ""
    assert "as REFUNDED" not in run("close", run.payment).output


@pytest.mark.parametrize("word", ["refund", "close"])
@pytest.mark.parametrize("payment", ["pay_1", "pay_x", "", "pay_" + "9" * 30])
def test_an_unknown_payment_is_an_error(run: Run, word: str, payment: str) -> None:
    assert run(word, payment).exit_code == 2
