"""`hexavox key`: create with scopes and expiry, list, revoke."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.dev.postgres import EmbeddedPostgres
from tests.cli.test_prices_command import Run
from tests.factories import unique
from tests.stack import async_url, make_database


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> str:
    return async_url(make_database(postgres, "keys"))


@pytest.fixture
def run(url: str, tmp_path: Path) -> Run:
    return Run(url, tmp_path)


@pytest.fixture
def tenant(run: Run) -> str:
    name = unique("tenant")
    run.well("tenant", "create", name)
    return name


def listed(run: Run, tenant: str) -> list[list[str]]:
    shown = run.well("key", "list", "--tenant", tenant)
    return [line.split("\t") for line in shown.splitlines()]


def test_a_key_has_every_scope_and_no_expiry_unless_they_are_given(run: Run, tenant: str) -> None:
    made = json.loads(run.well("key", "create", "--tenant", tenant, "--name", "x", "--json"))
    assert sorted(made) == ["apiKey", "apiSecret", "keyId"]
    today = datetime.now(UTC).date().isoformat()
    assert listed(run, tenant) == [
        [
            made["keyId"],
            "live",
            "whole tenant",
            today,
            "send,read,billing,admin",
            "expires never",
            "used never",
            "x",
        ]
    ]


def test_scopes_and_expiry_are_shown(run: Run, tenant: str) -> None:
    run.well(
        *("key", "create", "--tenant", tenant),
        *("--scopes", "read, send", "--expires", "2999-04-16T02:00:00+02:00"),
    )
    (line,) = listed(run, tenant)
    assert line[4:6] == ["send,read", "expires 2999-04-16T00:00Z"]


def test_a_key_is_revoked_once(run: Run, tenant: str) -> None:
    made = json.loads(run.well("key", "create", "--tenant", tenant, "--json"))
    run.well("key", "revoke", "--tenant", tenant, made["keyId"])
    assert listed(run, tenant)[0][1] == "revoked"
    assert run("key", "revoke", "--tenant", tenant, made["keyId"]).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--scopes", ""),
        ("--scopes", "write"),
        ("--scopes", "send,,read"),
        ("--scopes", "SEND"),
        ("--expires", "soon"),
        ("--expires", "2999-04-16"),
        ("--expires", "9999-12-31T23:59:59-14:00"),
        ("--expires", "2999-04-16T00:00:00"),
        ("--expires", (datetime(2020, 1, 1, tzinfo=UTC)).isoformat()),
        ("--expires", str(timedelta(days=1))),
        ("--name", "x" * 101),
    ],
    ids=" ".join,
)
def test_a_mistake_is_named_and_creates_nothing(
    run: Run, tenant: str, words: tuple[str, str]
) -> None:
    result = run("key", "create", "--tenant", tenant, *words)
    assert result.exit_code == 2
    assert words[0] in result.output
    assert listed(run, tenant) == []
