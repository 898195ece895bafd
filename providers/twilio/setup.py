"""Builds the adapters of a Twilio account of the providers file."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import httpx

from models.configuration.accounts import ConfiguredAccount
from models.configuration.providers_file import TwilioAccount
from providers.accounts import CheckResult, OpenAccount
from providers.twilio.brands import OperatorProfile
from providers.twilio.client import Account, Twilio, TwilioError
from providers.twilio.inbound import inbound_verifier
from providers.twilio.message_reports import report_verifier
from providers.twilio.messages import TwilioSms
from providers.twilio.registry import NAME, TwilioRegistry
from providers.twilio.sip import TwilioSip


class TwilioSettings(Protocol):
    """Settings that all accounts share."""

    @property
    def public_url(self) -> str: ...
    @property
    def provider_timeout(self) -> timedelta: ...
    @property
    def absence_window(self) -> timedelta: ...


def open_account(
    entry: TwilioAccount,
    configured: ConfiguredAccount,
    settings: TwilioSettings,
    http: httpx.AsyncClient,
    clock: Callable[[], datetime],
) -> OpenAccount:
    """Return the adapters of an account: what the entry configures of them."""
    account = _account(entry, configured)
    timeout = _timeout(entry, settings)
    client = Twilio(http, account, timeout=timeout)
    inbound_url = f"{settings.public_url.rstrip('/')}/webhooks/{entry.name}/inbound"

    async def check() -> CheckResult:
        return await check_credentials(client)

    return OpenAccount(
        name=entry.name,
        vendor=NAME,
        check=check,
        messages=TwilioSms(client, timeout=timeout, clock=clock),
        reports=report_verifier(account, clock),
        inbound=inbound_verifier(account, inbound_url, clock),
        registry=_registry(entry, client, settings, inbound_url),
        directory=(
            None
            if entry.sip_domain is None
            else TwilioSip(client, entry.sip_domain, timeout=settings.provider_timeout)
        ),
    )


async def check_credentials(client: Twilio) -> CheckResult:
    """Read the account, which changes nothing."""
    try:
        found = await client.find(client.account_url)
    except TwilioError as error:
        return CheckResult(valid=False, reason=str(error))
    if found is None:
        return CheckResult(valid=False, reason="no such account")
    status = found.get("status")
    return CheckResult(valid=status == "active", reason="" if status == "active" else "not active")


def _account(entry: TwilioAccount, configured: ConfiguredAccount) -> Account:
    return Account(
        name=entry.name,
        sid=entry.account_sid,
        token=configured.secret("auth_token"),
        previous_token=configured.find_secret("previous_auth_token"),
        numbers=frozenset(entry.numbers),
        answers_keywords=entry.answers_keywords,
        label=entry.label,
        api_url=entry.api_url,
        messaging_url=entry.messaging_url,
        trusthub_url=entry.trusthub_url,
    )


def _timeout(entry: TwilioAccount, settings: TwilioSettings) -> timedelta:
    if entry.timeout_seconds is None:
        return settings.provider_timeout
    return timedelta(seconds=entry.timeout_seconds)


def _registry(
    entry: TwilioAccount, client: Twilio, settings: TwilioSettings, inbound_url: str
) -> TwilioRegistry | None:
    if entry.registration is None:
        return None
    operator = OperatorProfile(
        primary_profile=entry.registration.primary_profile,
        email=entry.registration.notify_email,
        inbound_url=inbound_url,
    )
    return TwilioRegistry(
        client,
        operator,
        timeout=settings.provider_timeout,
        absence_window=settings.absence_window,
    )
