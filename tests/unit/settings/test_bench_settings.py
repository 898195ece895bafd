"""The environment of `make bench` is valid for its processes."""

import pytest

from bench.hostile import TOKEN, default_limits, providers_file
from models.configuration.accounts import read_configuration
from models.settings import Settings


def test_the_settings_of_the_hostile_bench_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1/nothing")
    with providers_file() as accounts:
        for name, value in {**default_limits(), **accounts}.items():
            monkeypatch.setenv(name, value)
        configuration = read_configuration(Settings().providers_file, accounts)
    assert [account.secret("auth_token") for account in configuration.accounts] == [TOKEN]
