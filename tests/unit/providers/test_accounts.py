"""Accounts of the providers file: replaced at once, retired, verified with their own secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import SecretStr

from models.configuration.accounts import Configuration, read_configuration
from models.configuration.environment_settings import BadSettings
from models.enums import Channel, DeliveryMode
from models.settings import Settings
from providers.accounts import Accounts, Change
from providers.ports.messages import ForgedWebhook, Webhook
from providers.twilio.signatures import SIGNATURE_HEADER, signature
from providers.vendors import Providers, check_accounts, check_replies, open_providers
from tests.providers_files import TWILIO, write_file
from tests.vendors.twilio_double import ACCOUNT

NOTHING: frozenset[str] = frozenset()
TEXT = {
    "AccountSid": ACCOUNT,
    "MessageSid": "SM" + "0d" * 16,
    "To": "+12135550123",
    "Body": "hello",
}
SECRETS = {"ONE": "token-one", "TWO": "token-two", "OLD": "token-old", "PASSWORD": "pass-of-relay"}
RELAY = """
[[account]]
name = "relay"
vendor = "smtp"
host = "127.0.0.1"
security = "plain"
domains = ["example.com"]
username = "us"
password = { env = "PASSWORD" }
"""


def twilio(name: str, secret: str, *lines: str, sid: str = ACCOUNT) -> str:
    return "\n".join(
        [
            f'[[account]]\nname = "{name}"\nvendor = "twilio"\naccount_sid = "{sid}"',
            f'auth_token = {{ env = "{secret}" }}',
            *lines,
        ]
    )


def opened(**more: object) -> Providers:
    settings = Settings.model_validate(
        {"database_url": SecretStr("postgresql://x"), "public_url": "https://api.test"} | more
    )
    return open_providers(settings, httpx.AsyncClient(), lambda: datetime.now(UTC))


def read(folder: Path, *tables: str, secrets: Mapping[str, str] | None = None) -> Configuration:
    return read_configuration(write_file(folder, *tables), secrets or SECRETS)


def webhook(account: str, token: str) -> Webhook:
    url = f"https://api.test/webhooks/{account}/inbound"
    signed = signature(token, url, {name: [word] for name, word in TEXT.items()})
    headers = {SIGNATURE_HEADER: signed}
    return Webhook(url=url, headers=headers, body=urlencode(TEXT).encode())


async def believed(providers: Providers, account: str, token: str) -> bool:
    """Return whether an account takes a text that a token has signed."""
    try:
        read = providers.verifiers.inbound_texts[account]
        return await read(webhook(account, token)) is not None
    except ForgedWebhook:
        return False


async def test_every_account_verifies_with_its_own_secret(tmp_path: Path) -> None:
    providers = opened()
    await providers.accounts.replace(read(tmp_path, twilio("a", "ONE"), twilio("b", "TWO")))
    assert [await believed(providers, "a", token) for token in ("token-one", "token-two")] == [
        True,
        False,
    ]
    assert [await believed(providers, "b", token) for token in ("token-one", "token-two")] == [
        False,
        True,
    ]


async def test_an_old_and_a_new_secret_hold_side_by_side(tmp_path: Path) -> None:
    providers = opened()
    previous = 'previous_auth_token = { env = "OLD" }'
    await providers.accounts.replace(read(tmp_path, twilio("a", "ONE", previous)))
    assert [await believed(providers, "a", f"token-{one}") for one in ("one", "old", "two")] == [
        True,
        True,
        False,
    ]
    await providers.accounts.replace(read(tmp_path, twilio("a", "ONE")))
    assert not await believed(providers, "a", "token-old")


async def test_a_new_reading_replaces_what_others_hold(tmp_path: Path) -> None:
    providers = opened(simulator_secret=SecretStr("for-tests-only-too"))
    routes, reports = providers.vendors.routes, providers.verifiers.reports
    assert set(reports) == {"simulator"}
    change = await providers.accounts.replace(read(tmp_path, twilio("a", "ONE"), RELAY))
    assert change == Change(added=frozenset({"a", "relay"}), changed=NOTHING, retired=NOTHING)
    assert set(reports) == {"simulator", "a"}
    assert {p.account for p in routes.providers} == {"simulator", "a", "relay"}
    assert [p.account for p in routes.able(DeliveryMode.LIVE, Channel.SMS)] == ["a"]
    assert [p.account for p in routes.able(DeliveryMode.LIVE, Channel.EMAIL)] == ["relay"]
    assert [p.account for p in routes.able(DeliveryMode.SIMULATOR, Channel.SMS)] == ["simulator"]
    await providers.accounts.close()


async def test_an_account_that_did_not_change_keeps_its_connections(tmp_path: Path) -> None:
    providers = opened()
    tables = twilio("a", "ONE"), twilio("b", "TWO")
    await providers.accounts.replace(read(tmp_path, *tables))
    before = {name: providers.vendors.routes.find(name) for name in "ab"}
    other = SECRETS | {"TWO": "token-three"}
    change = await providers.accounts.replace(read(tmp_path, *tables, secrets=other))
    assert change == Change(added=NOTHING, changed=frozenset({"b"}), retired=NOTHING)
    assert providers.vendors.routes.find("a") is before["a"]
    assert providers.vendors.routes.find("b") is not before["b"]
    assert await believed(providers, "b", "token-three")


@pytest.mark.parametrize("how", ["removed", "marked"])
async def test_an_account_that_is_taken_out_is_only_looked_up(tmp_path: Path, how: str) -> None:
    providers = opened()
    mine = 'tenants = ["acme"]'
    await providers.accounts.replace(read(tmp_path, twilio("a", "ONE", mine), twilio("b", "TWO")))
    left = [twilio("a", "ONE", mine, "retired = true")] if how == "marked" else []
    change = await providers.accounts.replace(read(tmp_path, *left, twilio("b", "TWO")))
    assert change == Change(added=NOTHING, changed=NOTHING, retired=frozenset({"a"}))
    routes = providers.vendors.routes
    assert [p.account for p in routes.able(DeliveryMode.LIVE, Channel.SMS)] == ["b"]
    assert routes.find("a") is not None
    assert await believed(providers, "a", "token-one")
    scope = routes.scope("a")
    assert scope is not None
    assert not scope.serves("another")

    await providers.accounts.forget(frozenset({"a", "b"}))
    assert (routes.find("a") is None) == (how == "removed")
    assert ("a" in providers.verifiers.inbound_texts) == (how == "marked")
    assert routes.find("b") is not None


async def test_an_account_that_comes_back_is_used_again(tmp_path: Path) -> None:
    providers = opened()
    both = twilio("a", "ONE"), twilio("b", "TWO")
    for tables in (both, both[1:], both):
        await providers.accounts.replace(read(tmp_path, *tables))
    assert providers.accounts.removed == NOTHING
    able = providers.vendors.routes.able(DeliveryMode.LIVE, Channel.SMS)
    assert [p.account for p in able] == ["a", "b"]


@pytest.mark.parametrize("taken_out", [True, False])
async def test_a_name_stays_with_its_account_at_the_vendor(tmp_path: Path, taken_out: bool) -> None:
    providers = opened()
    await providers.accounts.replace(read(tmp_path, twilio("a", "ONE")))
    if taken_out:
        await providers.accounts.replace(read(tmp_path, RELAY))
    other = twilio("a", "ONE", sid="AC" + "e" * 32)
    before = providers.accounts.current
    with pytest.raises(BadSettings, match="account a is another one at its vendor than before"):
        await providers.accounts.replace(read(tmp_path, other))
    assert providers.accounts.current == before
    await providers.accounts.close()


async def test_an_account_that_its_adapter_refuses_changes_nothing(tmp_path: Path) -> None:
    providers = opened()
    await providers.accounts.replace(read(tmp_path, twilio("a", "ONE")))
    elsewhere = RELAY.replace("127.0.0.1", "relay.example.com")
    wrong = read(tmp_path, twilio("b", "TWO"), elsewhere)
    with pytest.raises(BadSettings, match="account relay: SMTP without TLS is allowed only"):
        await providers.accounts.replace(wrong)
    assert set(providers.accounts.current) == {"a"}
    with pytest.raises(BadSettings, match="account relay: SMTP without TLS is allowed only"):
        check_accounts(wrong, Settings(database_url=SecretStr("postgresql://x")))


async def test_a_tenant_registers_with_its_own_account_or_that_for_all(tmp_path: Path) -> None:
    providers = opened()
    registration = TWILIO.splitlines()[-1]
    tables = (
        twilio("all", "ONE", registration),
        twilio("own", "TWO", registration, 'tenants = ["acme"]'),
        twilio("plain", "TWO", 'tenants = ["gym"]'),
    )
    await providers.accounts.replace(read(tmp_path, *tables))
    registries = providers.vendors.registries
    found = [registries.of_tenant(DeliveryMode.LIVE, tenant) for tenant in ("acme", "gym")]
    assert [registry.account for registry in found if registry is not None] == ["own", "all"]
    simulated = registries.of_tenant(DeliveryMode.SIMULATOR, "acme")
    assert simulated is not None
    assert simulated.account == "simulator"
    await providers.accounts.replace(read(tmp_path, tables[2]))
    assert registries.of_tenant(DeliveryMode.LIVE, "acme") is None
    assert registries.find("all") is not None


def values_of(thing: object, seen: set[int]) -> Iterator[object]:
    """Yield an object and everything that is reached from it through our own classes."""
    if id(thing) in seen or len(seen) > 20_000:
        return
    seen.add(id(thing))
    yield thing
    inner: list[object] = []
    if isinstance(thing, Mapping):
        inner = [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        inner = list(thing)
    elif type(thing).__module__.startswith(("providers.", "models.")):
        slots = {name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())}
        names = {*getattr(thing, "__dict__", {}), *slots}
        inner = [getattr(thing, name, None) for name in names]
    for value in inner:
        yield from values_of(value, seen)


async def test_no_object_shows_a_secret(tmp_path: Path) -> None:
    providers = opened()
    previous = 'previous_auth_token = { env = "OLD" }'
    tables = twilio("a", "ONE", previous, TWILIO.splitlines()[-1]), RELAY
    await providers.accounts.replace(read(tmp_path, *tables))
    objects = [value for value in values_of(providers, set()) if not isinstance(value, str | bytes)]
    assert len(objects) > 100
    shown = "".join(map(repr, objects))
    assert not [secret for secret in SECRETS.values() if secret in shown]
    await providers.accounts.close()


async def test_nothing_is_forgotten_that_the_file_has(tmp_path: Path) -> None:
    calls: list[frozenset[str]] = []
    providers = opened()
    accounts = Accounts(
        providers.accounts.open, lambda _, accounts: calls.append(frozenset(accounts))
    )
    await accounts.replace(read(tmp_path, twilio("a", "ONE")))
    await accounts.forget(frozenset({"a", "nobody"}))
    assert calls == [frozenset({"a"})]


@pytest.mark.parametrize("began", [False, True])
async def test_an_account_that_sends_texts_and_takes_none_changes_nothing(
    tmp_path: Path, began: bool
) -> None:
    real, published = opened(), list[frozenset[str]]()
    accounts = Accounts(
        lambda configured: (
            replace(real.accounts.open(configured), inbound=None)
            if configured.entry.name == "mute"
            else real.accounts.open(configured)
        ),
        lambda _, accounts: published.append(frozenset(accounts)),
        check=check_replies,
    )
    if began:
        await accounts.replace(read(tmp_path, twilio("a", "ONE"), RELAY))
    before = accounts.current
    with pytest.raises(BadSettings, match=r"SMS by mute: .*STOP"):
        await accounts.replace(read(tmp_path, twilio("b", "TWO"), twilio("mute", "ONE")))
    assert accounts.current == before
    assert published == [frozenset(before)] * began
    await accounts.replace(read(tmp_path, twilio("mute", "ONE", "retired = true"), RELAY))
    assert set(accounts.current) == {"mute", "relay", *before}
