"""`hexavox invoice compare`: compares a provider's invoice with the recorded prices."""

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.invoice_file import UnusableInvoice, read_invoice
from cli.commands.lookups import TenantOption, get_tenant
from cli.commands.operator_session import in_transaction
from models.queries.billing import invoices
from models.queries.billing.invoices import Difference, Scope, Sums
from models.session import WriteSession

app = typer.Typer(name="invoice", help="Providers' invoices.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Providers' invoices."""


@app.command("compare")
def compare(
    file: Annotated[
        Path,
        typer.Argument(help="CSV with a header: message id, units, cost; and day if it has one."),
    ],
    tenant: TenantOption,
    provider: Annotated[
        str | None, typer.Option(help="Whose invoice it is; without it, any provider's.")
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Its first UTC day."),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Its last UTC day.")
    ] = None,
    tolerance: Annotated[
        str, typer.Option(help="Costs that differ by no more are taken as equal, USD a message.")
    ] = "0",
) -> None:
    """Compare a provider's invoice with the recorded prices.

    Exits with 0 if they agree, 1 if they differ, 2 if the file is unusable.
    """
    allowed = _amount(tolerance)

    async def action(db: WriteSession) -> int:
        tenant_id = await get_tenant(db, tenant)
        try:
            copied = await invoices.copy_invoice(db, read_invoice(file))
        except UnusableInvoice as error:
            raise typer.BadParameter(str(error)) from error
        begin, end = _given(first) or copied.first, _given(last) or copied.last
        if begin is None or end is None or begin > end:
            raise typer.BadParameter("Say --from and --to: the file does not tell its days.")
        scope = Scope(tenant_id=tenant_id, provider=provider, first=begin, last=end)
        sums = await invoices.compare(db, scope)
        found = 0
        async for difference in invoices.differences(db, tenant_id, allowed):
            found += 1
            typer.echo(_told(difference))
        _conclude(scope, copied.lines, sums, found)
        return found

    raise typer.Exit(1 if in_transaction(action) else 0)


def _given(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _amount(given: str) -> Decimal:
    try:
        amount = Decimal(given)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter("A tolerance is an amount such as 0.0001.")
    return amount


def _told(difference: Difference) -> str:
    """Format a difference: kind, message, the invoice's id, day, our cost, the invoice's cost."""
    cells = (
        difference.kind,
        difference.message or "-",
        difference.id or "-",
        difference.day or "-",
        f"ours {_figures(difference.units, difference.cost)}",
        f"invoice {_figures(difference.invoiced_units, difference.invoiced_cost)}",
    )
    return "\t".join(map(str, cells))


def _figures(units: int | None, cost: Decimal | None) -> str:
    return "nothing" if units is None or cost is None else f"units {units}, USD {cost:.6f}"


def _conclude(scope: Scope, lines: int, sums: Sums, found: int) -> None:
    typer.echo(
        f"invoice: {lines} lines, {sums.invoiced} messages, "
        f"{_figures(sums.invoiced_units, sums.invoiced_cost)}"
    )
    typer.echo(
        f"ours:    {sums.recorded} messages of {scope.first} to {scope.last} and what is invoiced, "
        f"{_figures(sums.recorded_units, sums.recorded_cost)}"
    )
    typer.echo("Both agree." if not found else f"Differences: {found}.")
