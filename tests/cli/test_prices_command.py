"""`hexavox prices`: import and list, and tenants with custom prices."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner, Result

from cli.dev.postgres import EmbeddedPostgres
from cli.main import app
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner, unique
from tests.stack import async_url, make_database

Found = TypeVar("Found")
HEAD = "channel,units,amount,currency,validFrom,tenant\n"


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> str:
    """A database of its own: prices for all tenants are shared."""
    return async_url(make_database(postgres, "prices"))


class Run:
    """The command line on a database."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words), env={"DATABASE_URL": self._url})

    def well(self, *words: str) -> str:
        result = self(*words)
        assert result.exit_code == 0, result.output
        return result.output

    def imports(self, *lines: str, content: bytes | None = None) -> Result:
        file = self._folder / f"{unique('prices')}.csv"
        file.write_bytes((HEAD + "\n".join(lines)).encode() if content is None else content)
        return self("prices", "import", str(file))

    def listed(self, tenant: str) -> list[list[str]]:
        shown = self.well("prices", "list", "--tenant", tenant)
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


def test_lines_are_imported_and_listed(run: Run, tenant: str) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    imported = run.imports(
        f"SMS,2500,49.00,USD,,{tenant}",
        f"SMS,2500,52.00,USD,{later},{tenant}",
        f"SMS,2500,7000,JPY,,{tenant}",
        f"VOICE,10,none,USD,,{tenant}",
    )
    assert "4 versions added" in imported.output
    shown = run.listed(tenant)
    assert [[*row[:5], row[6]] for row in shown] == [
        [tenant, "SMS", "2500", "7000", "JPY", "in force"],
        [tenant, "SMS", "2500", "49.00", "USD", "in force"],
        [tenant, "SMS", "2500", "52.00", "USD", "later"],
        [tenant, "VOICE", "10", "none", "USD", "in force"],
    ]
    assert shown[2][5] == later


def test_a_version_is_added_and_none_is_changed(run: Run, tenant: str) -> None:
    for amount in ("49.00", "49.00", "50.00"):
        run.imports(f"SMS,2500,{amount},USD,1999-01-01T00:00:00Z,{tenant}")
    rows = run.listed(tenant)
    assert [(row[3], row[6]) for row in rows] == [("49.00", "past"), ("50.00", "in force")]
    assert all(row[5] > "2020" for row in rows)


def test_a_wrong_line_is_named_and_nothing_is_imported(run: Run, tenant: str) -> None:
    refused = run.imports(
        f"SMS,1,1.00,USD,,{tenant}", f"FAX,1,1.00,USD,,{tenant}", f"SMS,0,1.00,USD,,{tenant}"
    )
    assert refused.exit_code == 1
    told = [line for line in refused.output.splitlines() if ": line " in line]
    assert [line.partition(": ")[2][:12] for line in told] == ["line 3 chann", "line 4 units"]
    assert "Nothing was imported" in refused.output
    assert run.listed(tenant) == []


def test_a_tenant_that_is_not_there_is_named_with_its_line(run: Run, tenant: str) -> None:
    refused = run.imports(f"SMS,1,1.00,USD,,{tenant}", "SMS,2,2.00,USD,,nobody")
    assert refused.exit_code == 1
    assert "line 3 names a tenant there is none of: nobody" in refused.output
    assert run.listed(tenant) == []


def test_another_version_of_the_same_future_moment_is_refused(run: Run, tenant: str) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for _ in range(2):
        assert run.imports(f"SMS,1,1.00,USD,{ahead},{tenant}").exit_code == 0
    refused = run.imports(f"SMS,5,1.00,USD,,{tenant}", f"SMS,1,2.00,USD,{ahead},{tenant}")
    assert (refused.exit_code, "line 3 " in refused.output) == (1, True)
    assert len(run.listed(tenant)) == 1


def test_a_byte_order_mark_and_windows_line_ends_are_read(run: Run, tenant: str) -> None:
    content = f"\ufeff{HEAD}SMS,1,1.00,USD,,{tenant}\n".replace("\n", "\r\n").encode()
    assert run.imports(content=content).exit_code == 0
    assert len(run.listed(tenant)) == 1


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", HEAD.encode(), b"a" * (5 << 20)])
def test_an_invalid_price_list_is_refused_with_a_message(run: Run, content: bytes) -> None:
    refused = run.imports(content=content)
    assert refused.exit_code != 0
    assert "Traceback" not in refused.output


def test_the_sample_becomes_the_list_unless_there_is_one(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "sample.csv"
    file.write_text(run.well("prices", "sample"))
    run.well("prices", "import", str(file))
    first = run.well("prices", "list")
    assert "all\tSMS\t2500\t49.00\tUSD\t" in first
    file.write_text(file.read_text().replace("49.00", "50.00"))
    assert "0 versions added" in run.well("prices", "import", "--if-none", str(file))
    assert run.well("prices", "list") == first


def test_a_tenant_is_given_custom_prices_and_loses_them(run: Run) -> None:
    owner = run.on_database(lambda database: make_owner(database, custom_prices=False))
    assert "custom prices" not in _line_of(run, owner.tenant)
    run.well("tenant", "set", owner.tenant, "--custom-prices")
    assert _line_of(run, owner.tenant).endswith("\tcustom prices")
    run.well("tenant", "set", owner.tenant, "--no-custom-prices")
    assert "custom prices" not in _line_of(run, owner.tenant)


def test_a_tenant_is_allowed_to_send_again_and_no_more(run: Run) -> None:
    owner = run.on_database(make_owner)
    assert "resends" not in _line_of(run, owner.tenant)
    run.well("tenant", "set", owner.tenant, "--resend-after-window")
    assert _line_of(run, owner.tenant).endswith("\tcustom prices\tresends after window")
    run.well("tenant", "set", owner.tenant, "--otps-per-day", "7")
    assert "\tresends after window\t" in _line_of(run, owner.tenant)
    run.well("tenant", "set", owner.tenant, "--no-resend-after-window")
    assert "resends" not in _line_of(run, owner.tenant)


def test_setting_nothing_or_an_unknown_tenant_is_refused_with_a_message(
    run: Run, tenant: str
) -> None:
    assert run("tenant", "set", tenant).exit_code == 2
    nobody = run("tenant", "set", "nobody", "--custom-prices")
    assert (nobody.exit_code, "There is no tenant nobody" in nobody.output) == (2, True)


def test_no_tenant_may_have_the_name_for_all(run: Run) -> None:
    assert run("tenant", "create", "all").exit_code == 2


def _line_of(run: Run, tenant: str) -> str:
    return next(line for line in run.well("tenant", "list").splitlines() if f"\t{tenant}\t" in line)


def test_a_tenant_is_given_limits_of_destinations(run: Run) -> None:
    owner = run.on_database(make_owner)
    run.well("tenant", "set", owner.tenant, "--otps-per-day", "7", "--otps-per-10-minutes", "0")
    told = _line_of(run, owner.tenant)
    assert told.endswith("\tcustom prices\totps_per_10_minutes without limit\totps_per_day 7")
    run.well("tenant", "set", owner.tenant, "--new-recipients-per-hour", "9")
    assert _line_of(run, owner.tenant) == f"{told}\tnew_recipients_per_hour 9"
    assert run("tenant", "set", owner.tenant, "--otps-per-day", "1001").exit_code == 2
