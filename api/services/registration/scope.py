"""Resolves the merchant and the registry of an action."""

from dataclasses import dataclass

from api.workflow_starters import RegistrationStarter
from models.errors import TemporarilyUnavailable
from models.queries.registration import registrations
from models.queries.registration.registrations import Row
from models.queries.tenants.tenants import find_named_mode
from models.queries.tenants.visibility import CallerScope, RegistryScope, get_merchant
from models.session import ReadSession, WriteSession
from models.tables.base import row_id
from models.tables.merchant import Merchant
from providers.ports.registration import Registry
from providers.registries import Registries
from workflows.registration.start import RegistrationStart


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A merchant that the caller may access, and the registry of its tenant.

    Approvals of one account do not apply to another.
    """

    caller: CallerScope
    merchant: Merchant
    registry: Registry

    @property
    def provider(self) -> str:
        """The registry's vendor, in rows."""
        return self.registry.name

    @property
    def account(self) -> str:
        """The account at the registry, in rows."""
        return self.registry.account

    @property
    def rows(self) -> RegistryScope:
        """Scope of the registrations that may be read."""
        return RegistryScope(
            tenant_id=self.caller.tenant_id,
            merchant_id=row_id(self.merchant.id),
            provider=self.provider,
            account=self.account,
        )


async def find_scope(
    db: ReadSession | WriteSession,
    registries: Registries,
    caller: CallerScope,
    merchant_id: str,
    *,
    locked: bool = False,
) -> Scope:
    """Return the merchant and registry; `locked` serializes the merchant's actions.

    Raises:
        MerchantNotFound: unknown, or not accessible to the caller.
        TemporarilyUnavailable: no registry is configured for the tenant.
    """
    merchant = await get_merchant(db, caller, merchant_id, locked=locked)
    tenant = await find_named_mode(db, caller.tenant_id)
    registry = None if tenant is None else registries.of_tenant(tenant.delivery_mode, tenant.name)
    if registry is None:
        raise TemporarilyUnavailable("No registry is configured for this tenant. Ask the operator.")
    return Scope(caller=caller, merchant=merchant, registry=registry)


def start_of(row: Row, merchant: str) -> RegistrationStart | None:
    """Return the start input of a row's workflow; None if nothing is to be requested."""
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
    """Start the workflow that a row requires, if any, after its transaction is committed."""
    start = None if row is None else start_of(row, merchant)
    if start is not None:
        await starter.start(start, fresh=fresh)
