"""`hexavox rates`: import and list of rate cards."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from cli.dev.postgres import EmbeddedPostgres
from cli.main import app
from models.enums import ReportStatus
from models.session import Database
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner, unique
from tests.stack import async_url, make_database
from workflows.messages.types import Ending

Found = TypeVar("Found")
HEAD = "channel,provider,country,unitCost,carrierFee,markupBasisPoints,markupFlat,validFrom\n"


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> str:
    """A database of its own: default rates are shared."""
    return async_url(make_database(postgres, "rates"))


class Run:
    """The command line on a database."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["rates", *words], env={"DATABASE_URL": self._url})

    def well(self, *words: str) -> str:
        result = self(*words)
        assert result.exit_code == 0, result.output
        return result.output

    def imports(self, *lines: str, tenant: str | None = None) -> Result:
        file = self._folder / f"{unique('rates')}.csv"
        file.write_text(HEAD + "\n".join(lines))
        return self("import", str(file), *(["--tenant", tenant] if tenant else []))

    def listed(self, tenant: str | None = None) -> list[list[str]]:
        shown = self.well("list", *(["--tenant", tenant] if tenant else []))
        return [line.split("\t") for line in shown.splitlines()]

    def on_database(self, work: Callable[[Database], Coroutine[Any, Any, Found]]) -> Found:
        """Run an action on the database, in an event loop of its own."""

        async def run() -> Found:
            database = Database(self._url, pool_size=2, contact_keys=CONTACT_KEYS)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(run())


@pytest.fixture
def run(url: str, tmp_path: Path) -> Run:
    return Run(url, tmp_path)


@pytest.fixture
def tenant(run: Run) -> str:
    return run.on_database(lambda database: make_owner(database)).tenant


def test_a_tenants_card_is_imported_and_listed(run: Run, tenant: str) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = ("SMS,p,US,0.01,0.004,2000,0.001,", f"SMS,p,US,0.02,0,0,0,{later}", "EMAIL,p,,1,,,,")
    assert "3 versions added" in run.imports(*lines, tenant=tenant).output
    shown = run.listed(tenant)
    assert [[*row[:7], row[8]] for row in shown] == [
        ["EMAIL", "p", "any", "1.000000", "0.000000", "0", "0.000000", "in force"],
        ["SMS", "p", "US", "0.010000", "0.004000", "2000", "0.001000", "in force"],
        ["SMS", "p", "US", "0.020000", "0.000000", "0", "0.000000", "later"],
    ]
    assert shown[2][7] == later


def test_a_version_is_added_and_none_is_changed(run: Run, tenant: str) -> None:
    for cost in ("0.01", "0.01", "0.02"):
        run.imports(f"SMS,p,,{cost},0,0,0,1999-01-01T00:00:00Z", tenant=tenant)
    rows = run.listed(tenant)
    assert [(row[3], row[8]) for row in rows] == [
        ("0.010000", "past"),
        ("0.020000", "in force"),
    ]
    assert all(row[7] > "2020" for row in rows)


def test_a_wrong_line_is_named_and_nothing_is_imported(run: Run, tenant: str) -> None:
    refused = run.imports("SMS,p,,1,0,0,0,", "FAX,p,,1,0,0,0,", "SMS,p,,x,0,0,0,", tenant=tenant)
    assert refused.exit_code == 1
    assert ": line 3 channel is none of" in refused.output
    assert ": line 4 unitCost" in refused.output
    assert "Nothing was imported" in refused.output
    assert run.listed(tenant) == []


def test_another_version_of_the_same_future_moment_is_refused(run: Run, tenant: str) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert run.imports(f"SMS,p,,1,0,0,0,{ahead}", tenant=tenant).exit_code == 0
    assert run.imports(f"SMS,p,,1,0,0,0,{ahead}", tenant=tenant).exit_code == 0
    refused = run.imports("EMAIL,p,,1,0,0,0,", f"SMS,p,,2,0,0,0,{ahead}", tenant=tenant)
    assert (refused.exit_code, "line 3" in refused.output) == (1, True)
    assert len(run.listed(tenant)) == 1


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b""])
def test_an_invalid_csv_file_is_refused_with_a_message(
    run: Run, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "rates.csv"
    if content is not None:
        file.write_bytes(content)
    refused = run("import", str(file))
    assert refused.exit_code != 0
    assert "Traceback" not in refused.output


def test_an_unknown_tenant_is_reported(run: Run) -> None:
    assert "There is no tenant" in run.imports("SMS,p,,1,0,0,0,", tenant="nobody").output


def test_the_sample_becomes_everybodys_card_unless_there_is_one(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "sample.csv"
    file.write_text(run.well("sample"))
    run.well("import", "--if-none", str(file))
    first = run.listed()
    assert {row[1] for row in first} == {"simulator", "twilio", "ses", "smtp"}
    file.write_text(file.read_text().replace("0.0083", "0.0084"))
    assert "0 versions added" in run.well("import", "--if-none", str(file))
    assert run.listed() == first


def test_importing_prices_what_had_no_card(run: Run) -> None:
    async def send(database: Database) -> str:
        owner = await make_owner(database)
        harness = Harness(database, owner, Scripted(name="unpriced"))
        message_id = await harness.accept(units=3)
        await harness.dispatch(message_id)
        await harness.tell(message_id, ReportStatus.DELIVERED, provider="unpriced")
        await harness.settle(message_id, Ending.REPORTED)
        return owner.tenant

    async def records(database: Database) -> list[Any]:
        async with database.read() as db:
            found = await db.execute(
                text(
                    "SELECT t.name, r.cost, r.state FROM usage_record r JOIN tenant t"
                    " ON t.id = r.tenant_id ORDER BY r.tenant_id"
                )
            )
            return [tuple(row) for row in found]

    one, other = run.on_database(send), run.on_database(send)
    priced = run.imports("SMS,unpriced,,0.01,0,0,0,", tenant=one)
    assert "1 messages that had no price were priced" in priced.output
    zero = Decimal(0)
    assert run.on_database(records) == [
        (one, Decimal("0.03"), "FINAL"),
        (other, zero, "PROVISIONAL"),
    ]
    assert "1 messages" in run.imports("SMS,unpriced,,0.02,0,0,0,").output
    assert run.on_database(records) == [
        (one, Decimal("0.03"), "FINAL"),
        (other, Decimal("0.06"), "FINAL"),
    ]
