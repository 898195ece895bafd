"""A bounded pool of sessions with one relay."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from providers.ports.messages import NotProcessed
from providers.smtp.account import SmtpAccount
from providers.smtp.session import Session, Stopped, open_session, trusted_context

_MOST_MAILS: Final = 100
"""E-mails of one session. Many relays end it after about as many."""


class Pool:
    """Sessions that are open or being opened, `most` at a time.

    An idle session is checked by NOOP before it is used again. If one is dead, the relay was
    probably restarted: all idle ones are dropped, and one is opened anew.
    """

    def __init__(self, account: SmtpAccount, *, most: int, idle: timedelta) -> None:
        self._account = account
        self._free = asyncio.Semaphore(most)
        self._idle_seconds = idle.total_seconds()
        self._idle: list[tuple[Session, asyncio.TimerHandle]] = []
        self._context: ssl.SSLContext | None = None
        self._closed = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Lease"]:
        """Lend a session. It is kept afterwards only if the borrower says so, else closed.

        Raises Stopped.
        """
        async with self._free:
            lease = Lease(await self._checked() or await self._opened())
            try:
                yield lease
            finally:
                if lease.reusable and lease.session.connected:
                    self._put_back(lease.session)
                else:
                    lease.session.abort()

    def close(self) -> None:
        """Close the idle sessions, and later those in use."""
        self._closed = True
        while self._idle:
            self._take().leave()

    async def _checked(self) -> Session | None:
        """Return an idle session that answers; None if there is none."""
        if not self._idle:
            return None
        session = self._take()
        answered = False
        try:
            answered = session.connected and await session.answers("NOOP")
        finally:
            if not answered:
                session.abort()
        if answered:
            return session
        while self._idle:
            self._take().abort()
        return None

    async def _opened(self) -> Session:
        if self._context is None:
            try:
                self._context = await asyncio.to_thread(trusted_context, self._account)
            except OSError as error:
                reason = f"CA file: {type(error).__name__}"
                raise Stopped(NotProcessed(reason=reason, account_fault=True)) from None
        return await open_session(self._account, self._context)

    def _put_back(self, session: Session) -> None:
        session.mails += 1
        if self._closed or session.mails >= _MOST_MAILS:
            session.leave()
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._idle_seconds, self._expire, session)
        self._idle.append((session, timer))

    def _take(self) -> Session:
        """Take the session that was used last, so that the others become idle and end."""
        session, timer = self._idle.pop()
        timer.cancel()
        return session

    def _expire(self, session: Session) -> None:
        self._idle = [kept for kept in self._idle if kept[0] is not session]
        session.leave()


class Lease:
    """A session that is lent for one e-mail."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.reusable = False
        """Whether the relay is known to await the next MAIL."""
        self.begun = False
        """Whether it awaits it after RSET: an envelope was begun, and refused."""
