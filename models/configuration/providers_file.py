"""The providers file: the accounts at vendors and the routes of messages, in TOML.

Secrets are not in the file: it names the environment variable or the file that holds each.

    [[account]]
    name = "relay"
    vendor = "smtp"
    host = "smtp.example.com"
    username = "hexavox"
    password = { env = "RELAY_PASSWORD" }
    domains = ["example.com"]

    [[route]]
    channel = "SMS"
    country = "US"
    accounts = ["twilio-us", "twilio-eu"]
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, Field, ValidationError, model_validator

from models.configuration.environment_settings import BadSettings
from models.configuration.file_entries import (
    LARGEST_FILE,
    Entry,
    FileMistake,
    FilePath,
    SecretSource,
    Word,
    mistakes,
)
from models.configuration.regular_files import read_regular
from models.configuration.setting_types import (
    Email,
    Host,
    Label,
    TwilioProfile,
    TwilioSipDomain,
    WebUrl,
    is_loopback,
)
from models.configuration.setting_types import TwilioAccount as TwilioSid
from models.enums import Channel, MessageType
from models.rules.accounts.account_scope import AccountScope
from models.rules.accounts.names import RESERVED
from models.rules.accounts.routing_table import RoutingTable

VARIABLE: Final = "HEXAVOX_PROVIDERS_FILE"
MOST_ACCOUNTS: Final = 100
MOST_ROUTES: Final = 1000
MOST_SENDERS: Final = 10_000

_POSITION: Final = re.compile(r"\(at (line \d+, column \d+|end of document)\)$")


def _free_name(name: str) -> str:
    if name in RESERVED:
        raise FileMistake(f"{name} is reserved")
    return name


def _country_with_phones(code: str) -> str:
    if code not in SUPPORTED_REGIONS:
        raise FileMistake("no country of ISO 3166 with phone numbers, such as GB")
    return code


def _is_encrypted(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise FileMistake("must be https, except to this machine (loopback)")
    return url


AccountName: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$"), AfterValidator(_free_name)
]
TenantName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Country: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Z]{2}$"), AfterValidator(_country_with_phones)
]
Phone: TypeAlias = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
DomainName: TypeAlias = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", max_length=253),
    AfterValidator(str.lower),
]


ApiUrl: TypeAlias = Annotated[WebUrl, AfterValidator(_is_encrypted)]
"""The address of a vendor's API; a secret is sent to it."""


class AccountEntry(Entry):
    """Keys of every account."""

    channels: ClassVar[frozenset[Channel]]
    """Of messages that it sends, as its adapter says too."""

    name: AccountName
    tenants: tuple[TenantName, ...] | None = Field(default=None, min_length=1)
    """Names of the tenants that may use it; None: all."""
    timeout_seconds: float | None = Field(default=None, ge=1, le=60, strict=True)
    """Of one call; None: the default of the vendor's adapter."""
    retired: bool = Field(default=False, strict=True)
    """Nothing new is sent with it; its webhooks and look-ups go on."""

    @property
    def scope(self) -> AccountScope:
        """The tenants that it serves, and its senders."""
        return AccountScope(tenants=None if self.tenants is None else frozenset(self.tenants))

    @property
    def secrets(self) -> Iterator[tuple[str, SecretSource]]:
        """The secrets of the account, by key."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretSource):
                yield name, value


class TwilioRegistration(Entry):
    """Registration of brands, campaigns and numbers (10DLC) with this account."""

    primary_profile: TwilioProfile
    """The operator's own approved customer profile: every merchant's names it."""
    notify_email: Email
    """Where Twilio writes to about a merchant's registration."""


class TwilioAccount(AccountEntry):
    """An account at Twilio."""

    channels: ClassVar = frozenset({Channel.SMS})

    vendor: Literal["twilio"]
    account_sid: TwilioSid
    auth_token: SecretSource
    previous_auth_token: SecretSource | None = None
    """Verifies webhooks too, while the secret is being changed."""
    label: Label | None = None
    """Tells the objects of this installation from those of others on the same account."""
    numbers: tuple[Phone, ...] = Field(default=(), max_length=MOST_SENDERS)
    """Sender numbers of this account besides those that are bought through it."""
    answers_keywords: bool = Field(default=True, strict=True)
    """Twilio answers STOP and HELP itself: its default."""
    registration: TwilioRegistration | None = None
    sip_domain: TwilioSipDomain | None = None
    api_url: ApiUrl = "https://api.twilio.com"
    messaging_url: ApiUrl = "https://messaging.twilio.com"
    trusthub_url: ApiUrl = "https://trusthub.twilio.com"

    @property
    def scope(self) -> AccountScope:
        """The tenants that it serves, and its numbers."""
        return replace(super().scope, numbers=frozenset(self.numbers))

    @property
    def identity(self) -> tuple[str, ...]:
        """What the account is at the vendor; it never changes under one name."""
        return self.vendor, self.account_sid


class DkimEntry(Entry):
    """The key that signs mail of a domain (RFC 6376)."""

    domain: DomainName
    selector: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,63}$")]
    private_key: SecretSource


