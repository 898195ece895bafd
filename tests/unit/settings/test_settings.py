"""Settings: two profiles, and every setting can be overridden."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from cli.main import app
from models.rules.waits import PaymentWaits, SendWaits
from models.settings import IncompleteSettings, Profile, Settings
from tests.secret_values import SIMULATOR_SECRET, SIMULATOR_TOKEN

URL = "postgresql://user:hidden@host:5432/name"
WAITS = {
    "report_wait": (timedelta(minutes=10), timedelta(seconds=5)),
    "poll_first": (timedelta(minutes=5), timedelta(seconds=1)),
    "poll_longest": (timedelta(hours=2), timedelta(seconds=5)),
    "reconcile_every": (timedelta(seconds=5), timedelta(seconds=1)),
    "absence_window": (timedelta(minutes=2), timedelta(seconds=3)),
    "reconcile_horizon": (timedelta(hours=72), timedelta(seconds=60)),
    "payment_news_wait": (timedelta(minutes=1), timedelta(seconds=1)),
    "payment_poll_first": (timedelta(minutes=1), timedelta(seconds=1)),
    "payment_poll_longest": (timedelta(minutes=30), timedelta(seconds=1)),
    "payment_retry_every": (timedelta(seconds=5), timedelta(seconds=1)),
    "payment_horizon": (timedelta(hours=24), timedelta(seconds=60)),
    "payment_mismatch_wait": (timedelta(hours=1), timedelta(seconds=5)),
    "payment_refund_wait": (timedelta(hours=72), timedelta(seconds=60)),
    "registration_lost_after": (timedelta(days=7), timedelta(seconds=60)),
    "sweep_every": (timedelta(seconds=30), timedelta(seconds=2)),
    "sweep_grace": (timedelta(seconds=60), timedelta(seconds=8)),
    "close_every": (timedelta(hours=1), timedelta(seconds=60)),
}
OVERRIDES: dict[str, tuple[str, Any]] = {
    "DATABASE_POOL": ("7", 7),
    "API_HOST": ("0.0.0.0", "0.0.0.0"),
    "API_PORT": ("9000", 9000),
    "PUBLIC_URL": ("https://api.example.com", "https://api.example.com"),
    "WORKER_HEALTH_HOST": ("0.0.0.0", "0.0.0.0"),
    "WORKER_HEALTH_PORT": ("0", 0),
    "KEEP_ALIVE": ("90", timedelta(seconds=90)),
    "MAX_CONNECTIONS": ("50", 50),
    "RATE_LIMIT": ("10", 10),
    "RATE_BURST": ("5000", 5000),
    "RATE_CONCURRENCY": ("3", 3),
    "TENANT_RATE_LIMIT": ("10", 10),
    "TENANT_RATE_BURST": ("5000", 5000),
    "TENANT_RATE_CONCURRENCY": ("3", 3),
    "FAILED_LOGIN_RATE": ("1", 1),
    "FAILED_LOGIN_BURST": ("500", 500),
    "REFUSAL_RATE": ("1", 1),
    "REFUSAL_BURST": ("500", 500),
    "TRUSTED_PROXIES": ("10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
    "SIMULATOR_URL": ("http://sim:1", "http://sim:1"),
    "SIMULATOR_SECRET": ("s" * 16, SecretStr("s" * 16)),
    "PROVIDER_TIMEOUT": ("PT3S", timedelta(seconds=3)),
    "PROVIDER_SLOTS": ("3", 3),
    "LOG_LEVEL": ("debug", "DEBUG"),
    **{name.upper(): ("PT17S", timedelta(seconds=17)) for name in WAITS},
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Only the database is set."""
    monkeypatch.setenv("DATABASE_URL", URL)
    return monkeypatch


def test_the_waits_of_production_are_the_defaults() -> None:
    settings = Settings()
    assert settings.profile is Profile.PRODUCTION
    assert {n: getattr(settings, n) for n in WAITS} == {n: w[0] for n, w in WAITS.items()}


