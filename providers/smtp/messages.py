"""Adapter of SMTP relays: one e-mail per call, written once.

Until the content is written, every failure is certain: nothing was sent. After that only the
relay's reply is; silence proves nothing, since SMTP has no look-up.
"""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

from models.enums import Channel, ErrorCode
from providers.ports.messages import (
    Accepted,
    Ambiguous,
    Answer,
    Capabilities,
    EmailRequest,
    LookUp,
    LookUpRequest,
    NotProcessed,
    Proof,
    Refused,
    SendRequest,
    Unanswered,
)
from providers.smtp.account import SmtpAccount
from providers.smtp.addresses import split_address
from providers.smtp.mime import Mail, Unsendable, build_mail
from providers.smtp.pool import Lease, Pool
from providers.smtp.replies import Reply, content_refused, recipient_refused, sender_refused
from providers.smtp.session import FAILURES, Session, Stopped
from providers.smtp.verp import BounceAddresses

NAME: Final = "smtp"

CONNECTIONS: Final = 40
"""Most sessions of one process with a relay: 20 calls of the fast path and 20 of the queue.

With fewer, calls would wait for a session, time out and count as failures of the account.
"""

IDLE: Final = timedelta(seconds=30)
"""How long an unused session is kept. Relays end them after minutes."""


class Smtp:
    """An account at an SMTP relay."""

    name: Final = NAME
    channels: Final = frozenset({Channel.EMAIL})
    proof: Final = Proof.NONE
    capabilities: Final = Capabilities()
    reports_delivery: Final = False
    """Bounces report failures only, so no delivery is ever confirmed."""
    reports_price: Final = False
    absence_window: Final = timedelta(days=30)
    """Without meaning: absence cannot be proven."""

    def __init__(
        self,
        account: SmtpAccount,
        *,
        bounce_secret: bytes | None = None,
        connections: int = CONNECTIONS,
        idle: timedelta = IDLE,
    ) -> None:
        """Build the adapter; it connects with the first e-mail.

        Args:
            bounce_secret: required with a bounce address: a keyed hash in the envelope sender
                keeps bounces from being made up.
        """
        self.account = account.name
        self.timeout = account.timeout
        self._settings = account
        self._pool = Pool(account, most=connections, idle=idle)
        self._bounces = None
        if account.bounce_address is not None:
            if bounce_secret is None:
                raise ValueError("an SMTP account with a bounce address needs the bounce secret")
            self._bounces = BounceAddresses(account.name, account.bounce_address, bounce_secret)

    async def send(self, request: SendRequest) -> Answer:
        """Send one e-mail to all its recipients, or to none."""
        if not isinstance(request, EmailRequest):
            raise TypeError("SMTP carries e-mail only")
        loop = asyncio.get_running_loop()
        left = (request.not_after - datetime.now(UTC)).total_seconds()
        ends = loop.time() + min(self.timeout.total_seconds(), left)
        lease = None
        async with AsyncExitStack() as stack:
            try:
                # Half of the time is kept for the reply to the content.
                async with asyncio.timeout(self.timeout.total_seconds() / 2):
                    mail = await self._built(request)
                    lease = await stack.enter_async_context(self._pool.session())
                    await self._begin(lease, mail, request.not_after)
            except (Stopped, Unsendable) as stop:
                if lease is not None and lease.begun:
                    lease.reusable = await lease.session.answers("RSET", by=ends)
                return stop.answer
            except FAILURES as error:
                return NotProcessed(reason=type(error).__name__)
            return await _finish(lease, ends, request.reference)

    async def look_up(self, request: LookUpRequest) -> LookUp:
        """Return that nothing is known: SMTP has no look-up."""
        return Unanswered(reason="SMTP has no look-up")

    async def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    async def _built(self, request: EmailRequest) -> Mail:
        """Return the e-mail, built and signed in a thread. Raises Stopped, Unsendable."""
        domain = _domain_of(request.sender)
        if domain is None or domain not in self._settings.domains:
            raise Stopped(
                NotProcessed(reason="not a sender domain of the account", sender_fault=True)
            )
        bounces_to = None
        if self._bounces is not None:
            count = len(request.recipients)
            bounces_to = self._bounces.write(request.reference, recipients=count)
        key = self._settings.dkim.get(domain)
        return await asyncio.to_thread(build_mail, request, key, bounces_to, datetime.now(UTC))

    async def _begin(self, lease: Lease, mail: Mail, not_after: datetime) -> None:
        """Write the envelope and hand over the content. Raises Stopped or one of FAILURES."""
        session = lease.session
        if mail.needs_utf8 and not session.offers("SMTPUTF8"):
            lease.reusable = True
            raise Stopped(
                Refused(
                    error_code=ErrorCode.BAD_DESTINATION,
                    provider_code="SMTPUTF8 is not offered",
                    everywhere=False,
                )
            )
        _check_deadline(not_after)
        notify = self._bounces is not None and session.offers("DSN")
        reply = await session.command("MAIL", *_mail_words(session, mail, notify=notify))
        if not reply.positive:
            raise _given_up(lease, reply, sender_refused(reply))
        for recipient in mail.recipients:
            reply = await session.command("RCPT", *_rcpt_words(recipient, notify=notify))
            if not reply.positive:  # nothing is sent to the others either
                raise _given_up(lease, reply, recipient_refused(reply))
        refusal = await session.begin_content()
        if refusal is not None:
            raise _given_up(lease, refusal, content_refused("DATA", refusal))
        _check_deadline(not_after)
        session.write_content(mail.content)


def _domain_of(address: str) -> str | None:
    try:
        return split_address(address)[1]
    except ValueError:
        return None


def _check_deadline(not_after: datetime) -> None:
    if datetime.now(UTC) >= not_after:
        raise Stopped(NotProcessed(reason="DeadlinePassed"))


def _given_up(lease: Lease, reply: Reply, answer: Answer) -> Stopped:
    """Return what to raise. After a proper refusal the session can be used again."""
    lease.begun = reply.temporary or reply.permanent
    return Stopped(answer)


async def _finish(lease: Lease, ends: float, reference: str) -> Answer:
    """Return what the reply to the content means; without one the outcome is unknown."""
    try:
        async with asyncio.timeout_at(ends):
            reply = await lease.session.end_content()
    except FAILURES as error:
        return Ambiguous(reason=type(error).__name__)
    if reply.positive:
        lease.reusable = True
        return Accepted(provider_message_id=reference)
    if reply.temporary or reply.permanent:
        return content_refused("content", reply)
    return Ambiguous(reason="unexpected reply to the content")


def _mail_words(session: Session, mail: Mail, *, notify: bool) -> list[str]:
    words = [f"FROM:<{mail.sender}>"]
    if session.offers("SIZE"):
        words.append(f"SIZE={mail.size}")
    if mail.needs_utf8:
        words += ["BODY=8BITMIME", "SMTPUTF8"]
    return [*words, "RET=HDRS"] if notify else words


def _rcpt_words(recipient: str, *, notify: bool) -> list[str]:
    """Return the words after RCPT. ORCPT names the recipient in its bounce (RFC 3461)."""
    words = [f"TO:<{recipient}>"]
    if notify:
        words.append("NOTIFY=FAILURE")
        if recipient.isascii():
            words.append(f"ORCPT=rfc822;{_xtext(recipient)}")
    return words


def _xtext(text: str) -> str:
    return "".join(f"+{ord(one):02X}" if one in "+=" else one for one in text)
