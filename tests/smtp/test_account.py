"""What an account refuses, and that it shows no secret."""

import subprocess
from datetime import timedelta
from typing import Any

import pytest

from providers.smtp.account import DkimKey, Security
from providers.smtp.addresses import ascii_domain, wire_address
from providers.smtp.messages import Smtp
from tests.smtp.mails import PASSWORD, SECRET, account


def generated(*command: str) -> str:
    made = subprocess.run(["openssl", *command], capture_output=True, text=True, check=True)
    return made.stdout


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost", "LocalHost"])
def test_plain_text_is_allowed_to_this_machine(host: str) -> None:
    assert account(25, host=host).security is Security.PLAIN


@pytest.mark.parametrize(
    "change",
    [
        {"host": "relay.example.com"},
        {"host": "10.0.0.1"},
        {"host": "localhost.example.com"},
        {"host": "0.0.0.0"},
        {"host": ""},
        {"host": "a b"},
        {"host": "a\r\nb"},
        {"port": 0},
        {"port": 65536},
        {"name": ""},
        {"name": "x" * 33},
        {"timeout": timedelta(milliseconds=999)},
        {"domains": frozenset()},
        {"domains": frozenset({"a b.example"})},
        {"domains": frozenset({"x" * 64 + ".example"})},
        {"username": "us"},
        {"password": PASSWORD},
        {"username": "us", "password": f"{PASSWORD}\0"},
        {"local_hostname": "a b"},
        {"bounce_address": "no address"},
        {"bounce_address": f"{'b' * 22}@gym.example"},
        {"bounce_address": "b+c@gym.example"},
        {"bounce_address": "bö@gym.example"},
        {"bounce_address": "b@gym.example>\r\nRCPT TO:<x@y.example"},
    ],
)
def test_a_field_that_cannot_work_is_refused_without_its_secret(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as refused:
        account(**{"port": 587, **change})
    assert PASSWORD not in str(refused.value)


def test_a_key_of_another_domain_is_refused(dkim_key: DkimKey) -> None:
    with pytest.raises(ValueError):
        account(587, dkim={"other.example": dkim_key})


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "no key",
        generated("genrsa", "512"),
        generated("genrsa", "-traditional", "-aes128", "-passout", "pass:x", "1024"),
        generated("genpkey", "-algorithm", "ed25519"),
        generated("genrsa", "1024").replace("A", "B").replace("M", "N"),
    ],
    ids=["empty", "text", "short", "encrypted", "ed25519", "damaged"],
)
def test_a_key_that_cannot_sign_is_refused_without_being_shown(pem: str) -> None:
    with pytest.raises(ValueError) as refused:
        DkimKey(selector="s1", private_key=pem)
    assert refused.value.__cause__ is None
    assert "PRIVATE" not in str(refused.value)


@pytest.mark.parametrize("selector", ["", "a b", "-a", "a;b", "a" * 64, "ä"])
def test_a_selector_is_a_name_of_dns(dkim_key: DkimKey, selector: str) -> None:
    with pytest.raises(ValueError):
        DkimKey(selector=selector, private_key=dkim_key.private_key)


def test_both_forms_of_a_key_are_read() -> None:
    for command in (["genrsa", "2048"], ["genrsa", "-traditional", "2048"]):
        for end in ("\n", "\r\n"):
            DkimKey(selector="s1", private_key=generated(*command).replace("\n", end))


def test_no_secret_is_in_the_repr(dkim_key: DkimKey) -> None:
    shown = repr(
        account(587, username="us", password=PASSWORD, dkim={"gym.example": dkim_key})
    ) + repr(dkim_key)
    assert PASSWORD not in shown
    assert "PRIVATE" not in shown


@pytest.mark.parametrize("secret", [None, b"", b"x" * 15])
def test_a_bounce_address_needs_a_secret(secret: bytes | None) -> None:
    with pytest.raises(ValueError):
        Smtp(account(587, bounce_address="b@gym.example"), bounce_secret=secret)
    Smtp(account(587, bounce_address="b@gym.example"), bounce_secret=SECRET)


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        ("Example.COM", "example.com"),
        ("straße.example", "xn--strae-oqa.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
    ],
)
def test_a_domain_is_written_as_dns_knows_it(given: str, domain: str) -> None:
    assert ascii_domain(given) == domain


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@example.com",
        "a@",
        "a b@example.com",
        "a@exa mple.com",
        "a>b@example.com",
        "a@example.com>",
        "a\r\nb@example.com",
        "a@example.com\r\nDATA",
        "a@example..com",
        '"a b"@example.com',
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a,b@example.com",
        "a\u2028b@example.com",
        "a\u200bb@example.com",
        "a\ud800@example.com",
        f"{'a' * 65}@example.com",
        f"a@{'b' * 64}.com",
        f"a@{'ü' * 300}.com",
    ],
)
def test_what_could_end_a_command_is_no_address(address: str) -> None:
    with pytest.raises(ValueError) as refused:
        wire_address(address)
    assert len(address) < 2 or address not in str(refused.value)
