"""Settings of request limits: rates, concurrency, failed logins, trusted proxies."""

from typing import Self

from pydantic import Field, model_validator

from models.configuration.environment_settings import EnvironmentSettings
from models.configuration.setting_types import Networks
from models.rules.tenants.token_bucket import Limit

_MOST = 1_000_000
"""Upper limit of every rate, burst and concurrency; a higher value is a mistake."""

_LIMIT_VARIABLES = {
    "key": ("RATE_BURST", "RATE_LIMIT"),
    "tenant": ("TENANT_RATE_BURST", "TENANT_RATE_LIMIT"),
    "failed-logins": ("FAILED_LOGIN_BURST", "FAILED_LOGIN_RATE"),
    "refusals": ("REFUSAL_BURST", "REFUSAL_RATE"),
}
"""Limit → variables of its burst and its rate."""


class RequestLimitSettings(EnvironmentSettings):
    """Part of `models.settings.Settings`.

    Request rates apply to all API processes together; concurrency, failed logins and refusals to
    each process.
    """

    rate_limit: int = Field(default=50, ge=1, le=_MOST, description="Requests a second per key.")
    rate_burst: int = Field(
        default=100, ge=1, le=_MOST, description="Requests a key may have saved up."
    )
    rate_concurrency: int = Field(
        default=20, ge=1, le=_MOST, description="Requests at once per key."
    )
    tenant_rate_limit: int = Field(
        default=100, ge=1, le=_MOST, description="Requests a second per tenant."
    )
    tenant_rate_burst: int = Field(default=200, ge=1, le=_MOST)
    tenant_rate_concurrency: int = Field(default=40, ge=1, le=_MOST)
    failed_login_rate: int = Field(
        default=5, ge=1, le=_MOST, description="Wrong credentials a second per client address."
    )
    failed_login_burst: int = Field(default=50, ge=1, le=_MOST)
    refusal_rate: int = Field(
        default=20,
        ge=1,
        le=_MOST,
        description="Refusals a second per client address that are not delayed.",
    )
    refusal_burst: int = Field(default=50, ge=1, le=_MOST)
    trusted_proxies: Networks = Field(
        default=(), description="The proxies' own addresses, whose X-Forwarded-For is believed."
    )

    @model_validator(mode="after")
    def _burst_covers_a_second(self) -> Self:
        limits = (self.key_limit, self.tenant_limit, self.failed_login_limit, self.refusal_limit)
        for limit in limits:
            if limit.burst < limit.rate:
                name, rate = _LIMIT_VARIABLES[limit.name]
                raise ValueError(f"HEXAVOX_{name} must be at least HEXAVOX_{rate}")
        return self

    @property
    def key_limit(self) -> Limit:
        """Limits of one key."""
        return Limit(
            name="key",
            rate=self.rate_limit,
            burst=self.rate_burst,
            at_once=self.rate_concurrency,
        )

    @property
    def tenant_limit(self) -> Limit:
        """Limits of all keys of a tenant together."""
        return Limit(
            name="tenant",
            rate=self.tenant_rate_limit,
            burst=self.tenant_rate_burst,
            at_once=self.tenant_rate_concurrency,
        )

    @property
    def failed_login_limit(self) -> Limit:
        """Failed logins allowed per client address."""
        return Limit(
            name="failed-logins", rate=self.failed_login_rate, burst=self.failed_login_burst
        )

    @property
    def refusal_limit(self) -> Limit:
        """Refusals per client address that are not delayed."""
        return Limit(name="refusals", rate=self.refusal_rate, burst=self.refusal_burst)
