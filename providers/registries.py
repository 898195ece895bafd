"""Selects the registry of a tenant's brands, campaigns and numbers."""

from collections.abc import Collection, Mapping

from models.enums import DeliveryMode
from providers.ports.registration import Registry


class Registries:
    """The registries of this installation, by account; a tenant registers with one."""

    def __init__(
        self,
        registries: Collection[Registry],
        by_mode: Mapping[DeliveryMode, str],
        *,
        live_by_tenant: Mapping[str, str] | None = None,
    ) -> None:
        """Take the account of each delivery mode, and of LIVE tenants that have one of their own.

        Tenants are named.
        """
        self._registries = {registry.account: registry for registry in registries}
        self._by_mode = by_mode
        self._live_by_tenant = live_by_tenant or {}

    def replace(self, other: "Registries") -> None:
        """Take over the accounts of another."""
        self._registries = other._registries
        self._by_mode = other._by_mode
        self._live_by_tenant = other._live_by_tenant

    def find(self, account: str) -> Registry | None:
        """Return the adapter of an account; None if this process has none."""
        return self._registries.get(account)

    def of_tenant(self, mode: DeliveryMode, tenant: str) -> Registry | None:
        """Return the registry of a tenant by its name and mode; None if there is none."""
        named = self._live_by_tenant.get(tenant) if mode is DeliveryMode.LIVE else None
        return self._registries.get(named or self._by_mode.get(mode, ""))
