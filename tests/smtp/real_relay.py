"""A real SMTP server: aiosmtpd, with TLS and AUTH."""

import asyncio
import email
import ssl
import warnings
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.smtp.mails import PASSWORD

USER = "us"


@dataclass
class RealRelay:
    """The server; it keeps what it takes."""

    tls: ssl.SSLContext
    implicit: bool = False
    utf8: bool = True
    envelopes: list[Envelope] = field(default_factory=list)
    connections: int = 0
    logins: list[bool] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._protocol, "127.0.0.1", 0, ssl=self.tls if self.implicit else None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()

    def content(self, number: int = -1) -> bytes:
        """Return a mail as it arrived."""
        content = self.envelopes[number].content
        assert isinstance(content, bytes)
        return content

    def mail(self, number: int = -1) -> EmailMessage:
        """Return a mail, parsed."""
        parsed = email.message_from_bytes(self.content(number), policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the mail."""
        self.envelopes.append(envelope)
        return "250 2.0.0 Ok: queued"

    def _protocol(self) -> SMTP:
        self.connections += 1
        with warnings.catch_warnings():
            # aiosmtpd does not see implicit TLS, and warns of AUTH without it.
            warnings.simplefilter("ignore")
            return SMTP(
                self,
                hostname="relay.test",
                enable_SMTPUTF8=self.utf8,
                tls_context=None if self.implicit else self.tls,
                require_starttls=not self.implicit,
                auth_required=True,
                auth_require_tls=not self.implicit,
                authenticator=self._authenticate,
                loop=asyncio.get_running_loop(),
            )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        self.logins.append(right)
        return AuthResult(success=right, handled=right)
