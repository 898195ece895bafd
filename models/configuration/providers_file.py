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

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from models.configuration.environment_settings import BadSettings
from models.configuration.setting_types import TwilioAccount as TwilioSid
from models.configuration.setting_types import TwilioProfile, TwilioSipDomain, WebUrl
from models.enums import Channel, MessageType
from models.rules.accounts.names import SIMULATOR

MOST_ACCOUNTS: Final = 100
MOST_ROUTES: Final = 1000

AccountName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Country: TypeAlias = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Phone: TypeAlias = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
DomainName: TypeAlias = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", max_length=253),
    AfterValidator(str.lower),
]


class _Entry(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=False, hide_input_in_errors=True, populate_by_name=True
    )


class SecretSource(_Entry):
    """Where a secret is: in an environment variable or in a file, never in the providers file."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret has either env or file")
        return self

    def read(self) -> SecretStr:
        """Return the secret without surrounding white space; raises ValueError if there is none."""
        if self.env is not None:
            value = os.environ.get(self.env, "")
        else:
            assert self.file is not None
            try:
                value = self.file.read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                value = ""
        if not value.strip():
            raise ValueError("there is no such secret")
        return SecretStr(value.strip())


class _Account(_Entry):
    name: AccountName
    tenants: tuple[str, ...] | None = None
    """Names of the tenants that may use it; None: all."""
    timeout_seconds: float = Field(default=10, ge=0.5, le=60)


class TwilioRegistration(_Entry):
    """Registration of brands, campaigns and numbers (10DLC) with this account."""

    primary_profile: TwilioProfile
    notify_email: str
    label: str | None = None


class TwilioAccount(_Account):
    """An account at Twilio."""

    vendor: Literal["twilio"]
    account_sid: TwilioSid
    auth_token: SecretSource
    previous_auth_token: SecretSource | None = None
    """Verifies webhooks too, while the secret is being changed."""
    numbers: tuple[Phone, ...] = ()
    """Sender numbers of this account besides those that are bought through it."""
    answers_keywords: bool = True
    """Twilio answers STOP and HELP itself: its default."""
    registration: TwilioRegistration | None = None
    sip_domain: TwilioSipDomain | None = None
    api_url: WebUrl = "https://api.twilio.com"
    messaging_url: WebUrl = "https://messaging.twilio.com"
    trusthub_url: WebUrl = "https://trusthub.twilio.com"


class DkimKey(_Entry):
    """The key that signs mail of a domain (RFC 6376)."""

    domain: DomainName
    selector: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,63}$")]
    private_key: SecretSource


class SmtpAccount(_Account):
    """A mail server that relays for us."""

    vendor: Literal["smtp"]
    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "plain"] = "starttls"
    ca_file: Path | None = None
    username: str | None = None
    password: SecretSource | None = None
    domains: tuple[DomainName, ...]
    """Sender domains of this account."""
    dkim: tuple[DkimKey, ...] = ()
    bounce_domain: DomainName | None = None
    bounce_secret: SecretSource | None = None


Account: TypeAlias = TwilioAccount | SmtpAccount


class Route(_Entry):
    """Accounts in order of preference, for messages that match; an unset field matches any."""

    tenant: str | None = None
    channel: Channel
    country: Country | None = None
    type: MessageType | None = None
    accounts: tuple[AccountName, ...] = Field(min_length=1, max_length=MOST_ACCOUNTS)


class ProvidersFile(_Entry):
    """The whole file."""

    accounts: tuple[Annotated[Account, Field(discriminator="vendor")], ...] = Field(
        default=(), alias="account", max_length=MOST_ACCOUNTS
    )
    routes: tuple[Route, ...] = Field(default=(), alias="route", max_length=MOST_ROUTES)

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = [account.name for account in self.accounts]
        if SIMULATOR in names:
            raise ValueError(f"the name {SIMULATOR} is taken by the built-in simulator")
        if len(set(names)) < len(names):
            raise ValueError("two accounts have one name")
        unknown = {name for route in self.routes for name in route.accounts} - set(names)
        if unknown:
            raise ValueError(f"a route names no account: {', '.join(sorted(unknown))}")
        return self


def read_providers_file(path: Path) -> ProvidersFile:
    """Read and check the file.

    Raises:
        BadSettings: it can't be read or has mistakes; the message names each place, no value.
    """
    try:
        document: Mapping[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise BadSettings("HEXAVOX_PROVIDERS_FILE can't be read") from None
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"HEXAVOX_PROVIDERS_FILE is not TOML: {error}") from None
    try:
        return ProvidersFile.model_validate(document)
    except ValidationError as error:
        raise BadSettings("\n".join(_mistakes(error))) from None


def _mistakes(error: ValidationError) -> Iterator[str]:
    for mistake in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in mistake["loc"])
        yield f"HEXAVOX_PROVIDERS_FILE: {place or 'the file'}: {mistake['msg']}"
