"""Tests an account of the providers file against its vendor."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import typer

from models.configuration.accounts import ConfiguredAccount
from models.enums import Channel
from models.settings import Settings
from providers.accounts import Accounts
from providers.http import new_client
from providers.ports.messages import (
    Accepted,
    Ambiguous,
    Answer,
    EmailRequest,
    MessageProvider,
    NotProcessed,
    Refused,
    SendRequest,
    SmsRequest,
)
from providers.vendors import open_account

_TEXT: Final = "HexaVox test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The result of a test."""

    valid: bool
    """The vendor accepts the credentials."""
    reason: str = ""
    answer: str | None = None
    """What the vendor answered to the message; None if none was sent."""
    accepted: bool = True
    """The vendor has accepted the message, if one was sent."""

    @property
    def passed(self) -> bool:
        """Whether all that was tested works."""
        return self.valid and self.accepted


async def run_test(
    configured: ConfiguredAccount, settings: Settings, message: tuple[str, str] | None
) -> Tested:
    """Check the credentials, and send a message to a recipient from a sender if one is given."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(new_client(settings.provider_timeout))
        accounts = Accounts(
            lambda each: open_account(each, settings, http, lambda: datetime.now(UTC))
        )
        opened = accounts.open(configured)
        stack.push_async_callback(opened.close)
        check = await opened.check()
        if message is None or not check.valid:
            return Tested(valid=check.valid, reason=check.reason)
        if opened.messages is None:
            raise typer.BadParameter("The account sends no messages.")
        answer = await opened.messages.send(_request(opened.messages, settings, *message))
    return Tested(valid=True, answer=_told(answer), accepted=isinstance(answer, Accepted))


def _request(provider: MessageProvider, settings: Settings, to: str, sender: str) -> SendRequest:
    """Return the request of a test message. No attempt has its reference: no report is stored."""
    reference = f"hx-test-{uuid4().hex[:16]}"
    now = datetime.now(UTC)
    callback = f"{settings.public_url.rstrip('/')}/webhooks/{provider.account}/{reference}"
    if Channel.EMAIL in provider.channels:
        return EmailRequest(
            to=to,
            sender=sender,
            reference=reference,
            callback_url=callback,
            not_after=now + provider.timeout,
            recipients=(to,),
            subject=_TEXT,
            html=f"<p>{_TEXT}</p>",
            text=_TEXT,
        )
    return SmsRequest(
        to=to,
        sender=sender,
        reference=reference,
        callback_url=callback,
        not_after=now + provider.timeout,
        body=_TEXT,
    )


def _told(answer: Answer) -> str:
    match answer:
        case Accepted():
            return f"accepted as {answer.provider_message_id}"
        case Refused():
            return f"refused: {answer.error_code} {answer.provider_code}"
        case NotProcessed():
            return f"not processed: {answer.reason} {answer.provider_code or ''}".rstrip()
        case Ambiguous():
            return f"no clear answer: {answer.reason}; it may have been sent"
