"""Reads the providers file again while the process runs."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

from models.configuration.accounts import Configuration
from models.configuration.environment_settings import BadSettings
from models.queries.accounts.open_attempts import count_open_attempts
from models.queries.tenants.tenants import find_unknown
from models.rules.accounts.names import DEFAULT_ACCOUNT, SIMULATOR
from models.session import Database
from providers.accounts import Accounts, Change

log = logging.getLogger(__name__)

LOOK_EVERY: Final = timedelta(minutes=1)
"""How often accounts that were taken out are checked for open attempts."""

KEPT_FOR: Final = timedelta(minutes=5)
"""How long such an account is kept at least: another worker may read the file later, and still
begin an attempt with it.
"""

_MOST_LINES: Final = 20
"""Mistakes of the file that are logged."""


class AccountReload:
    """Replaces the accounts when the file is read again, and drops those that nothing needs.

    A file with mistakes changes nothing. Requests that arrive while the file is read are one.
    """

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        read: Callable[[], Configuration],
        *,
        changed: Callable[[], None] = lambda: None,
        look_every: timedelta = LOOK_EVERY,
        kept_for: timedelta = KEPT_FOR,
    ) -> None:
        """`read` reads file and secrets; `changed` is called after the accounts were replaced."""
        self._database = database
        self._accounts = accounts
        self._read = read
        self._changed = changed
        self._look_every = look_every
        self._kept_for = kept_for
        self._removed_since: dict[str, float] = {}
        """When accounts were found to be removed, in seconds of the monotonic clock."""
        self._requested = asyncio.Event()
        self._compared = False

    def request(self) -> None:
        """Have the file read again soon."""
        self._requested.set()

    @contextmanager
    def on_hangup(self) -> Iterator[None]:
        """Read the file again at each SIGHUP while the block runs."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.request)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def run(self) -> None:
        """Serve requests until cancelled."""
        while True:
            try:
                await self._compare_with_rows()
            except Exception as error:  # the database is out of reach: requests are served anyway
                log.warning(
                    "accounts could not be compared with the database",
                    extra={"error": type(error).__name__},
                )
            await self._wait()
            if self._requested.is_set():
                self._requested.clear()
                await self._replace()

    async def _wait(self) -> None:
        """Wait for a request; not for ever while there is something to look after."""
        idle = self._compared and not self._accounts.removed
        longest = None if idle else self._look_every.total_seconds()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._requested.wait(), longest)

    async def _replace(self) -> None:
        try:
            configuration = await asyncio.to_thread(self._read)
            change = await self._accounts.replace(configuration)
        except BadSettings as error:
            log.error(
                "the providers file has mistakes; the accounts are unchanged",
                extra={"mistakes": str(error).splitlines()[:_MOST_LINES]},
            )
            return
        except Exception as error:  # the next request must still be served
            log.error("the providers file could not be used", exc_info=error)
            return
        self._compared = False
        _log_change(change)
        self._changed()

    async def _compare_with_rows(self) -> None:
        """Drop accounts without open attempts, and warn of those that only rows know."""
        if self._compared and not self._accounts.removed:
            return
        async with self._database.read() as db:
            counts = await count_open_attempts(db)
            tenants = await find_unknown(db, self._accounts.configuration.tenants)
        done = self._long_removed() - counts.keys()
        if done:
            await self._accounts.forget(done)
            log.info("accounts are forgotten", extra={"accounts": sorted(done)})
            self._changed()
        if not self._compared:
            self._warn(sorted(counts.keys() - self._accounts.current.keys()), tenants)
        self._compared = True

    def _long_removed(self) -> frozenset[str]:
        """Return the accounts that were removed long enough ago."""
        removed, now = self._accounts.removed, time.monotonic()
        self._removed_since = {name: self._removed_since.get(name, now) for name in removed}
        least = self._kept_for.total_seconds()
        return frozenset(
            name for name, since in self._removed_since.items() if now - since >= least
        )

    def _warn(self, unknown: list[str], tenants: object) -> None:
        missing = [name for name in unknown if name not in {SIMULATOR, DEFAULT_ACCOUNT}]
        if missing:
            log.warning(
                "messages are open at accounts that the providers file does not have, and are "
                "not looked up. Put each back with retired = true",
                extra={"accounts": missing},
            )
        if tenants:
            log.warning("the providers file names unknown tenants", extra={"tenants": tenants})


def _log_change(change: Change) -> None:
    log.info(
        "the providers file was read",
        extra={
            "added": sorted(change.added),
            "changed": sorted(change.changed),
            "retired": sorted(change.retired),
        },
    )
