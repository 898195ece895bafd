"""`hexavox payment …`"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.commands.lookups import TenantOption, get_tenant
from cli.commands.operator_session import in_transaction
from models.queries.billing.upgrades import payments
from models.queries.billing.upgrades.open_matters import OpenMatter, find_shown, list_open_matters
from models.queries.billing.upgrades.payment_rows import PaymentRow
from models.session import WriteSession

app = typer.Typer(help="Refunds that are owed, and disputed payments.", no_args_is_help=True)

PaymentArgument = Annotated[str, typer.Argument(help="The paymentId: pay_2385672620646126.")]


@app.command("list")
def list_payments(tenant: TenantOption) -> None:
    """List a tenant's payments that need an operator."""

    async def action(db: WriteSession) -> Sequence[OpenMatter]:
        return await list_open_matters(db, await get_tenant(db, tenant))

    for found in in_transaction(action):
        shown = (f"pay_{found.public_id}", found.status, found.failure or "-", found.gateway or "-")
        charge = found.charge_id or "-"
        typer.echo("\t".join((*shown, charge, found.type, found.message)))


@app.command("refund")
def refund(tenant: TenantOption, payment: PaymentArgument) -> None:
    """Retry a stuck refund, through the payment's workflow."""

    async def action(db: WriteSession) -> bool:
        found = await _find(db, tenant, payment)
        return await payments.retry_refund(db, found, datetime.now(UTC))

    if not in_transaction(action):
        raise typer.BadParameter(f"No refund of {payment} is stuck.")
    typer.echo(f"The refund of {payment} is tried again within a minute.")


@app.command("close")
def close(tenant: TenantOption, payment: PaymentArgument) -> None:
    """Close the case of a payment: its alerts are resolved.

    If a refund was stuck, this confirms that the money was returned in another way.
    """

    async def action(db: WriteSession) -> bool:
        found = await _find(db, tenant, payment)
        return await payments.close_matter(db, found, datetime.now(UTC))

    refunded = in_transaction(action)
    typer.echo(f"{payment} is closed{', as REFUNDED' if refunded else ''}.")


async def _find(db: WriteSession, tenant: str, shown: str) -> PaymentRow:
    number = shown.removeprefix("pay_")
    if number.isascii() and number.isdecimal() and len(number) <= 16:
        found = await find_shown(db, await get_tenant(db, tenant), int(number))
        if found is not None:
            return found
    raise typer.BadParameter(f"{tenant} has no payment {shown}.")
