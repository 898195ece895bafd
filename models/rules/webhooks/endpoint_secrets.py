"""The secrets of an endpoint that are valid at a time. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.rules.webhooks.secrets import derive_secret

ROTATION_OVERLAP: Final = timedelta(hours=24)
"""How long the previous secret signs as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSecrets:
    """What the secrets of an endpoint are derived from, but the server's key.

    The ids are public ids: that of an endpoint is unique within its tenant only.
    """

    tenant: int
    endpoint: int
    version: int
    previous_until: datetime | None
    """Until then the previous version is valid as well."""

    def current(self, key: bytes) -> str:
        """Return the newest secret."""
        return self._of(key, self.version)

    def valid(self, key: bytes, now: datetime) -> list[str]:
        """Return the secrets to sign with, the newest first."""
        overlaps = self.previous_until is not None and now < self.previous_until
        versions = [self.version, self.version - 1] if overlaps else [self.version]
        return [self._of(key, version) for version in versions]

    def _of(self, key: bytes, version: int) -> str:
        return derive_secret(key, f"{self.tenant}/{self.endpoint}", version)