class SmtpAccount(AccountEntry):
    """A mail server that relays for us."""

    channels: ClassVar = frozenset({Channel.EMAIL})

    vendor: Literal["smtp"]
    host: Host
    port: int = Field(default=587, ge=1, le=65535, strict=True)
    security: Literal["starttls", "tls", "plain"] = "starttls"
    ca_file: FilePath | None = None
    username: Word | None = None
    password: SecretSource | None = None
    domains: tuple[DomainName, ...] = Field(min_length=1, max_length=MOST_SENDERS)
    """Sender domains of this account."""
    dkim: tuple[DkimEntry, ...] = Field(default=(), max_length=MOST_SENDERS)
    bounce_address: Email | None = None
    """Where bounces arrive; a token is added to its local part."""
    bounce_secret: SecretSource | None = None
    """Signs that token."""
    local_hostname: Host | None = None
    """Our name in EHLO; None: that of this machine."""

    @property
    def scope(self) -> AccountScope:
        """The tenants that it serves, and its domains."""
        return replace(super().scope, domains=frozenset(self.domains))

    @property
    def identity(self) -> tuple[str, ...]:
        """What the account is at the vendor; nothing is looked up at a relay."""
        return (self.vendor,)

    @property
    def secrets(self) -> Iterator[tuple[str, SecretSource]]:
        """The secrets of the account, by key."""
        yield from super().secrets
        for key in self.dkim:
            yield f"dkim.{key.domain}", key.private_key

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise FileMistake("username and password are set together")
        if (self.bounce_address is None) != (self.bounce_secret is None):
            raise FileMistake("bounce_address and bounce_secret are set together")
        return self


Account: TypeAlias = TwilioAccount | SmtpAccount


class Route(Entry):
    """Accounts in order of preference, for messages that match; an unset key matches any."""

    tenant: TenantName | None = None
    channel: Channel
    country: Country | None = None
    type: MessageType | None = None
    accounts: tuple[str, ...] = Field(min_length=1, max_length=MOST_ACCOUNTS)


class ProvidersFile(Entry):
    """The whole file."""

    accounts: tuple[Annotated[Account, Field(discriminator="vendor")], ...] = Field(
        default=(), alias="account", max_length=MOST_ACCOUNTS
    )
    routes: tuple[Route, ...] = Field(default=(), alias="route", max_length=MOST_ROUTES)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [account.name for account in self.accounts]
        _refuse_repeated("account", names)
        for position, route in enumerate(self.routes, start=1):
            if set(route.accounts) - set(names):
                raise FileMistake(f"route {position}: it names an account that there is not")
            self._check_route(position, route)
        try:
            RoutingTable(self.routes)
        except ValueError as error:
            raise FileMistake(str(error)) from None
        twilio = [account for account in self.accounts if isinstance(account, TwilioAccount)]
        _refuse_repeated("number", [number for each in twilio for number in set(each.numbers)])
        registering = [each for each in twilio if each.registration and not each.retired]
        # One that names its tenants precedes one for all, but two of a kind contradict each other.
        _refuse_repeated(
            "registration of tenant",
            [tenant for each in registering for tenant in set(each.tenants or ("(all)",))],
        )
        return self

    def _check_route(self, position: int, route: Route) -> None:
        """Refuse a row that could never be used as it is written."""
        if route.channel is Channel.EMAIL and route.country is not None:
            raise FileMistake(f"route {position}: the country of an e-mail is not known")
        _refuse_repeated(f"route {position}: account", list(route.accounts))
        for account in self.accounts:
            if account.name not in route.accounts:
                continue
            if route.channel not in account.channels:
                raise FileMistake(
                    f"route {position}: account {account.name} sends no {route.channel}"
                )
            if route.tenant is not None and not account.scope.serves(route.tenant):
                raise FileMistake(
                    f"route {position}: account {account.name} does not serve its tenant"
                )

    @property
    def tenants(self) -> frozenset[str]:
        """Names of all tenants in it."""
        ofaccounts = {name for account in self.accounts for name in account.tenants or ()}
        return frozenset(ofaccounts | {route.tenant for route in self.routes if route.tenant})


def _refuse_repeated(what: str, values: list[str]) -> None:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise FileMistake(f"{what} {', '.join(sorted(repeated)[:10])} is there twice")


def read_providers_file(path: Path) -> ProvidersFile:
    """Read and check the file.

    Raises:
        BadSettings: it can't be read or has mistakes; the message names each place, no value.
    """
    document = _document(path)
    try:
        return ProvidersFile.model_validate(document, context={"folder": path.parent})
    except ValidationError as error:
        lines = dict.fromkeys(f"{VARIABLE}: {line}" for line in mistakes(error, document))
    raise BadSettings("\n".join(lines))


def _document(path: Path) -> Mapping[str, Any]:
    try:
        content = read_regular(path, LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise BadSettings(f"{VARIABLE} is larger than {LARGEST_FILE} bytes")
        return tomllib.loads(content.decode("utf-8"))
    except (OSError, UnicodeDecodeError):
        problem = "can't be read"
    except (ValueError, RecursionError) as error:  # a TOMLDecodeError is a ValueError
        position = _POSITION.search(str(error))
        problem = f"is not TOML: see {position[1]}" if position else "is not TOML"
    raise BadSettings(f"{VARIABLE} {problem}")
