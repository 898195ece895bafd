"""The providers file: what it may say, and that no mistake shows a value."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.configuration.accounts import Configuration, read_configuration
from models.configuration.environment_settings import BadSettings
from models.configuration.providers_file import SmtpAccount, TwilioAccount, read_providers_file
from providers.smtp.messages import Smtp
from providers.twilio.messages import TwilioSms
from tests.providers_files import TWILIO, write_file

HIDDEN = "hidden-from-all-eyes"

SMTP = """
[[account]]
name = "relay"
vendor = "smtp"
host = "smtp.example.com"
domains = ["example.com"]
"""


def refused(folder: Path, *tables: str) -> list[str]:
    """Return the mistakes of a file, without the variable that each begins with."""
    with pytest.raises(BadSettings) as error:
        read_providers_file(write_file(folder, *tables))
    lines = str(error.value).splitlines()
    assert all(line.startswith("HEXAVOX_PROVIDERS_FILE") for line in lines)
    return [line.removeprefix("HEXAVOX_PROVIDERS_FILE").lstrip(": ") for line in lines]


def test_without_a_file_there_is_no_account() -> None:
    assert read_configuration(None, {}) == Configuration()


def test_an_account_has_its_secrets_from_variables_and_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"\n{HIDDEN}\n")
    path = write_file(
        tmp_path,
        TWILIO + 'previous_auth_token = { file = "token" }',
        SMTP + 'username = "us"\npassword = { env = "PASSWORD" }',
    )
    environ = {"TWILIO_TOKEN_OF_TESTS": "first", "PASSWORD": HIDDEN}
    twilio, relay = read_configuration(path, environ).accounts
    assert (twilio.secret("auth_token"), twilio.find_secret("previous_auth_token")) == (
        "first",
        HIDDEN,
    )
    assert (relay.entry.name, relay.secret("password")) == ("relay", HIDDEN)
    assert relay.find_secret("bounce_secret") is None
    assert HIDDEN not in repr(relay) + repr(twilio)


# A path is never shown: it may be the secret itself.
@pytest.mark.parametrize(
    "name", ["nowhere", HIDDEN, f"/{HIDDEN}/x", "x" * 5_000, "nul\0", ".", "é"]
)
def test_every_missing_secret_is_named_by_its_key(tmp_path: Path, name: str) -> None:
    path = write_file(
        tmp_path,
        TWILIO + f"previous_auth_token = {{ file = {json.dumps(name)} }}",
        SMTP + 'username = "us"\npassword = { env = "PASSWORD" }',
    )
    with pytest.raises(BadSettings) as error:
        read_configuration(path, {"PASSWORD": "  "})
    assert str(error.value).splitlines() == [
        "HEXAVOX_PROVIDERS_FILE: account twilio auth_token: there is no secret in variable "
        "TWILIO_TOKEN_OF_TESTS",
        "HEXAVOX_PROVIDERS_FILE: account twilio previous_auth_token: there is no secret in the "
        "file that this key names",
        "HEXAVOX_PROVIDERS_FILE: account relay password: there is no secret in variable PASSWORD",
    ]


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        (SMTP + 'pasword = "x"', "account relay: pasword is unknown; did you mean password?"),
        (SMTP + "zzz = 1", "account relay: zzz is unknown"),
        (SMTP + '"hidden from" = 1', "account relay: a key is unknown"),
        (SMTP + "port = 0", "account relay port: must be 1 or more"),
        (SMTP + "port = 1.5", "account relay port: must be a whole number"),
        (SMTP + "timeout_seconds = 61", "account relay timeout_seconds: must be 60.0 or less"),
        (
            SMTP + 'security = "none"',
            "account relay security: must be 'starttls', 'tls' or 'plain'",
        ),
        (SMTP + 'username = "us"', "account relay: username and password are set together"),
        (
            SMTP + f'username = "us"\npassword = "{HIDDEN}"',
            'account relay password: name its place: { env = "VARIABLE" } or { file = "path" }',
        ),
        (
            SMTP + 'username = "us"\npassword = { env = "A", file = "b" }',
            "account relay password: either env or file",
        ),
        (
            SMTP + 'username = "us"\npassword = { env = "c0ffee" }',
            "account relay password.env: must match ^[A-Z_][A-Z0-9_]{0,127}$",
        ),
        (
            SMTP + 'bounce_address = "bounces@example.com"',
            "account relay: bounce_address and bounce_secret are set together",
        ),
        (SMTP.replace('["example.com"]', "[]"), "account relay domains: must not be empty"),
        (SMTP.replace("smtp.example.com", "a b"), "account relay host: has no valid form"),
        (SMTP + "tenants = []", "account relay tenants: must not be empty"),
        (SMTP.replace('vendor = "smtp"', ""), "account relay: vendor is not set"),
        (
            SMTP.replace('"smtp"', f'"{HIDDEN}"'),
            "account relay: vendor must be one of 'twilio', 'smtp'",
        ),
        (
            SMTP.replace('"relay"', '"Relay"'),
            "account Relay name: must match ^[a-z0-9][a-z0-9-]{0,31}$",
        ),
        (SMTP + SMTP, "account relay is there twice"),
        ("[[acount]]", "acount is unknown; did you mean account?"),
        (
            f'[[account]]\nname = "t"\nvendor = "twilio"\naccount_sid = "{HIDDEN}"\n'
            'auth_token = { env = "A" }',
            "account t account_sid: must match ^AC[0-9a-fA-F]{32}$",
        ),
        (
            '[[route]]\nchannel = "SMS"\naccounts = ["nobody"]',
            "route 1: it names an account that there is not",
        ),
        (
            '[[route]]\nchannel = "FAX"\naccounts = ["a"]',
            "route 1 channel: must be 'SMS', 'VOICE' or 'EMAIL'",
        ),
        *(
            (
                f'[[route]]\nchannel = "SMS"\ncountry = "{country}"\naccounts = ["relay"]',
                "route 1 country: no country of ISO 3166 with phone numbers, such as GB",
            )
            for country in ("UK", "XX", "EU", "ZZ", "AN", "SU", "AQ")
        ),
        *(
            (
                f'{SMTP}[[route]]\nchannel = "{channel}"\naccounts = ["relay"]',
                f"route 1: account relay sends no {channel}",
            )
            for channel in ("SMS", "VOICE")
        ),
        *(
            (
                f'{TWILIO}{SMTP}[[route]]\nchannel = "{channel}"\naccounts = ["relay", "twilio"]',
                f"route 1: account {account} sends no {channel}",
            )
            for channel, account in (("EMAIL", "twilio"), ("SMS", "relay"), ("VOICE", "twilio"))
        ),
        *(
            (f"{SMTP}{key} = {value}", f"account relay {key}: must be {form}")
            for key, value, form in (
                ("port", "true", "a whole number"),
                ("port", '"25"', "a whole number"),
                ("port", "25.0", "a whole number"),
                ("timeout_seconds", "true", "a number"),
                ("timeout_seconds", '"5"', "a number"),
                ("retired", "1", "true or false"),
                ("retired", '"yes"', "true or false"),
            )
        ),
        (TWILIO + "answers_keywords = 0", "account twilio answers_keywords: must be true or false"),
        ("[[account]\n", "is not TOML: see line 1, column 10"),
        (f'x = "{HIDDEN}\n', "is not TOML: see line 1, column 26"),
        ("[" * 3000, "is not TOML: see line 1, column 3"),
        ("x = " + "[" * 3000, "is not TOML"),
        ("x = " + "9" * 5000, "is not TOML"),
    ],
)
def test_a_mistake_is_named_by_its_place_and_without_its_value(
    tmp_path: Path, table: str, mistake: str
) -> None:
    assert refused(tmp_path, table) == [mistake]


@pytest.mark.parametrize(
    "name", ["simulator", "default", "kamailio", "inbound", "events", "registrations", "payments"]
)
def test_a_name_that_would_be_mistaken_for_something_else_is_refused(
    tmp_path: Path, name: str
) -> None:
    table = SMTP.replace('"relay"', f'"{name}"')
    assert refused(tmp_path, table) == [f"account {name} name: {name} is reserved"]


def another(name: str, *lines: str, twilio: str = TWILIO) -> str:
    """Return the account at Twilio under another name."""
    return "\n".join([twilio.replace('"twilio"\nvendor', f'"{name}"\nvendor'), *lines])


@pytest.mark.parametrize("country", ["US", "PR", "GB", "XK", "JE", "SX"])
def test_a_route_of_a_country_with_phones_is_read(tmp_path: Path, country: str) -> None:
    table = f'[[route]]\nchannel = "SMS"\ncountry = "{country}"\naccounts = ["twilio"]'
    (route,) = read_providers_file(write_file(tmp_path, TWILIO, table)).routes
    assert route.country == country


@pytest.mark.parametrize("seconds", ["5", "5.5"])
def test_seconds_are_whole_or_not(tmp_path: Path, seconds: str) -> None:
    path = write_file(tmp_path, SMTP, f"timeout_seconds = {seconds}")
    assert [each.timeout_seconds for each in read_providers_file(path).accounts] == [float(seconds)]


def test_the_channels_of_an_account_are_those_of_its_adapter() -> None:
    assert TwilioAccount.channels == TwilioSms.channels
    assert SmtpAccount.channels == Smtp.channels


URLS = ("api_url", "messaging_url", "trusthub_url")


@pytest.mark.parametrize("key", URLS)
@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://api.twilio.com",
            "HTTP://api.twilio.com",
            "http://10.0.0.7:8080",
            "http://0.0.0.0",
        ),
        *("http://[2001:db8::1]", "http://[::]", "http://localhost.example.com"),
        *("http://127.0.0.1.example.com", "http://128.0.0.1", "http://proxy/127.0.0.1"),
    ],
)
def test_no_secret_leaves_the_machine_unencrypted(tmp_path: Path, key: str, url: str) -> None:
    assert refused(tmp_path, TWILIO + f'{key} = "{url}"') == [
        f"account twilio {key}: must be https, except to this machine (loopback)"
    ]


@pytest.mark.parametrize("key", URLS)
@pytest.mark.parametrize(
    "url",
    [
        *("https://api.twilio.com", "https://10.0.0.7", "http://127.0.0.1:8080"),
        *("http://127.255.255.254", "http://[::1]:8080", "http://LocalHost:8080/v1"),
    ],
)
def test_a_vendor_is_called_encrypted_or_on_this_machine(
    tmp_path: Path, key: str, url: str
) -> None:
    (account,) = read_providers_file(write_file(tmp_path, TWILIO + f'{key} = "{url}"')).accounts
    assert getattr(account, key) == url


def test_a_number_belongs_to_one_account(tmp_path: Path) -> None:
    number = 'numbers = ["+12015550123"]'
    plain = "\n".join(line for line in TWILIO.splitlines() if "registration" not in line)
    tables = [another(name, number, twilio=plain) for name in ("a", "b")]
    assert refused(tmp_path, *tables) == ["number +12015550123 is there twice"]
    assert len(read_providers_file(write_file(tmp_path, tables[0])).accounts) == 1


def test_a_tenant_registers_with_one_account(tmp_path: Path) -> None:
    both = 'tenants = ["acme", "gym"]'
    assert refused(tmp_path, another("a", both), another("b", 'tenants = ["gym"]')) == [
        "registration of tenant gym is there twice"
    ]
    assert refused(tmp_path, another("a"), another("b")) == [
        "registration of tenant (all) is there twice"
    ]
    read_providers_file(write_file(tmp_path, another("a"), another("b", both)))
    read_providers_file(write_file(tmp_path, another("a"), another("b", "retired = true")))


def test_two_relays_may_send_for_one_domain(tmp_path: Path) -> None:
    file = read_providers_file(write_file(tmp_path, SMTP, SMTP.replace("relay", "spare")))
    assert [account.name for account in file.accounts] == ["relay", "spare"]


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    assert refused(tmp_path, "#" * 1_000_001) == ["is larger than 1000000 bytes"]


def test_what_is_no_text_or_no_file_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "providers.toml"
    with pytest.raises(BadSettings, match="can't be read"):
        read_providers_file(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings, match="can't be read"):
        read_providers_file(path)


KEYS = st.sampled_from(
    [
        *("name", "vendor", "host", "port", "security", "username", "password", "domains", "dkim"),
        *("bounce_secret", "timeout_seconds", "retired", "tenants", "account_sid", "auth_token"),
        *("numbers", "registration", "sip_domain", "api_url", "label", "ca_file", "unknown"),
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([HIDDEN, f"https://{HIDDEN}@x:99999999/", f"{HIDDEN}@", f"+{HIDDEN}"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)


def toml(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return f'"{value}"'


@given(
    vendor=st.sampled_from(["twilio", "smtp", HIDDEN]),
    entry=st.dictionaries(KEYS, VALUES, min_size=1, max_size=6),
)
def test_no_value_is_ever_shown(
    tmp_path_factory: pytest.TempPathFactory, vendor: str, entry: dict[str, Any]
) -> None:
    lines = [f"{key} = {toml(value)}" for key, value in ({"vendor": vendor} | entry).items()]
    path = write_file(tmp_path_factory.getbasetemp(), "[[account]]", *lines)
    try:
        read_configuration(path, {})
    except BadSettings as error:
        # The name of an account and the path of a secret are shown: neither is a secret.
        shown = str(error).replace(f"account {HIDDEN}", "account")
        assert HIDDEN not in shown.replace(f"{path.parent}/{HIDDEN}", "")
