"""The configuration, read from the environment once, at the edge.

Production waits are the defaults; `HEXAVOX_PROFILE=demo` shortens them so that every path can be
watched. Any single one can be set by its own variable. Where Temporal is, its own SDK reads:
TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_CLIENT_CERT_PATH and so on.
"""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from models.rules.voice_place import TRANSPORTS, VoicePlace
from models.rules.waits import PaymentWaits, RegistrationWaits, SendWaits


def _seconds(given: Any) -> Any:
    """Read a bare number as seconds; other spellings are ISO 8601 durations (PT1.5S)."""
    try:
        return timedelta(seconds=float(given))
    except (TypeError, ValueError, OverflowError):
        return given


Duration = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]


def _words(given: Any) -> Any:
    """Read a text as a list, its words parted by commas."""
    if isinstance(given, str):
        return tuple(word.strip() for word in given.split(",") if word.strip())
    return given


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]


class IncompleteSettings(Exception):
    """What a process needs is not set; the message says what."""


class Profile(StrEnum):
    """Which set of waits and safety checks applies."""

    PRODUCTION = "production"
    DEMO = "demo"


_DEMO_WAITS: dict[str, float] = {
    "report_wait": 5,
    "poll_first": 1,
    "poll_longest": 5,
    "reconcile_every": 1,
    "absence_window": 3,
    "truth_horizon": 60,
    "payment_news_wait": 1,
    "payment_poll_first": 1,
    "payment_poll_longest": 1,
    "payment_retry_every": 1,
    "payment_horizon": 60,
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


class Settings(BaseSettings):
    """Everything that differs between installations."""

    model_config = SettingsConfigDict(
        env_prefix="HEXAVOX_",
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # it would show secrets
    )

    profile: Profile = Profile.PRODUCTION

    database_url: SecretStr = Field(
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="postgresql://user:password@host:port/name",
    )
    database_pool: int = Field(default=20, ge=2, description="Connections per process, at most.")

    api_host: str = "127.0.0.1"
    api_port: int = 8000
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Where providers reach our webhooks: scheme and host, no path.",
    )
    worker_health_host: str = "127.0.0.1"
    worker_health_port: int = Field(
        default=8001, description="Worker's /healthz and /metrics; 0 switches them off."
    )
    server_secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Signs what the API hands out, such as unsubscribe links; it needs one.",
    )
    rate_limit: int = Field(default=500, ge=1, description="Requests a second per key.")
    rate_burst: int = Field(default=1000, ge=1)
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

    simulator_url: str = "http://127.0.0.1:8090"
    simulator_host: str = "127.0.0.1"
    simulator_port: int = 8090
    simulator_data_dir: Path | None = None
    simulator_secret: SecretStr | None = Field(
        default=None, description="Signs the simulator's webhooks; needed to use it."
    )

    report_attended: Annotated[
        timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0), le=timedelta(seconds=1))
    ] = Field(
        default=timedelta(milliseconds=400),
        description="How long a hand-over waits for its report where reports come fast; 0: never.",
    )
    twilio_account_sid: str | None = Field(
        default=None, pattern="^AC[0-9a-fA-F]{32}$", description="Registers LIVE tenants' brands."
    )
    twilio_auth_token: SecretStr | None = None
    twilio_label: str | None = Field(
        default=None,
        pattern="^[A-Za-z0-9-]{1,16}$",
        description="Tells this installation's things from those of others on the same account.",
    )
    twilio_primary_profile: str | None = Field(
        default=None,
        pattern="^BU[0-9a-fA-F]{32}$",
        description="The operator's own approved customer profile: every merchant's names it.",
    )
    twilio_notify_email: str | None = Field(
        default=None, description="Where Twilio writes to about a merchant's registration."
    )
    twilio_sip_domain: str | None = Field(
        default=None, pattern="^SD[0-9a-fA-F]{32}$", description="Where SIP clients register."
    )
    twilio_api_url: str = "https://api.twilio.com"
    twilio_messaging_url: str = "https://messaging.twilio.com"
    twilio_trusthub_url: str = "https://trusthub.twilio.com"

    report_wait: Duration = timedelta(minutes=10)
    poll_first: Duration = timedelta(minutes=5)
    poll_longest: Duration = timedelta(hours=2)
    reconcile_every: Duration = timedelta(seconds=5)
    absence_window: Duration = Field(
        default=timedelta(minutes=2),
        description="Least wait after an attempt's deadline before absence is believed.",
    )
    truth_horizon: Duration = timedelta(hours=72)
    payment_news_wait: Duration = timedelta(minutes=1)
    payment_poll_first: Duration = timedelta(minutes=1)
    payment_poll_longest: Duration = timedelta(minutes=30)
    payment_retry_every: Duration = timedelta(seconds=5)
    payment_horizon: Duration = Field(
        default=timedelta(hours=24), description="Then a charge nothing came of is called off."
    )
    sweep_every: Duration = timedelta(seconds=30)
    sweep_grace: Duration = timedelta(seconds=60)
    start_within: Duration = Field(
        default=timedelta(seconds=2),
        description="What is accepted and not started within this, the sweeper starts.",
    )
    watch_every: Duration = timedelta(seconds=60)
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

    provider_timeout: Duration = Field(
        default=timedelta(seconds=10),
        le=timedelta(seconds=10),
        description="HTTP budget of one call to a vendor; its step has 12 s in all.",
    )
    provider_slots: int = Field(
        default=20, ge=1, description="Calls in flight per provider and worker on the fast path."
    )

    voice_directory: str = Field(
        default="kamailio",
        description="Who registers SIP users: kamailio reads our tables, others must be told.",
    )
    sip_domain: str = Field(default="sip.localhost", pattern=r"^[A-Za-z0-9.-]{1,64}$")
    sip_realm: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]{1,64}$")
    sip_registrar: str | None = Field(default=None, description="Host; unset: the domain.")
    sip_port: int = Field(default=5060, ge=1, le=65535)
    sip_transports: Words = TRANSPORTS
    sip_expires: Duration = timedelta(minutes=5)
    voice_websocket_url: str | None = None
    stun_urls: Words = ()
    turn_urls: Words | None = None
    turn_secret: SecretStr | None = Field(
        default=None, min_length=16, description="Shared with the TURN servers; unset: no TURN."
    )
    turn_lifetime: Duration = timedelta(hours=24)
    voice_token_lifetime: Duration = timedelta(hours=1)

    log_level: str = "INFO"

    @model_validator(mode="before")
    @classmethod
    def _apply_profile(cls, values: dict[str, Any]) -> dict[str, Any]:
        if str(values.get("profile", "")).lower() == Profile.DEMO:
            return {**{name: timedelta(seconds=s) for name, s in _DEMO_WAITS.items()}, **values}
        return values

    @model_validator(mode="after")
    def _burst_covers_a_second(self) -> Self:
        if self.rate_burst < self.rate_limit:
            raise ValueError("HEXAVOX_RATE_BURST must be at least HEXAVOX_RATE_LIMIT")
        return self

    @model_validator(mode="after")
    def _twilio_is_whole(self) -> Self:
        needed = {
            "HEXAVOX_TWILIO_AUTH_TOKEN": self.twilio_auth_token,
            "HEXAVOX_TWILIO_PRIMARY_PROFILE": self.twilio_primary_profile,
            "HEXAVOX_TWILIO_NOTIFY_EMAIL": self.twilio_notify_email,
        }
        missing = [name for name, value in needed.items() if not value]
        if self.twilio_account_sid is not None and missing:
            raise ValueError(f"HEXAVOX_TWILIO_ACCOUNT_SID needs {', '.join(missing)} as well")
        return self

    def check_for_serving(self) -> None:
        """Refuse to serve production without an address of its own; operators' commands need none.

        With the default, reports and unsubscribe links would lead to wherever they are opened.
        """
        if self.profile is Profile.PRODUCTION and "public_url" not in self.model_fields_set:
            raise IncompleteSettings(
                "HEXAVOX_PUBLIC_URL is not set: providers reach our webhooks there, and recipients "
                "their unsubscribe links. Without either, set HEXAVOX_PROFILE=demo."
            )

    @property
    def send_waits(self) -> SendWaits:
        """The waits that a send takes along."""
        return SendWaits(
            report_wait=self.report_wait,
            poll_first=self.poll_first,
            poll_longest=self.poll_longest,
            reconcile_every=self.reconcile_every,
            truth_horizon=self.truth_horizon,
        )

    @property
    def registration_waits(self) -> RegistrationWaits:
        """The waits that a registration takes along."""
        return RegistrationWaits(
            ask_first=self.registration_ask_first,
            ask_longest=self.registration_ask_longest,
            reconcile_every=self.reconcile_every,
        )

    @property
    def voice_place(self) -> VoicePlace:
        """Where SIP clients and browsers are told to connect; what is unset follows the domain."""
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
        """The waits that a purchase of credits takes along."""
        return PaymentWaits(
            news_wait=self.payment_news_wait,
            poll_first=self.payment_poll_first,
            poll_longest=self.payment_poll_longest,
            retry_every=self.payment_retry_every,
            horizon=self.payment_horizon,
        )

    @property
    def async_database_url(self) -> str:
        """The database address in the form SQLAlchemy's psycopg driver takes."""
        url = self.database_url.get_secret_value()
        for scheme in ("postgresql://", "postgres://"):
            if url.startswith(scheme):
                return "postgresql+psycopg://" + url.removeprefix(scheme)
        return url
