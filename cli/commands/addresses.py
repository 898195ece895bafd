"""`hexavox address …`"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from cli.commands.lookups import TenantOption, get_tenant
from cli.commands.operator_session import in_transaction
from models.queries.senders.sender_addresses import (
    add_sender_address,
    list_sender_addresses,
    remove_sender_address,
)
from models.session import WriteSession

app = typer.Typer(help="Addresses that e-mail is sent from.", no_args_is_help=True)

_ADDRESS: Final = re.compile(r"[^@\s\"<>]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")

AddressArgument = Annotated[str, typer.Argument(help="Such as hello@example.com.")]


@app.command("list")
def list_addresses(tenant: TenantOption) -> None:
    """List a tenant's addresses; the first is used where none is asked for."""

    async def action(db: WriteSession) -> Sequence[str]:
        return await list_sender_addresses(db, await get_tenant(db, tenant))

    for address in in_transaction(action):
        typer.echo(address)


@app.command("add")
def add(tenant: TenantOption, address: AddressArgument) -> None:
    """Add an address that a tenant's e-mail may be sent from."""
    if len(address) > 320 or not _ADDRESS.fullmatch(address) or not address.isprintable():
        raise typer.BadParameter("An address has a local part, an @ and a domain.")

    async def action(db: WriteSession) -> bool:
        tenant_id = await get_tenant(db, tenant)
        return await add_sender_address(
            db, tenant_id=tenant_id, address=address, now=datetime.now(UTC)
        )

    told = "is now" if in_transaction(action) else "was already"
    typer.echo(f"{address} {told} an address of {tenant}.")


@app.command("remove")
def remove(tenant: TenantOption, address: AddressArgument) -> None:
    """Remove an address of a tenant; messages that were accepted with it are still sent."""

    async def action(db: WriteSession) -> bool:
        tenant_id = await get_tenant(db, tenant)
        return await remove_sender_address(db, tenant_id=tenant_id, address=address)

    if not in_transaction(action):
        raise typer.BadParameter(f"{tenant} has no address {address}.")
    typer.echo(f"{address} is no address of {tenant} any more.")
