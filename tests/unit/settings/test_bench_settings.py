"""The environment of `make bench` is valid for its processes."""

import pytest

from bench.hostile import TWILIO, default_limits
from models.settings import Settings


def test_the_settings_of_the_hostile_bench_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1/nothing")
    for name, value in {**default_limits(), **TWILIO}.items():
        monkeypatch.setenv(name, value)
    token = Settings().twilio_auth_token
    assert token is not None
    assert token.get_secret_value() == TWILIO["HEXAVOX_TWILIO_AUTH_TOKEN"]
