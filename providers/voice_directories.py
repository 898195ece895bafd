"""A directory of SIP users whose account may be replaced while the process runs."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from providers.ports.sip import DirectoryAnswer, SipAccount, Unreached, VoiceDirectory

_NO_ACCOUNT: Final = Unreached(reason="no such account any more")


class CurrentDirectory:
    """Passes every call to the directory that the account has now."""

    def __init__(self, directories: Mapping[str, VoiceDirectory], account: str) -> None:
        self.name = account
        self._directories = directories

    @property
    def timeout(self) -> timedelta:
        """Timeout of one call."""
        found = self._directories.get(self.name)
        return timedelta(0) if found is None else found.timeout

    async def put(self, account: SipAccount) -> DirectoryAnswer:
        """Add an account, or change the password of an existing username."""
        found = self._directories.get(self.name)
        return _NO_ACCOUNT if found is None else await found.put(account)

    async def remove(self, username: str) -> DirectoryAnswer:
        """Remove an account if it exists."""
        found = self._directories.get(self.name)
        return _NO_ACCOUNT if found is None else await found.remove(username)
