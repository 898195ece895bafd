"""The routing table: the row that applies, against a naive search, and what the file refuses."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.configuration.providers_file import ProvidersFile
from models.enums import Channel, DeliveryMode, MessageType
from models.rules.accounts.account_scope import AccountScope
from models.rules.accounts.routing_table import RouteKey, RoutingTable

SMS, VOICE, EMAIL = Channel.SMS, Channel.VOICE, Channel.EMAIL
OTP, MARKETING = MessageType.OTP, MessageType.MARKETING


@dataclass(frozen=True, kw_only=True)
class Row:
    tenant: str | None = None
    channel: Channel = SMS
    country: str | None = None
    type: MessageType | None = None
    accounts: tuple[str, ...] = ("any",)


def key(
    tenant: str = "gym", channel: Channel = SMS, country: str = "US", type: MessageType = OTP
) -> RouteKey:
    return RouteKey(tenant=tenant, channel=channel, country=country, type=type)


ROWS = st.builds(
    Row,
    tenant=st.sampled_from([None, "gym", "spa"]),
    channel=st.sampled_from([SMS, VOICE]),
    country=st.sampled_from([None, "US", "DE"]),
    type=st.sampled_from([None, OTP, MARKETING]),
    accounts=st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True).map(tuple),
)
TABLES = st.lists(ROWS, max_size=40, unique_by=lambda r: (r.tenant, r.channel, r.country, r.type))
KEYS = st.builds(
    RouteKey,
    tenant=st.sampled_from(["gym", "spa", "bar"]),
    channel=st.sampled_from([SMS, VOICE, EMAIL]),
    country=st.sampled_from(["US", "DE", "FR", ""]),
    type=st.sampled_from([OTP, MARKETING, MessageType.REMINDER]),
)


def naive(rows: list[Row], wanted: RouteKey) -> tuple[str, ...] | None:
    """Score the rows that match: 4 for the tenant, 2 for the country, 1 for the type."""
    matching = [
        row
        for row in rows
        if row.channel is wanted.channel
        and row.tenant in (None, wanted.tenant)
        and row.country in (None, wanted.country)
        and row.type in (None, wanted.type)
    ]
    if not matching:
        return None
    return max(
        matching,
        key=lambda r: 4 * (r.tenant is not None) + 2 * (r.country is not None)
        + (r.type is not None),
    ).accounts  # fmt: skip


@given(TABLES, KEYS, st.randoms())
def test_the_row_is_that_of_a_naive_search_whatever_the_order_of_rows(
    rows: list[Row], wanted: RouteKey, random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert RoutingTable(shuffled).accounts(wanted) == naive(rows, wanted)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Row(tenant="gym"), Row(country="US", type=OTP)),
        (Row(tenant="gym"), Row(country="US")),
        (Row(country="US"), Row(type=OTP)),
        (Row(tenant="gym", type=OTP), Row(tenant="gym")),
        (Row(tenant="gym", country="US"), Row(tenant="gym", type=OTP)),
        (Row(tenant="gym", country="US", type=OTP), Row(tenant="gym", country="US")),
        (Row(type=OTP), Row()),
    ],
)
def test_tenant_beats_country_beats_type(better: Row, worse: Row) -> None:
    rows = [
        Row(**{**vars(worse), "accounts": ("worse",)}),
        Row(**{**vars(better), "accounts": ("better",)}),
    ]
    assert RoutingTable(rows).accounts(key()) == ("better",)


def test_a_message_that_no_row_matches_has_none() -> None:
    table = RoutingTable([Row(tenant="spa"), Row(country="DE"), Row(channel=VOICE)])
    assert table.accounts(key()) is None


def file_of(*routes: dict[str, object]) -> ProvidersFile:
    account = {"vendor": "twilio", "account_sid": "AC" + "0" * 32, "auth_token": {"env": "T"}}
    return ProvidersFile.model_validate(
        {
            "account": [
                {**account, "name": "all"},
                {**account, "name": "spas", "tenants": ["spa"]},
                {
                    "vendor": "smtp",
                    "name": "mail",
                    "host": "mail.example.com",
                    "domains": ["example.com"],
                },
            ],
            "route": list(routes),
        }
    )


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        (
            [{"channel": "SMS", "accounts": ["all"]}, {"channel": "SMS", "accounts": ["spas"]}],
            "two routes are for the same messages: SMS",
        ),
        (
            [
                {"channel": "SMS", "country": "US", "type": "OTP", "accounts": ["all"]},
                {"channel": "SMS", "type": "OTP", "country": "US", "accounts": ["all"]},
            ],
            "two routes are for the same messages: SMS, US, OTP",
        ),
        (
            [{"channel": "SMS", "tenant": "gym", "accounts": ["all", "spas"]}],
            "route 1: account spas does not serve its tenant",
        ),
        (
            [{"channel": "EMAIL", "country": "US", "accounts": ["mail"]}],
            "route 1: the country of an e-mail is not known",
        ),
        ([{"channel": "SMS", "accounts": ["all", "all"]}], "route 1: account all is there twice"),
        ([{"channel": "SMS", "accounts": ["gone"]}], "names an account that there is not"),
    ],
)
def test_the_file_refuses_rows_that_contradict(routes: list[dict[str, object]], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        file_of(*routes)


def test_rows_that_differ_in_one_field_are_different_rows() -> None:
    file = file_of(
        {"channel": "SMS", "accounts": ["all"]},
        {"channel": "EMAIL", "accounts": ["mail"]},
        {"channel": "SMS", "tenant": "spa", "accounts": ["spas", "all"]},
        {"channel": "SMS", "country": "US", "accounts": ["all"]},
        {"channel": "SMS", "type": "OTP", "accounts": ["all"]},
    )
    assert RoutingTable(file.routes).accounts(key(tenant="spa")) == ("spas", "all")


@pytest.mark.parametrize(
    ("channel", "sender", "listed"),
    [
        (SMS, "+12125550100", True),
        (VOICE, "+12125550100", True),
        (SMS, "+12125550101", False),
        (EMAIL, "shop@example.com", True),
        (EMAIL, "Shop@EXAMPLE.com", True),
        (EMAIL, "shop@mail.example.com", False),
        (EMAIL, "shop@example.com.evil.test", False),
        (EMAIL, "shop@badexample.com", False),
        (EMAIL, '"a@example.com"@evil.test', False),
        (EMAIL, "+12125550100", False),
        (SMS, "example.com", False),
    ],
)
def test_senders_are_matched_exactly(channel: Channel, sender: str, listed: bool) -> None:
    scope = AccountScope(numbers=frozenset({"+12125550100"}), domains=frozenset({"example.com"}))
    assert scope.lists(channel, sender) is listed


@pytest.mark.parametrize(
    ("mode", "channel", "contact", "country"),
    [
        (DeliveryMode.LIVE, SMS, "+4915112345678", "DE"),
        (DeliveryMode.LIVE, VOICE, "+18135551234", "US"),
        (DeliveryMode.LIVE, EMAIL, "ann@example.com", ""),
        (DeliveryMode.SIMULATOR, SMS, "+4915112345678", ""),
    ],
)
def test_only_live_messages_are_routed_by_country(
    mode: DeliveryMode, channel: Channel, contact: str, country: str
) -> None:
    wanted = RouteKey.of(mode, "gym", channel, contact, OTP)
    assert wanted == key(channel=channel, country=country)
