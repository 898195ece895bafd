"""One authenticated session with a relay. Every command is written once, none is retried."""

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, cast

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.response import SMTPResponse

from models.configuration.regular_files import require_regular
from providers.ports.messages import Answer, NotProcessed
from providers.smtp.account import Security, SmtpAccount
from providers.smtp.replies import Reply, read_reply, session_refused

FAILURES: Final = (SMTPException, OSError, TimeoutError)
"""What a session raises if the relay does not answer or the connection ends. TLS errors and
aiosmtplib's lost connections are OSErrors or SMTPExceptions.
"""

_CHECK_SECONDS: Final = 3.0
"""How long an idle session may take to answer NOOP, and a used one RSET."""

_GO_AHEAD: Final = 354


class Stopped(Exception):
    """The relay refused a step before the content: the answer says what that means."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(type(answer).__name__)
        self.answer = answer


def trusted_context(account: SmtpAccount) -> ssl.SSLContext:
    """Return the TLS context of an account: certificate and name are verified.

    It reads files, so it runs in a thread. Raises OSError.
    """
    if account.ca_file is not None:
        require_regular(account.ca_file)
    return ssl.create_default_context(cafile=account.ca_file)


class Session:
    """A connection that may carry one e-mail after the other."""

    def __init__(self, client: SMTP) -> None:
        self._client = client
        self.mails = 0
        """E-mails that it has carried."""

    @property
    def connected(self) -> bool:
        """Whether the connection has not ended, as far as is known."""
        return self._client.is_connected

    def offers(self, extension: str) -> bool:
        """Return whether the relay offers an extension of SMTP."""
        return self._client.supports_extension(extension)

    async def command(self, verb: str, *words: str) -> Reply:
        """Write one command, and return the reply. Raises one of FAILURES."""
        reply = await _reply(
            self._client.execute_command(verb.encode(), *(word.encode() for word in words))
        )
        protocol = self._client.protocol
        goes_on = reply.positive or reply.code == _GO_AHEAD
        if goes_on and protocol is not None and protocol._buffer:
            # aiosmtplib would return the rest as the reply to what is written next: at worst as a
            # refusal of a content that the relay accepts.
            raise SMTPException("more than one reply")
        return reply

    async def begin_content(self) -> Reply | None:
        """Write DATA; None if the relay awaits the content, else its refusal."""
        reply = await self.command("DATA")
        return None if reply.code == _GO_AHEAD else reply

    def write_content(self, content: bytes) -> None:
        """Hand the content to the connection. Raises SMTPServerDisconnected, before any byte."""
        if self._client.protocol is None:
            raise SMTPServerDisconnected("Connection lost")
        self._client.protocol.write(content)

    async def end_content(self) -> Reply:
        """Return the reply to the content. Raises one of FAILURES."""
        if self._client.protocol is None:
            raise SMTPServerDisconnected("Connection lost")
        return await _reply(self._client.protocol.read_response())

    async def answers(self, verb: str, *, by: float = math.inf) -> bool:
        """Return whether the relay confirms NOOP or RSET in time, so that the session is usable.

        `by` is a time of the event loop.
        """
        ends = min(by, asyncio.get_running_loop().time() + _CHECK_SECONDS)
        try:
            async with asyncio.timeout_at(ends):
                return (await self.command(verb)).positive
        except FAILURES:
            return False

    def leave(self) -> None:
        """Write QUIT and close, without waiting for the reply."""
        if self._client.is_connected and self._client.protocol is not None:
            self._client.protocol.write(b"QUIT\r\n")
        self._client.close()

    def abort(self) -> None:
        """Close at once; what is not written yet is discarded."""
        transport = self._client.transport
        if transport is not None:
            # Declared for transports that write; those of uvloop are not of asyncio's classes.
            cast(asyncio.WriteTransport, transport).abort()
        self._client.close()


async def open_session(account: SmtpAccount, context: ssl.SSLContext) -> Session:
    """Connect, encrypt and authenticate. Raises Stopped; nothing was sent."""
    client = SMTP(
        hostname=account.host,
        port=account.port,
        local_hostname=account.local_hostname,
        timeout=None,  # the caller limits the whole call
        use_tls=account.security is Security.TLS,
        start_tls=False,
        tls_context=context,
    )
    try:
        await _step("connect", client.connect)
        await _step("EHLO", client.ehlo)
        if account.security is Security.STARTTLS:
            if not client.supports_extension("starttls"):
                raise _fault("the relay does not offer STARTTLS")
            await _step("STARTTLS", client.starttls)
            await _step("EHLO", client.ehlo)
        if account.username is not None:
            await _authenticate(client, account.username, account.password or "")
    except BaseException:
        Session(client).abort()
        raise
    return Session(client)


async def _authenticate(client: SMTP, username: str, password: str) -> None:
    """Authenticate once: a second attempt with a wrong password may lock the account."""
    if "plain" in client.server_auth_methods:
        await _step("AUTH", lambda: client.auth_plain(username, password))
    elif "login" in client.server_auth_methods:
        await _step("AUTH", lambda: client.auth_login(username, password))
    else:
        raise _fault("the relay offers neither AUTH PLAIN nor LOGIN")


async def _step(phase: str, act: Callable[[], Awaitable[object]]) -> None:
    try:
        await act()
    except SMTPResponseException as error:
        raise Stopped(session_refused(phase, read_reply(error.code, error.message))) from None
    except FAILURES as error:
        untrusted = _causes(error, ssl.SSLCertVerificationError)
        word = "certificate" if untrusted else type(error).__name__
        raise Stopped(NotProcessed(reason=f"{phase}: {word}", account_fault=untrusted)) from None


def _fault(reason: str) -> Stopped:
    return Stopped(NotProcessed(reason=reason, account_fault=True))


def _causes(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Return whether an error of this kind is the error or among its causes."""
    seen: Iterable[BaseException] = ()
    while error is not None and error not in seen:
        if isinstance(error, kind):
            return True
        seen = (*seen, error)
        error = error.__cause__ or error.__context__
    return False


async def _reply(call: Awaitable[SMTPResponse]) -> Reply:
    """Return the numbers of a response; an unreadable one has a code that is none of SMTP's."""
    try:
        response = await call
    except SMTPResponseException as error:
        return Reply(error.code)
    return read_reply(response.code, response.message)
