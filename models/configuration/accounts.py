"""The accounts of the providers file together with their secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from models.configuration.environment_settings import BadSettings
from models.configuration.file_entries import FileMistake
from models.configuration.providers_file import VARIABLE, Account, Route, read_providers_file


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredAccount:
    """An account and its secrets; equal to another if nothing differs, secrets included."""

    entry: Account
    secrets: Mapping[str, SecretStr] = field(repr=False)
    """By key of the entry."""

    def secret(self, key: str) -> str:
        """Return a secret that the account has."""
        return self.secrets[key].get_secret_value()

    def find_secret(self, key: str) -> str | None:
        """Return a secret; None if the account has none under this key."""
        return self.secret(key) if key in self.secrets else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All that the providers file says."""

    accounts: tuple[ConfiguredAccount, ...] = ()
    routes: tuple[Route, ...] = ()
    tenants: frozenset[str] = frozenset()
    """Names of all tenants in it."""


def read_configuration(path: Path | None, environ: Mapping[str, str]) -> Configuration:
    """Read the providers file and every secret that it names; without a file there is no account.

    Raises:
        BadSettings: the file has mistakes, or secrets are missing; no value is in the message.
    """
    if path is None:
        return Configuration()
    file = read_providers_file(path)
    missing: list[str] = []
    accounts = tuple(_configured(entry, environ, missing) for entry in file.accounts)
    if missing:
        raise BadSettings("\n".join(missing))
    return Configuration(accounts=accounts, routes=file.routes, tenants=file.tenants)


def configure(entry: Account, environ: Mapping[str, str]) -> ConfiguredAccount:
    """Read the secrets of one account; raises BadSettings if any is missing."""
    missing: list[str] = []
    configured = _configured(entry, environ, missing)
    if missing:
        raise BadSettings("\n".join(missing))
    return configured


def _configured(
    entry: Account, environ: Mapping[str, str], missing: list[str]
) -> ConfiguredAccount:
    return ConfiguredAccount(entry=entry, secrets=dict(_secrets(entry, environ, missing)))


def _secrets(
    entry: Account, environ: Mapping[str, str], missing: list[str]
) -> Iterator[tuple[str, SecretStr]]:
    for key, source in entry.secrets:
        try:
            yield key, source.read(environ)
        except FileMistake as mistake:
            missing.append(f"{VARIABLE}: account {entry.name} {key}: {mistake}")
