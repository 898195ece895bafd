"""The configuration, read once from the environment at process start.

Defaults suit production; `HEXAVOX_PROFILE=demo` shortens the waits so that every path can be
watched. Each wait has a variable of its own. Temporal's SDK reads its own variables:
TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_CLIENT_CERT_PATH and so on.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AliasChoices, Field, model_validator
from pydantic_settings import SettingsConfigDict

from models.configuration.database_setting import DatabaseUrl
from models.configuration.environment_settings import BadSettings, EnvironmentSettings
from models.configuration.request_limit_settings import RequestLimitSettings
from models.configuration.setting_types import (
    CallDuration,
    Domain,
    Duration,
    File,
    Host,
    IgnoreCase,
    LogLevel,
    Name,
    Origin,
    Port,
    PortOrNone,
    Secret,
    ShortDuration,
    SocketUrl,
    StunUrls,
    Transports,
    TurnUrls,
)
from models.database.url import sqlalchemy_url
from models.rules.consent.contact_keys import SECRET_BYTES, ContactKeys
from models.rules.voice.connection import TRANSPORTS, VoicePlace
from models.rules.waits import PaymentWaits, RegistrationWaits, SendWaits
from models.rules.webhooks.secrets import KEY_BYTES, read_webhook_key


class IncompleteSettings(BadSettings):
    """A setting that a process needs is missing; the message names it."""


class Profile(StrEnum):
    """Selects a set of waits and safety checks."""

    PRODUCTION = "production"
    DEMO = "demo"


_DEMO_WAITS: dict[str, float] = {
    "report_wait": 5,
    "poll_first": 1,
    "poll_longest": 5,
    "reconcile_every": 1,
    "absence_window": 3,
    "reconcile_horizon": 60,
    "payment_news_wait": 1,
    "payment_poll_first": 1,
    "payment_poll_longest": 1,
    "payment_retry_every": 1,
    "payment_horizon": 60,
    "payment_mismatch_wait": 5,
    "payment_refund_wait": 60,
    "sweep_every": 2,
    "sweep_grace": 8,
    "registration_ask_first": 1,
    "registration_ask_longest": 1,
    "registration_lost_after": 60,
    "close_every": 60,
    "watch_every": 2,
    "provider_window": 60,
}
"""Seconds."""


class ServingSettings(EnvironmentSettings):
    """Settings of every serving process."""

    model_config = SettingsConfigDict(env_prefix="HEXAVOX_")

    profile: Annotated[Profile, IgnoreCase] = Profile.PRODUCTION
    public_url: Origin = Field(
        default="http://127.0.0.1:8000",
        description="Where integrators reach the API, providers our webhooks and recipients their "
        "unsubscribe links: scheme, host and port, no path.",
    )
    simulator_url: Origin = "http://127.0.0.1:8090"
    log_level: LogLevel = "INFO"

    def check_for_serving(self) -> None:
        """Check that production has a public URL; raises IncompleteSettings.

        With the default, reports and unsubscribe links would point to the reader's own computer.
        Operators' commands do not need one.
        """
        if self.profile is Profile.PRODUCTION and "public_url" not in self.model_fields_set:
            raise IncompleteSettings(
                "HEXAVOX_PUBLIC_URL is not set: providers reach our webhooks there, and recipients "
                "their unsubscribe links. Without either, set HEXAVOX_PROFILE=demo."
            )


class Settings(ServingSettings, RequestLimitSettings):
    """Settings of the API, the workers and operators' commands."""

    model_config = SettingsConfigDict(env_prefix="HEXAVOX_")

    database_url: DatabaseUrl = Field(
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="postgresql://user:password@host:port/name; several hosts parted by commas",
    )
    database_pool: int = Field(
        default=20, ge=2, le=1000, description="Connections per process, at most."
    )

    api_host: Host = "127.0.0.1"
    api_port: Port = 8000
    worker_health_host: Host = "127.0.0.1"
    worker_health_port: PortOrNone = Field(
        default=8001, description="Worker's /healthz, /readyz and /metrics; 0 switches them off."
    )
    keep_alive: Duration = Field(
        default=timedelta(seconds=75),
        description="Idle connections are kept so long; a proxy's must end before.",
    )
    max_connections: int = Field(
        default=800,
        ge=1,
        le=100_000,
        description="Open connections of clients in each API process.",
    )
    server_secret: Secret | None = Field(
        default=None,
        description="Signs what the API hands out, such as unsubscribe links; it needs one.",
    )
    contact_key_file: File | None = Field(
        default=None,
        description="The key under which contacts are compared: one line, version:base64.",
    )
    webhook_key_file: File | None = Field(
        default=None,
        description="The key that webhook secrets are derived from: one line of base64.",
    )
    webhook_local_urls: bool = Field(
        default=False,
        description="Whether webhooks may be sent by http and to this machine: in demos only.",
    )
    open_limit: int = Field(
        default=100_000, ge=1, description="Messages a tenant may have open: accepted, not ended."
    )
    lag_allowed: Duration = Field(
        default=timedelta(seconds=2),
        description="While messages wait longer for a worker, sends are refused.",
    )
    api_nice: int = Field(
        default=0,
        ge=0,
        le=19,
        description="How far the API stands back from other processes of its machine; see nice(1).",
    )

    simulator_secret: Secret | None = Field(
        default=None, description="Signs the simulator's webhooks and the calls to it."
    )

    inline_report_wait: ShortDuration = Field(
        default=timedelta(milliseconds=400),
        description="How long a hand-over waits for its report where reports come fast; 0: never.",
    )
    providers_file: File | None = Field(
        default=None,
        description="The accounts at vendors and the routes, in TOML; read again on SIGHUP.",
    )

    report_wait: Duration = timedelta(minutes=10)
    poll_first: Duration = timedelta(minutes=5)
    poll_longest: Duration = timedelta(hours=2)
    reconcile_every: Duration = timedelta(seconds=5)
    absence_window: Duration = Field(
        default=timedelta(minutes=2),
        description="Least wait after an attempt's deadline before absence is believed.",
    )
    reconcile_horizon: Duration = timedelta(hours=72)
    payment_news_wait: Duration = timedelta(minutes=1)
    payment_poll_first: Duration = timedelta(minutes=1)
    payment_poll_longest: Duration = timedelta(minutes=30)
    payment_retry_every: Duration = timedelta(seconds=5)
    payment_horizon: Duration = Field(
        default=timedelta(hours=24), description="Then a charge nothing came of is called off."
    )
    payment_mismatch_wait: Duration = timedelta(hours=1)
    payment_refund_wait: Duration = timedelta(hours=72)
    sweep_every: Duration = timedelta(seconds=30)
    sweep_grace: Duration = timedelta(seconds=60)
    start_within: Duration = Field(
        default=timedelta(seconds=2),
        description="What is accepted and not started within this, the sweeper starts.",
    )
    watch_every: Duration = timedelta(seconds=60)
    webhook_wake_every: Duration = Field(
        default=timedelta(milliseconds=300),
        description="How often a worker looks for new events to deliver.",
    )
    provider_window: Duration = Field(
        default=timedelta(minutes=10),
        description="How far back a provider's attempts tell whether it is degraded.",
    )
    close_every: Duration = Field(
        default=timedelta(hours=1), description="How often days that are due are closed."
    )

    registration_ask_first: Duration = Field(
        default=timedelta(minutes=1),
        description="Between two questions to the 10DLC registry, growing: it takes days.",
    )
    registration_ask_longest: Duration = timedelta(hours=1)
    registration_lost_after: Duration = Field(
        default=timedelta(days=7),
        description="What the registry had taken and knows nothing of for so long is rejected.",
    )

    provider_timeout: CallDuration = Field(
        default=timedelta(seconds=10),
        description="HTTP budget of one call to a vendor; its step has 20 s, 15 s in a queue.",
    )
    provider_slots: int = Field(
        default=20, ge=1, description="Calls in flight per account and worker on the fast path."
    )

    voice_directory: Name = Field(
        default="kamailio",
        description="Who registers SIP users: kamailio, which reads our tables, or an account.",
    )
    sip_domain: Domain = "sip.localhost"
    sip_realm: Domain | None = None
    sip_registrar: Host | None = Field(default=None, description="Host; unset: the domain.")
    sip_port: Port = 5060
    sip_transports: Transports = TRANSPORTS
    sip_expires: Duration = timedelta(minutes=5)
    voice_websocket_url: SocketUrl | None = None
    stun_urls: StunUrls = ()
    turn_urls: TurnUrls | None = None
    turn_secret: Secret | None = Field(
        default=None, description="Shared with the TURN servers; unset: no TURN."
    )
    turn_lifetime: Duration = timedelta(hours=24)
    voice_token_lifetime: Duration = timedelta(hours=1)

    @model_validator(mode="before")
    @classmethod
    def _apply_profile(cls, values: dict[str, Any]) -> dict[str, Any]:
        if str(values.get("profile", "")).strip().lower() == Profile.DEMO:
            return {**{name: timedelta(seconds=s) for name, s in _DEMO_WAITS.items()}, **values}
        return values

    def contact_keys(self) -> ContactKeys:
        """Read the key file.

        Raises IncompleteSettings if none is configured, BadSettings if it contains no valid key.
        """
        if self.contact_key_file is None:
            raise IncompleteSettings(
                "HEXAVOX_CONTACT_KEY_FILE is not set: contacts are compared under its key."
            )
        try:
            return ContactKeys.parse(self.contact_key_file.read_text("ascii"))
        except (OSError, ValueError):
            raise BadSettings(
                "HEXAVOX_CONTACT_KEY_FILE must be a file with one line, version:base64, "
                f"of {SECRET_BYTES} random bytes or more"
            ) from None

    def webhook_key(self) -> bytes:
        """Read the key that the secrets of webhook endpoints are derived from.

        Raises IncompleteSettings if no file is configured, BadSettings if it contains no valid key.
        """
        if self.webhook_key_file is None:
            raise IncompleteSettings(
                "HEXAVOX_WEBHOOK_KEY_FILE is not set: webhooks are signed with secrets derived "
                "from its key."
            )
        try:
            return read_webhook_key(self.webhook_key_file.read_text("ascii"))
        except (OSError, ValueError):
            raise BadSettings(
                "HEXAVOX_WEBHOOK_KEY_FILE must be a file with one line, the base64 of "
                f"{KEY_BYTES} random bytes or more"
            ) from None

    @property
    def simulator_signing(self) -> str | None:
        """The secret shared with the simulator; None if there is none."""
        return None if self.simulator_secret is None else self.simulator_secret.get_secret_value()

    @property
    def send_waits(self) -> SendWaits:
        """Waits that are passed to each send."""
        return SendWaits(
            report_wait=self.report_wait,
            poll_first=self.poll_first,
            poll_longest=self.poll_longest,
            reconcile_every=self.reconcile_every,
            reconcile_horizon=self.reconcile_horizon,
        )

    @property
    def registration_waits(self) -> RegistrationWaits:
        """Waits that are passed to each registration."""
        return RegistrationWaits(
            ask_first=self.registration_ask_first,
            ask_longest=self.registration_ask_longest,
            reconcile_every=self.reconcile_every,
        )

    @property
    def voice_place(self) -> VoicePlace:
        """Connection data for SIP clients and browsers; unset values follow from the domain."""
        registrar = self.sip_registrar or self.sip_domain
        turn_urls = self.turn_urls
        if turn_urls is None:
            turn_urls = tuple(f"turn:{registrar}:3478?transport={by}" for by in ("udp", "tcp"))
        return VoicePlace(
            domain=self.sip_domain,
            realm=self.sip_realm or self.sip_domain,
            registrar=registrar,
            port=self.sip_port,
            transports=self.sip_transports,
            expires=self.sip_expires,
            websocket_url=self.voice_websocket_url or f"wss://{registrar}:8443",
            stun_urls=self.stun_urls,
            turn_urls=turn_urls,
            turn_secret=None if self.turn_secret is None else self.turn_secret.get_secret_value(),
            turn_lifetime=self.turn_lifetime,
            token_lifetime=self.voice_token_lifetime,
        )

    @property
    def payment_waits(self) -> PaymentWaits:
        """Waits that are passed to each purchase of credits."""
        return PaymentWaits(
            news_wait=self.payment_news_wait,
            poll_first=self.payment_poll_first,
            poll_longest=self.payment_poll_longest,
            retry_every=self.payment_retry_every,
            horizon=self.payment_horizon,
            mismatch_wait=self.payment_mismatch_wait,
            refund_wait=self.payment_refund_wait,
        )

    @property
    def async_database_url(self) -> str:
        """The database URL for SQLAlchemy's psycopg driver."""
        return sqlalchemy_url(self.database_url.get_secret_value())
