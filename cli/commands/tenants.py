"""`hexavox tenant …`"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from cli.commands.lookups import get_tenant
from cli.commands.operator_session import in_transaction
from models.enums import DeliveryMode
from models.rules.billing.price_file import EVERY_TENANT
from models.session import WriteSession
from models.tables.tenant import SenderAddress, SenderNumber, Tenant

app = typer.Typer(help="Integrators.", no_args_is_help=True)

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_POOL = 15_005_550_000
"""Numbers of shared pools in the simulator begin here: +1 500 is reserved for personal use."""


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Lower case letters, digits and dashes.")],
    mode: Annotated[
        DeliveryMode, typer.Option(help="Where its messages go.", case_sensitive=False)
    ] = DeliveryMode.SIMULATOR,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Create a tenant with a sender number in its pool; one that exists is left as it is."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter("A name has lower case letters, digits and dashes, 64 at most.")
    if name == EVERY_TENANT:
        raise typer.BadParameter(f"{name} stands for every tenant in price lists.")

    async def action(db: WriteSession) -> int:
        return await create_tenant(db, name, mode)

    tenant_id = in_transaction(action)
    if as_json:
        typer.echo(json.dumps({"tenantId": str(tenant_id), "name": name}))
    else:
        Console().print(f"Tenant [bold]{name}[/] has id {tenant_id}.")


@app.command("set")
def change(
    name: Annotated[str, typer.Argument(help="Name of the tenant.")],
    custom_prices: Annotated[
        bool | None,
        typer.Option(
            "--custom-prices/--no-custom-prices",
            help="Whether its own keys may order credits at any price; its merchants' never may.",
        ),
    ] = None,
) -> None:
    """Change what holds for a tenant; what is not named stays as it is."""
    if custom_prices is None:
        raise typer.BadParameter("Say what is to be changed: --custom-prices, for example.")

    async def action(db: WriteSession) -> None:
        tenant = await db.get_one(Tenant, await get_tenant(db, name), with_for_update=True)
        tenant.custom_prices = custom_prices
        await db.flush()

    in_transaction(action)
    told = "may order credits at any price" if custom_prices else "is held to the price list"
    Console().print(f"Tenant [bold]{name}[/] {told}.")


@app.command("list")
def list_tenants() -> None:
    """List all tenants."""

    async def action(db: WriteSession) -> list[Tenant]:
        return list((await db.scalars(select(Tenant).order_by(col(Tenant.id)))).all())

    for tenant in in_transaction(action):
        prices = "\tcustom prices" if tenant.custom_prices else ""
        typer.echo(f"{tenant.id}\t{tenant.name}\t{tenant.delivery_mode}{prices}")


async def create_tenant(db: WriteSession, name: str, mode: DeliveryMode) -> int:
    """Create a tenant and its pool, and return its id; twice is once."""
    now = datetime.now(UTC)
    created: int | None = await db.scalar(
        insert(Tenant)
        .values(name=name, delivery_mode=mode, created_at=now)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(col(Tenant.id))
    )
    if created is None:
        return (await db.scalars(select(Tenant).where(col(Tenant.name) == name))).one().id or 0
    await db.execute(
        insert(SenderNumber).values(
            number=f"+{_POOL + created}", tenant_id=created, merchant_id=None, created_at=now
        )
    )
    await db.execute(
        insert(SenderAddress).values(
            tenant_id=created, address=f"no-reply@{name}.example.com", created_at=now
        )
    )
    return created
