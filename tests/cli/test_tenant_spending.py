"""`hexavox tenant`: the country, the allowed countries and the spending limit."""

from pathlib import Path

import pytest

from cli.dev.postgres import EmbeddedPostgres
from tests.cli.test_prices_command import Run
from tests.factories import unique
from tests.stack import async_url, make_database


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> str:
    return async_url(make_database(postgres, "tenants"))


@pytest.fixture
def run(url: str, tmp_path: Path) -> Run:
    return Run(url, tmp_path)


def line_of(run: Run, tenant: str) -> str:
    return next(line for line in run.well("tenant", "list").splitlines() if f"\t{tenant}\t" in line)


def created(run: Run, *words: str) -> str:
    name = unique("tenant")
    run.well("tenant", "create", name, "--mode", "LIVE", *words)
    return name


def test_a_spending_limit_is_set_changed_and_taken_away(run: Run) -> None:
    name = created(run)
    assert line_of(run, name).endswith("\tLIVE")
    assert "250 USD a day" in run.well("tenant", "set", name, "--usd-per-day", "250")
    assert line_of(run, name).endswith("\tLIVE\t250.00 USD a day")
    run.well("tenant", "set", name, "--usd-per-day", "0")
    assert line_of(run, name).endswith("\t0.00 USD a day")
    assert "no spending limit" in run.well("tenant", "set", name, "--no-usd-per-day")
    assert line_of(run, name).endswith("\tLIVE")


def test_countries_are_added_to_its_own_or_replaced(run: Run) -> None:
    name = created(run, "--country", "gb")
    run.well("tenant", "set", name, "--allow-country", "ie", "--allow-country", "FR")
    assert line_of(run, name).endswith("\tto FR,GB,IE")
    run.well("tenant", "set", name, "--allow-country", "IE")
    assert line_of(run, name).endswith("\tto FR,GB,IE")
    run.well("tenant", "set", name, "--countries", "US, CA")
    assert line_of(run, name).endswith("\tto CA,US")
    run.well("tenant", "set", name, "--countries", "*")
    assert line_of(run, name).endswith("\tto *")


def test_other_settings_are_unchanged(run: Run) -> None:
    name = created(run)
    run.well("tenant", "set", name, "--usd-per-day", "9.50", "--countries", "CA")
    run.well("tenant", "set", name, "--otps-per-day", "7")
    assert line_of(run, name).endswith("\totps_per_day 7\t9.50 USD a day\tto CA")


@pytest.mark.parametrize(
    "words",
    [
        ("--usd-per-day", "-1"),
        ("--usd-per-day", "much"),
        ("--usd-per-day", "NaN"),
        ("--usd-per-day", "Infinity"),
        ("--usd-per-day", "1.005"),
        ("--usd-per-day", "10000000000"),
        ("--usd-per-day", "1", "--no-usd-per-day"),
        ("--countries", ""),
        ("--countries", "USA"),
        ("--countries", "US,XX"),
        ("--countries", "US", "--allow-country", "CA"),
        ("--allow-country", "*"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    run: Run, words: tuple[str, ...]
) -> None:
    name = created(run)
    refused = run("tenant", "set", name, *words)
    assert (refused.exit_code, "Traceback" in refused.output) == (2, False)
    assert line_of(run, name).endswith("\tLIVE")


def test_an_unknown_country_creates_no_tenant(run: Run) -> None:
    name = unique("tenant")
    assert run("tenant", "create", name, "--country", "UK").exit_code == 2
    assert name not in run.well("tenant", "list")
