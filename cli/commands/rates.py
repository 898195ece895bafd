"""`hexavox rates …`"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError

from cli.commands.lookups import get_tenant
from cli.commands.operator_session import in_transaction
from cli.commands.text_file import read_text
from cli.samples.place import RATES
from models.queries.billing import rate_cards
from models.queries.billing.repricing import price_what_is_missing
from models.queries.billing.versions import Imported
from models.rules.billing.csv_file import BadLine
from models.rules.billing.pricing import DEFAULTS
from models.rules.billing.rate_file import read_rates
from models.session import WriteSession

app = typer.Typer(help="What messages cost, and what is added.", no_args_is_help=True)

WhoseOption = Annotated[
    str | None, typer.Option("--tenant", help="Name of the tenant; without it, the defaults.")
]


class _Refused(Exception):
    """Rolls the transaction back."""

    def __init__(self, lines: list[BadLine]) -> None:
        self.lines = lines


@app.command("import")
def import_rates(
    file: Annotated[Path, typer.Argument(help="A CSV file; docs/rates.md has its columns.")],
    tenant: WhoseOption = None,
    if_none: Annotated[
        bool, typer.Option("--if-none", help="Do nothing if there is a card already.")
    ] = False,
) -> None:
    """Add versions to a rate card: all lines of a file, or none.

    Columns: channel, provider, country (ISO 3166; empty: any), unitCost, carrierFee,
    markupBasisPoints, markupFlat (USD per unit), validFrom (ISO 8601 with time zone). A validFrom
    that is empty or in the past means now. A line that equals the version in force adds nothing.
    Messages that lacked a rate and now have one are priced at once.
    """
    text = read_text(file)

    async def action(db: WriteSession) -> tuple[int, Imported]:
        tenant_id = await _whose(db, tenant)
        now = await rate_cards.lock_rates(db)
        if if_none and await rate_cards.list_rates(db, tenant_id=tenant_id, now=now):
            return tenant_id, Imported(added=0, unchanged=0, refused=())
        lines, bad = read_rates(text, now)
        if bad:
            raise _Refused(bad)
        imported = await rate_cards.add_rates(db, tenant_id=tenant_id, lines=lines, now=now)
        if imported.refused:
            raise _Refused(list(imported.refused))
        return tenant_id, imported

    try:
        tenant_id, imported = in_transaction(action)
    except _Refused as refused:
        for line in sorted(refused.lines, key=lambda line: line.number):
            typer.echo(f"{file}: line {line.number} {line.reason}", err=True)
        typer.echo("Nothing was imported.", err=True)
        raise typer.Exit(1) from refused
    typer.echo(f"{imported.added} versions added, {imported.unchanged} in force already.")
    typer.echo(f"{_price(tenant_id)} messages that had no price were priced.")


@app.command("list")
def list_rates(tenant: WhoseOption = None) -> None:
    """List every version of a tenant's rate card, or of the defaults."""

    async def action(db: WriteSession) -> list[str]:
        rows = await rate_cards.list_rates(
            db, tenant_id=await _whose(db, tenant), now=datetime.now(UTC)
        )
        return [
            f"{row.channel}\t{row.provider}\t{row.country or 'any'}\t{row.unit_cost}\t"
            f"{row.carrier_fee}\t{row.markup_basis_points}\t{row.markup_flat}\t"
            f"{row.valid_from.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}\t{row.stands}"
            for row in rows
        ]

    for line in in_transaction(action):
        typer.echo(line)


@app.command("sample")
def sample() -> None:
    """Print a sample file to edit and import."""
    typer.echo(RATES.read_text(encoding="utf-8"), nl=False)


async def _whose(db: WriteSession, tenant: str | None) -> int:
    return DEFAULTS if tenant is None else await get_tenant(db, tenant)


def _price(tenant_id: int) -> int:
    """Price the messages that the new versions cover, in batches; return their number.

    If this is interrupted, the hourly closing continues it.
    """
    tenants = [tenant_id] if tenant_id != DEFAULTS else in_transaction(rate_cards.tenants_with_gaps)
    return sum(_price_all(tenant) for tenant in tenants)


def _price_all(tenant_id: int) -> int:
    async def action(db: WriteSession) -> int:
        return await price_what_is_missing(db, tenant_id=tenant_id, now=datetime.now(UTC))

    priced = 0
    try:
        while more := in_transaction(action):
            priced += more
    except OperationalError:
        typer.echo("Some are in use just now; the hourly closing prices the rest.", err=True)
    return priced
