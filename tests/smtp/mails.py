"""Accounts and requests of the tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from providers.ports.messages import EmailRequest
from providers.smtp.account import Security, SmtpAccount

REFERENCE = "hx-1002003004005006-7008009001002003-2"
SECRET = b"only for tests: a bounce secret"
SENDER = "no-reply@gym.example"
TO = "member@example.com"
PASSWORD = "onlyForTests9876"


def account(port: int, **change: Any) -> SmtpAccount:
    """Return an account at a relay on this machine."""
    fields: dict[str, Any] = {
        "name": "relay",
        "host": "127.0.0.1",
        "port": port,
        "security": Security.PLAIN,
        "domains": frozenset({"gym.example"}),
        "timeout": timedelta(seconds=20),
        "local_hostname": "client.test",
    }
    return SmtpAccount(**{**fields, **change})


def email(*recipients: str, **change: Any) -> EmailRequest:
    """Return a request to these recipients, or to one."""
    recipients = recipients or (TO,)
    fields: dict[str, Any] = {
        "to": recipients[0],
        "recipients": recipients,
        "sender": SENDER,
        "reference": REFERENCE,
        "callback_url": "",
        "not_after": datetime.now(UTC) + timedelta(minutes=1),
        "subject": "Hello",
        "html": "<p>Hello</p>",
        "text": "Hello",
    }
    return EmailRequest(**{**fields, **change})
