"""Looks up tenants and merchants that operators name."""

from typing import Annotated

import typer

from models.queries.tenants.merchants import find_merchant_id
from models.queries.tenants.tenants import find_tenant_id
from models.session import WriteSession

TenantOption = Annotated[str, typer.Option("--tenant", help="Name of the tenant.")]


async def get_tenant(db: WriteSession, name: str) -> int:
    """Return a tenant's id; raises BadParameter."""
    found = await find_tenant_id(db, name)
    if found is None:
        raise typer.BadParameter(f"There is no tenant {name}.")
    return found


async def get_merchant(db: WriteSession, tenant_id: int, external_id: str) -> int:
    """Return a merchant's id; raises BadParameter."""
    found = await find_merchant_id(db, tenant_id, external_id)
    if found is None:
        raise typer.BadParameter(f"There is no merchant {external_id}.")
    return found
