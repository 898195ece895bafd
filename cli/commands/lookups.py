"""What operators call by name."""

from typing import Annotated

import typer
from sqlalchemy import select
from sqlmodel import col

from models.session import WriteSession
from models.tables.merchant import Merchant
from models.tables.tenant import Tenant

TenantOption = Annotated[str, typer.Option("--tenant", help="Name of the tenant.")]


async def get_tenant(db: WriteSession, name: str) -> int:
    """Return a tenant's id; raises BadParameter."""
    found = await db.scalar(select(col(Tenant.id)).where(col(Tenant.name) == name))
    if found is None:
        raise typer.BadParameter(f"There is no tenant {name}.")
    return found


async def get_merchant(db: WriteSession, tenant_id: int, external_id: str) -> int:
    """Return a merchant's id; raises BadParameter."""
    found = await db.scalar(
        select(col(Merchant.id)).where(
            col(Merchant.tenant_id) == tenant_id, col(Merchant.external_id) == external_id
        )
    )
    if found is None:
        raise typer.BadParameter(f"There is no merchant {external_id}.")
    return found
