"""Builds the adapter of an SMTP account of the providers file."""

import asyncio
from datetime import timedelta
from typing import Final

from models.configuration.accounts import ConfiguredAccount
from models.configuration.providers_file import SmtpAccount as SmtpEntry
from providers.accounts import CheckResult, OpenAccount
from providers.ports.messages import NotProcessed
from providers.smtp.account import DkimKey, Security, SmtpAccount
from providers.smtp.messages import NAME, Smtp
from providers.smtp.session import FAILURES, Stopped, open_session, trusted_context

_TIMEOUT: Final = timedelta(seconds=30)
"""Of one e-mail, unless the file says otherwise: relays check recipients meanwhile."""


def open_account(entry: SmtpEntry, configured: ConfiguredAccount) -> OpenAccount:
    """Return the adapter of a relay; it connects with the first e-mail.

    Raises ValueError, without a secret in it, if the relay cannot be used so.
    """
    account = _account(entry, configured)
    secret = configured.find_secret("bounce_secret")
    adapter = Smtp(account, bounce_secret=None if secret is None else secret.encode())

    async def check() -> CheckResult:
        return await check_credentials(account)

    return OpenAccount(
        name=entry.name, vendor=NAME, check=check, messages=adapter, close=adapter.close
    )


async def check_credentials(account: SmtpAccount) -> CheckResult:
    """Connect, encrypt and authenticate, then leave."""
    try:
        async with asyncio.timeout(account.timeout.total_seconds()):
            context = await asyncio.to_thread(trusted_context, account)
            session = await open_session(account, context)
    except Stopped as stopped:
        return CheckResult(valid=False, reason=_reason(stopped))
    except FAILURES as error:
        return CheckResult(valid=False, reason=type(error).__name__)
    session.leave()
    return CheckResult(valid=True)


def _reason(stopped: Stopped) -> str:
    """Return the phase, and the numbers of the relay's reply."""
    answer = stopped.answer
    if isinstance(answer, NotProcessed):
        return " ".join(filter(None, (answer.reason, answer.provider_code)))
    return str(stopped)


def _account(entry: SmtpEntry, configured: ConfiguredAccount) -> SmtpAccount:
    seconds = entry.timeout_seconds
    return SmtpAccount(
        name=entry.name,
        host=entry.host,
        port=entry.port,
        security=Security(entry.security.upper()),
        domains=frozenset(entry.domains),
        username=entry.username,
        password=configured.find_secret("password"),
        dkim={
            key.domain: DkimKey(
                selector=key.selector, private_key=configured.secret(f"dkim.{key.domain}")
            )
            for key in entry.dkim
        },
        bounce_address=entry.bounce_address,
        timeout=_TIMEOUT if seconds is None else timedelta(seconds=seconds),
        local_hostname=entry.local_hostname,
        ca_file=entry.ca_file,
    )
