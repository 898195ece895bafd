"""Twilio's SIP credential lists as a voice directory of a SIP domain.

All accounts are in one list, which is mapped to the domain twice, for calls and for registrations.
Twilio accepts usernames of up to 32 characters, and passwords of 12 or more with a digit and both
cases.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

import httpx

from providers.ports.sip import Declined, DirectoryAnswer, SipAccount, Stored, Unreached
from providers.twilio.client import AmbiguousError, NotProcessedError, RequestRejected, Twilio, text

NAME: Final = "twilio"

_LISTS: Final = "SIP/CredentialLists"
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIST_NAME: Final = "hexavox"
_USES: Final = ("Calls", "Registrations")


class TwilioSip:
    """Manages SIP accounts at Twilio. Idempotent: every step checks the current state first."""

    name: Final = NAME

    def __init__(self, twilio: Twilio, domain: str, *, timeout: timedelta) -> None:
        """Use the SIP domain with this id (SD…)."""
        self.timeout = timeout
        self._twilio = twilio
        self._domain = domain
        self._list: str | None = None

    async def put(self, account: SipAccount) -> DirectoryAnswer:
        """Add an account, or change the password of an existing username."""
        try:
            await self._in_list(partial(self._store, account))
        except RequestRejected as refusal:
            return Declined(provider_code=refusal.code)
        except NotProcessedError as stopped:
            return Unreached(reason=stopped.reason, retry_after=stopped.retry_after)
        except AmbiguousError as stopped:
            return Unreached(reason=stopped.reason)
        return Stored()

    async def remove(self, username: str) -> DirectoryAnswer:
        """Remove an account if it exists."""
        try:
            await self._in_list(partial(self._drop, username))
        except RequestRejected as refusal:
            return Declined(provider_code=refusal.code)
        except NotProcessedError as stopped:
            return Unreached(reason=stopped.reason, retry_after=stopped.retry_after)
        except AmbiguousError as stopped:
            return Unreached(reason=stopped.reason)
        return Stored()

    async def _in_list(self, act: Callable[[str], Awaitable[None]]) -> None:
        """Run an action on our list; if the cached list is gone, run it once more on a new one."""
        kept = await self._ready_list()
        try:
            await act(kept)
        except RequestRejected as refusal:
            if refusal.status != httpx.codes.NOT_FOUND:
                raise
            self._list = None
            await act(await self._ready_list())

    async def _drop(self, username: str, kept: str) -> None:
        known = await self._find(kept, username)
        if known is not None:
            await self._twilio.remove(known, not_after=self._deadline())

    async def _store(self, account: SipAccount, kept: str) -> None:
        """Add the account; if Twilio refuses because it exists, change its password."""
        form = {"Username": account.username, "Password": account.password}
        url = self._twilio.api(f"{_LISTS}/{kept}/Credentials")
        try:
            await self._twilio.create(url, form, not_after=self._deadline())
        except RequestRejected:
            known = await self._find(kept, account.username)
            if known is None:
                raise
            password = {"Password": account.password}
            await self._twilio.create(known, password, not_after=self._deadline())

    async def _find(self, kept: str, username: str) -> str | None:
        """Return the URL of a username's credential; None if there is none."""
        url = self._twilio.api(f"{_LISTS}/{kept}/Credentials")
        async for credential in self._twilio.list_items(url, "credentials"):
            if credential.get("username") == username:
                sid = text(credential, "sid")
                return self._twilio.api(f"{_LISTS}/{kept}/Credentials/{sid}")
        return None

    async def _ready_list(self) -> str:
        """Return our credential list, created and mapped to the domain on first use."""
        if self._list is None:
            kept = await self._oldest_list()
            if kept is None:
                url = self._twilio.api(_LISTS)
                form = {"FriendlyName": self._twilio.named(_LIST_NAME)}
                await self._twilio.create(url, form, not_after=self._deadline())
                # Two workers may have created one each: all use the oldest.
                kept = await self._oldest_list()
            if kept is None:
                raise AmbiguousError("no credential list")
            for use in _USES:
                await self._map(kept, use)
            self._list = kept
        return self._list

    async def _oldest_list(self) -> str | None:
        url, named = self._twilio.api(_LISTS), self._twilio.named(_LIST_NAME)
        ours = [
            found
            async for found in self._twilio.list_items(url, "credential_lists")
            if found.get("friendly_name") == named
        ]
        return text(min(ours, key=_age), "sid") if ours else None

    async def _map(self, kept: str, use: str) -> None:
        """Map the list to the domain unless it is mapped."""
        url = self._twilio.api(f"SIP/Domains/{self._domain}/Auth/{use}/CredentialListMappings")
        async for mapping in self._twilio.list_items(url, "contents"):
            if mapping.get("sid") == kept:
                return
        await self._twilio.create(url, {"CredentialListSid": kept}, not_after=self._deadline())

    def _deadline(self) -> datetime:
        return datetime.now(UTC) + self.timeout


def _age(found: Mapping[str, Any]) -> tuple[datetime, str]:
    try:
        made = parsedate_to_datetime(str(found.get("date_created")))
    except ValueError:
        made = _LONG_AGO
    return made if made.tzinfo else made.replace(tzinfo=UTC), text(found, "sid")
