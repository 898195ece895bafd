"""Types of settings, each with a description of its valid form for error messages.

A validator's own message is never shown, because it may contain the value.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from models.configuration.setting_forms import Form

SHORTEST_SECRET: Final = 16
"""In characters."""


def split_address(given: str, schemes: tuple[str, ...]) -> SplitResult:
    """Parse an address with a host; raises ValueError if it is invalid or contains a blank."""
    parts = split_any_host(given, schemes)
    if parts.port == 0:  # reading `port` raises for any other invalid port
        raise ValueError("port 0")
    return parts


def split_any_host(given: str, schemes: tuple[str, ...]) -> SplitResult:
    """Parse an address with any host; raises ValueError if it is invalid or contains a blank."""
    parts = urlsplit(given)
    if parts.scheme not in schemes or not given.isprintable() or " " in given:
        raise ValueError("no such scheme, or a character that no address has")
    return parts


def _web_address(*schemes: str, path: bool) -> Callable[[str], str]:
    """Return a validator for addresses without credentials, query or fragment."""

    def check(given: str) -> str:
        parts = split_address(given.strip(), schemes)
        extra = parts.query or parts.fragment or given.strip()[-1] in "?#"
        if "@" in parts.netloc or extra or (parts.path.strip("/") and not path):
            raise ValueError("more than an address")
        _host(parts.hostname or "")
        return given.strip().rstrip("/")

    return check


def _host(given: str) -> str:
    host = given.strip()
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    if not re.fullmatch(r"(?!-)[A-Za-z0-9_.-]{1,253}", host):
        raise ValueError("no host")
    if re.fullmatch(r"[0-9.]+", host):
        raise ValueError("no IP address")
    return host


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, so that nothing leaves it unencrypted."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _secret(given: SecretStr) -> SecretStr:
    text = given.get_secret_value()
    if len(text) < SHORTEST_SECRET or text != text.strip() or not text.isprintable():
        raise ValueError("too short, or with blanks around it")
    return given


def _line(given: SecretStr) -> SecretStr:
    if not given.get_secret_value().isprintable() or " " in given.get_secret_value():
        raise ValueError("more than one word")
    return given


def _pem(given: SecretStr) -> SecretStr:
    if "-----BEGIN " not in given.get_secret_value():
        raise ValueError("no PEM")
    return given


def _seconds(given: Any) -> Any:
    """Parse a bare number as seconds; other forms are ISO 8601 durations (PT1.5S)."""
    try:
        return timedelta(seconds=float(given))
    except (TypeError, ValueError, OverflowError):
        return given


def _words(given: Any) -> Any:
    """Split a text at commas."""
    if isinstance(given, str):
        return tuple(word.strip() for word in given.split(",") if word.strip())
    return given


def _networks(given: tuple[str, ...]) -> tuple[str, ...]:
    for network in given:
        ip_network(network)  # raises ValueError
    return given


def _each(pattern: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(given: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(pattern, word) for word in given):
            raise ValueError("one of them is written in another way")
        return given

    return check


def _clean(given: Any) -> Any:
    return given.strip() if isinstance(given, str) else given


def _upper(given: Any) -> Any:
    return given.strip().upper() if isinstance(given, str) else given


def _lower(given: Any) -> Any:
    return given.strip().lower() if isinstance(given, str) else given


def _path(given: Path) -> Path:
    if not str(given).isprintable():
        raise ValueError("a character that is in no path of ours")
    return given


def _endpoint(given: str) -> str:
    parts = split_address(f"tcp://{given.strip()}", ("tcp",))
    if parts.port is None or "@" in parts.netloc or parts.path or parts.query or parts.fragment:
        raise ValueError("more or less than host and port")
    _host(parts.hostname or "")
    return given.strip()


def _readable(given: Path) -> Path:
    try:
        with given.open("rb"):
            return given
    except OSError:
        raise ValueError("no file that can be read") from None


_LONGEST: Final = timedelta(days=3650)
_DURATION: Final = "seconds (5, 0.5), ISO 8601 (PT30S) or HH:MM:SS"

IgnoreCase: Final = BeforeValidator(_lower)
"""For enums with lower-case values."""

Duration = Annotated[
    timedelta,
    BeforeValidator(_seconds),
    Field(gt=timedelta(0), le=_LONGEST),
    Form(f"a duration longer than 0 and at most 3650 days: {_DURATION}"),
]
CallDuration = Annotated[
    timedelta,
    BeforeValidator(_seconds),
    Field(gt=timedelta(0), le=timedelta(seconds=10)),
    Form(f"a duration longer than 0 and at most 10 s: {_DURATION}"),
]
ShortDuration = Annotated[
    timedelta,
    BeforeValidator(_seconds),
    Field(ge=timedelta(0), le=timedelta(seconds=1)),
    Form(f"a duration from 0 to 1 s: {_DURATION}"),
]
Port = Annotated[int, Field(ge=1, le=65535), Form("a port number from 1 to 65535")]
PortOrNone = Annotated[
    int, Field(ge=0, le=65535), Form("a port number from 1 to 65535, or 0 for none")
]
Host = Annotated[str, AfterValidator(_host), Form("a host name or an IP address")]
Endpoint = Annotated[str, AfterValidator(_endpoint), Form("host and port, such as 127.0.0.1:7233")]
Origin = Annotated[
    str,
    AfterValidator(_web_address("http", "https", path=False)),
    Form("http or https, a host and perhaps a port, without a path: https://api.example.com"),
]
WebUrl = Annotated[
    str,
    AfterValidator(_web_address("http", "https", path=True)),
    Form("an http or https address without credentials and query"),
]
SocketUrl = Annotated[
    str,
    AfterValidator(_web_address("ws", "wss", path=True)),
    Form("a ws or wss address without credentials and query"),
]
Secret = Annotated[
    SecretStr,
    AfterValidator(_secret),
    Form(f"a secret of {SHORTEST_SECRET} characters or more, with no blank around it"),
]
ApiKey = Annotated[SecretStr, AfterValidator(_line), Form("a key without blanks")]
Pem = Annotated[SecretStr, AfterValidator(_pem), Form("a certificate or key in PEM form")]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(_upper),
    Form("one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
]
Folder = Annotated[Path, AfterValidator(_path), Form("the path of a folder")]
File = Annotated[Path, AfterValidator(_readable), Form("the path of a file that can be read")]
Email = Annotated[
    str,
    BeforeValidator(_clean),
    Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
    Form("an e-mail address"),
]
Name = Annotated[
    str,
    BeforeValidator(_clean),
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"),
    Form("a name of letters, digits, dots, hyphens and underscores"),
]
Domain = Annotated[
    str,
    BeforeValidator(_clean),
    Field(pattern=r"^[A-Za-z0-9.-]{1,64}$"),
    Form("a domain of 1 to 64 letters, digits, dots and hyphens"),
]
Label = Annotated[
    str,
    BeforeValidator(_clean),
    Field(pattern=r"^[A-Za-z0-9-]{1,16}$"),
    Form("1 to 16 letters, digits and hyphens"),
]
TwilioAccount = Annotated[
    str, Field(pattern="^AC[0-9a-fA-F]{32}$"), Form("AC and 32 hexadecimal digits")
]
TwilioProfile = Annotated[
    str, Field(pattern="^BU[0-9a-fA-F]{32}$"), Form("BU and 32 hexadecimal digits")
]
TwilioSipDomain = Annotated[
    str, Field(pattern="^SD[0-9a-fA-F]{32}$"), Form("SD and 32 hexadecimal digits")
]
Transports = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_words),
    BeforeValidator(_upper),  # the last BeforeValidator runs first
    Field(min_length=1),
    AfterValidator(_each("UDP|TCP|TLS|WSS")),
    Form("some of UDP, TCP, TLS, WSS, parted by commas"),
]
StunUrls = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_words),
    AfterValidator(_each(r"stuns?:[A-Za-z0-9.:\[\]-]+")),
    Form("addresses such as stun:stun.example.com:3478, parted by commas"),
]
TurnUrls = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_words),
    AfterValidator(_each(r"turns?:[A-Za-z0-9.:\[\]-]+(\?transport=(udp|tcp))?")),
    Form("addresses such as turn:turn.example.com:3478?transport=udp, parted by commas"),
]
Networks = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_words),
    AfterValidator(_networks),
    Form("addresses and networks such as 10.0.0.0/8, parted by commas"),
]
