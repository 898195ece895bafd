"""`hexavox prices …`"""

from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.lookups import get_tenant
from cli.commands.operator_session import in_transaction
from cli.commands.text_file import read_text
from cli.samples.place import PRICES
from models.queries.billing import prices
from models.queries.billing.versions import Imported
from models.rules.billing.csv_file import BadLine
from models.rules.billing.currencies import written
from models.rules.billing.price_file import EVERY_TENANT, WITHDRAWN, read_prices
from models.session import WriteSession

app = typer.Typer(help="What credits cost.", no_args_is_help=True)


class _Refused(Exception):
    """Rolls the transaction back."""

    def __init__(self, lines: list[BadLine]) -> None:
        self.lines = lines


@app.command("import")
def import_prices(
    file: Annotated[Path, typer.Argument(help="A CSV file; docs/prices.md has its columns.")],
    if_none: Annotated[
        bool, typer.Option("--if-none", help="Do nothing if there is a price list already.")
    ] = False,
) -> None:
    """Add versions to the price list: all lines of a file, or none.

    Columns: channel, units, amount (as the currency is written: 49.00 USD, 4900 JPY; none: no
    longer sold), currency (ISO 4217), validFrom (ISO 8601 with time zone), tenant (its name, or
    all). A validFrom that is empty or in the past means now, an empty tenant means all. A line that
    equals the version in force adds nothing.
    """
    text = read_text(file)

    async def action(db: WriteSession) -> Imported:
        now = await prices.lock_prices(db)
        if if_none and await prices.list_prices(db):
            return Imported(added=0, unchanged=0, refused=())
        lines, bad = read_prices(text, now)
        if bad:
            raise _Refused(bad)
        imported = await prices.add_prices(db, lines=lines, now=now)
        if imported.refused:
            raise _Refused(list(imported.refused))
        return imported

    try:
        imported = in_transaction(action)
    except _Refused as refused:
        for line in sorted(refused.lines, key=lambda line: line.number):
            typer.echo(f"{file}: line {line.number} {line.reason}", err=True)
        typer.echo("Nothing was imported.", err=True)
        raise typer.Exit(1) from refused
    typer.echo(f"{imported.added} versions added, {imported.unchanged} in force already.")


@app.command("list")
def list_prices(
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Only the lines of this tenant alone.")
    ] = None,
) -> None:
    """List every version of the price list."""

    async def action(db: WriteSession) -> list[str]:
        tenant_id = None if tenant is None else await get_tenant(db, tenant)
        return [
            f"{row.tenant or EVERY_TENANT}\t{row.channel}\t{row.units}\t"
            f"{_amount(row.amount_cents, row.currency)}\t{row.currency}\t"
            f"{row.valid_from.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}\t{row.stands}"
            for row in await prices.list_prices(db, tenant_id=tenant_id)
        ]

    for line in in_transaction(action):
        typer.echo(line)


@app.command("sample")
def sample() -> None:
    """Print a sample file to edit and import."""
    typer.echo(PRICES.read_text(encoding="utf-8"), nl=False)


def _amount(cents: int | None, currency: str) -> str:
    return WITHDRAWN if cents is None else written(cents, currency)
