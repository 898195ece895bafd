"""Builds Twilio's adapters from settings."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import httpx

from providers.ports.messages import VerifyInbound
from providers.twilio.brands import OperatorProfile
from providers.twilio.client import Account, Twilio
from providers.twilio.inbound import inbound_verifier
from providers.twilio.registry import NAME, TwilioRegistry
from providers.twilio.sip import TwilioSip


class Secret(Protocol):
    """Interface of a secret setting."""

    def get_secret_value(self) -> str:
        """Return the secret."""
        ...


class TwilioSettings(Protocol):
    """Settings of the Twilio account; without an account id Twilio is not used."""

    @property
    def twilio_account_sid(self) -> str | None: ...
    @property
    def twilio_auth_token(self) -> Secret | None: ...
    @property
    def twilio_label(self) -> str | None: ...
    @property
    def twilio_primary_profile(self) -> str | None: ...
    @property
    def twilio_notify_email(self) -> str | None: ...
    @property
    def twilio_sip_domain(self) -> str | None: ...
    @property
    def twilio_api_url(self) -> str: ...
    @property
    def twilio_messaging_url(self) -> str: ...
    @property
    def twilio_trusthub_url(self) -> str: ...
    @property
    def public_url(self) -> str: ...
    @property
    def provider_timeout(self) -> timedelta: ...
    @property
    def absence_window(self) -> timedelta: ...


def open_registry(settings: TwilioSettings, http: httpx.AsyncClient) -> TwilioRegistry | None:
    """Return Twilio as a registry; None if no account is configured."""
    twilio = _client(settings, http)
    if twilio is None or not (settings.twilio_primary_profile and settings.twilio_notify_email):
        return None
    operator = OperatorProfile(
        primary_profile=settings.twilio_primary_profile,
        email=settings.twilio_notify_email,
        inbound_url=_inbound_url(settings),
    )
    return TwilioRegistry(
        twilio, operator, timeout=settings.provider_timeout, absence_window=settings.absence_window
    )


def open_inbound(settings: TwilioSettings, clock: Callable[[], datetime]) -> VerifyInbound | None:
    """Return the verifier of inbound texts at Twilio; None without an account."""
    if settings.twilio_account_sid is None or settings.twilio_auth_token is None:
        return None
    token = settings.twilio_auth_token.get_secret_value()
    return inbound_verifier(token, _inbound_url(settings), clock)


def open_directory(settings: TwilioSettings, http: httpx.AsyncClient) -> TwilioSip | None:
    """Return Twilio as a directory of SIP users; None without an account or a SIP domain."""
    twilio = _client(settings, http)
    if twilio is None or settings.twilio_sip_domain is None:
        return None
    return TwilioSip(twilio, settings.twilio_sip_domain, timeout=settings.provider_timeout)


def _inbound_url(settings: TwilioSettings) -> str:
    return f"{settings.public_url.rstrip('/')}/webhooks/{NAME}/inbound"


def _client(settings: TwilioSettings, http: httpx.AsyncClient) -> Twilio | None:
    sid, token = settings.twilio_account_sid, settings.twilio_auth_token
    if sid is None or token is None:
        return None
    account = Account(
        sid=sid,
        token=token.get_secret_value(),
        label=settings.twilio_label,
        api_url=settings.twilio_api_url,
        messaging_url=settings.twilio_messaging_url,
        trusthub_url=settings.twilio_trusthub_url,
    )
    return Twilio(http, account, timeout=settings.provider_timeout)
