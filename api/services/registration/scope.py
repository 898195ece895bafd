"""Whose messaging is meant and at which registry it is: what all its actions begin with."""

from dataclasses import dataclass

from api.http.auth import Caller
from api.workflow_starters import RegistrationStarter
from models.errors import TemporarilyUnavailable
from models.queries.registration import registrations
from models.queries.registration.registrations import Row
from models.queries.tenants.tenants import find_delivery_mode
from models.queries.tenants.visibility import RegistryScope, get_merchant
from models.session import ReadSession, WriteSession
from models.tables.base import row_id
from models.tables.merchant import Merchant
from providers.ports.registration import Registry
from providers.registries import Registries
from workflows.registration.start import RegistrationStart


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A merchant the caller may see, and the registry of its tenant's delivery mode.

    What is approved at one registry is unknown to another: a tenant that goes live registers anew.
    """

    caller: Caller
    merchant: Merchant
    registry: Registry

    @property
    def provider(self) -> str:
        """The word for the registry in rows."""
        return self.registry.name

    @property
    def rows(self) -> RegistryScope:
        """Whose registrations may be read."""
        return RegistryScope(
            tenant_id=self.caller.tenant_id,
            merchant_id=row_id(self.merchant.id),
            provider=self.provider,
        )


async def find_scope(
    db: ReadSession | WriteSession,
    registries: Registries,
    caller: Caller,
    merchant_id: str,
    *,
    locked: bool = False,
) -> Scope:
    """Return where an action takes place. Locked, the merchant's actions take turns.

    Raises:
        MerchantNotFound: not there, or not the caller's.
        TemporarilyUnavailable: this installation has no registry for the tenant's mode.
    """
    merchant = await get_merchant(db, caller, merchant_id, locked=locked)
    mode = await find_delivery_mode(db, caller.tenant_id)
    registry = None if mode is None else registries.of_mode(mode)
    if registry is None:
        raise TemporarilyUnavailable(
            "No registry is configured for this tenant's delivery mode. Ask the operator."
        )
    return Scope(caller=caller, merchant=merchant, registry=registry)


def start_of(row: Row, merchant: str) -> RegistrationStart | None:
    """Return how a row's workflow is started; None while it asks nothing of the registry."""
    registry_operation = registrations.registry_operation_of(row)
    if registry_operation is None:
        return None
    return RegistrationStart(
        tenant_id=row.tenant_id,
        kind=registrations.kind_of(row),
        row_id=row_id(row.id),
        public_id=row.public_id,
        registry_operation=registry_operation,
        merchant=merchant,
    )


async def start_registration_of(
    starter: RegistrationStarter, row: Row | None, merchant: str, *, fresh: bool
) -> None:
    """Start what a row asks for, if anything, once its transaction is committed."""
    start = None if row is None else start_of(row, merchant)
    if start is not None:
        await starter.start(start, fresh=fresh)