@pytest.mark.parametrize("written", ["demo", "Demo", " demo "])
def test_the_demo_shortens_every_wait(environment: pytest.MonkeyPatch, written: str) -> None:
    environment.setenv("HEXAVOX_PROFILE", written)
    settings = Settings()
    assert settings.profile is Profile.DEMO
    assert {n: getattr(settings, n) for n in WAITS} == {n: w[1] for n, w in WAITS.items()}


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("name", OVERRIDES)
def test_one_variable_sets_one_thing_in_every_profile(
    environment: pytest.MonkeyPatch, profile: Profile, name: str
) -> None:
    environment.setenv("HEXAVOX_PROFILE", profile)
    before = Settings().model_dump()
    text, value = OVERRIDES[name]
    environment.setenv(f"HEXAVOX_{name}", text)
    assert Settings().model_dump() == before | {name.lower(): value}


def test_production_is_not_served_without_a_public_address(
    environment: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(IncompleteSettings, match="HEXAVOX_PUBLIC_URL"):
        Settings().check_for_serving()
    environment.setenv("HEXAVOX_PROFILE", "demo")
    Settings().check_for_serving()
    environment.setenv("HEXAVOX_PROFILE", "production")
    environment.setenv("HEXAVOX_PUBLIC_URL", "http://127.0.0.1:8000")  # set explicitly
    Settings().check_for_serving()


@pytest.mark.parametrize("process", ["api", "worker", "simulator --in-production"])
def test_a_process_that_serves_says_what_it_lacks(
    environment: pytest.MonkeyPatch, process: str
) -> None:
    environment.setenv("HEXAVOX_SIMULATOR_SECRET", SIMULATOR_SECRET)
    environment.setenv("HEXAVOX_SIMULATOR_TOKEN", SIMULATOR_TOKEN)
    result = CliRunner().invoke(app, process.split())
    assert result.exit_code == 2
    assert "HEXAVOX_PUBLIC_URL" in result.output


def test_the_send_takes_its_waits_along() -> None:
    settings = Settings()
    assert settings.send_waits == SendWaits(
        report_wait=settings.report_wait,
        poll_first=settings.poll_first,
        poll_longest=settings.poll_longest,
        reconcile_every=settings.reconcile_every,
        reconcile_horizon=settings.reconcile_horizon,
    )


def test_the_purchase_takes_its_waits_along() -> None:
    settings = Settings()
    assert settings.payment_waits == PaymentWaits(
        news_wait=settings.payment_news_wait,
        poll_first=settings.payment_poll_first,
        poll_longest=settings.payment_poll_longest,
        retry_every=settings.payment_retry_every,
        horizon=settings.payment_horizon,
        mismatch_wait=settings.payment_mismatch_wait,
        refund_wait=settings.payment_refund_wait,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEXAVOX_PROFILE", "staging"),
        ("HEXAVOX_DATABASE_POOL", "1"),
        ("HEXAVOX_PROVIDER_SLOTS", "0"),
        ("HEXAVOX_RATE_BURST", "49"),
        ("HEXAVOX_RATE_CONCURRENCY", "0"),
        ("HEXAVOX_TENANT_RATE_BURST", "99"),
        ("HEXAVOX_FAILED_LOGIN_BURST", "4"),
        ("HEXAVOX_REFUSAL_BURST", "19"),
        ("HEXAVOX_TRUSTED_PROXIES", "proxy.example.com"),
        ("HEXAVOX_TRUSTED_PROXIES", "*"),
        ("HEXAVOX_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("HEXAVOX_REPORT_WAIT", "soon"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (URL, URL.replace("postgresql://", "postgresql+psycopg://")),
        ("postgres://host/name", "postgresql+psycopg://host/name"),
        ("postgresql+psycopg://host/name", "postgresql+psycopg://host/name"),
    ],
)
def test_a_database_address_is_given_to_our_driver(
    environment: pytest.MonkeyPatch, given: str, read: str
) -> None:
    environment.setenv("DATABASE_URL", given)
    assert Settings().async_database_url == read


def test_no_secret_shows() -> None:
    assert "hidden" not in repr(Settings(simulator_secret=SecretStr("hidden-from-all-eyes")))


def test_there_is_no_start_without_a_database(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DATABASE_URL")
    with pytest.raises(ValidationError):
        Settings()
