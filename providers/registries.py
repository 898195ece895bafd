"""Selects the registry of a tenant's brands, campaigns and numbers."""

from collections.abc import Collection, Mapping

from models.enums import DeliveryMode
from providers.ports.registration import Registry


class Registries:
    """The registries of this installation, one per delivery mode at most."""

    def __init__(
        self, registries: Collection[Registry], by_mode: Mapping[DeliveryMode, str]
    ) -> None:
        self._registries = {registry.name: registry for registry in registries}
        self._by_mode = by_mode

    def find(self, name: str) -> Registry | None:
        """Return the adapter with a name; None if this process has none."""
        return self._registries.get(name)

    def of_mode(self, mode: DeliveryMode) -> Registry | None:
        """Return the registry of tenants in this mode; None if there is none."""
        return self._registries.get(self._by_mode.get(mode, ""))


def by_mode(simulated: Registry, live: Registry | None) -> Registries:
    """Return the registries by delivery mode: the simulator's, and the live one if configured."""
    if live is None:
        return Registries([simulated], {DeliveryMode.SIMULATOR: simulated.name})
    return Registries(
        [simulated, live],
        {DeliveryMode.SIMULATOR: simulated.name, DeliveryMode.LIVE: live.name},
    )
