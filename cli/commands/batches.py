"""`hexavox batch …`"""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from cli.commands.lookups import TenantOption, get_tenant
from cli.commands.operator_session import in_transaction
from models.enums import MessageStatus
from models.queries.messages.batches import read
from models.queries.messages.batches.read import Progress
from models.queries.tenants.visibility import CallerScope
from models.session import WriteSession

app = typer.Typer(help="Batches of sends, and their progress.", no_args_is_help=True)

_LONGEST_ID: Final = 16

BatchArgument = Annotated[str, typer.Argument(help="The batchId: 2967034108253184.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100, help="At most so many.")]


@app.command("list")
def list_batches(tenant: TenantOption, limit: LimitOption = 20) -> None:
    """List a tenant's batches, newest first: total, accepted, refused and undecided lines."""

    async def action(db: WriteSession) -> Sequence[tuple[Progress, str]]:
        scope = CallerScope(tenant_id=await get_tenant(db, tenant), merchant_id=None)
        found = await read.list_batches(db, scope, most=limit)
        return [(await read.read_progress(db, batch), merchant) for batch, merchant in found]

    for progress, merchant in in_transaction(action):
        lines = (progress.total, progress.accepted, progress.refused, _undecided(progress))
        typer.echo("\t".join((*_summary(progress, merchant), *map(str, lines))))


@app.command("show")
def show(tenant: TenantOption, batch: BatchArgument) -> None:
    """Show the progress of one batch: its lines by outcome, its messages by status."""

    async def action(db: WriteSession) -> tuple[Progress, str] | None:
        scope = CallerScope(tenant_id=await get_tenant(db, tenant), merchant_id=None)
        is_id = batch.isascii() and batch.isdecimal() and len(batch) <= _LONGEST_ID
        found = await read.find_batch(db, scope, int(batch)) if is_id else None
        return None if found is None else (await read.read_progress(db, found[0]), found[1])

    shown = in_transaction(action)
    if shown is None:
        raise typer.BadParameter(f"{tenant} has no batch {batch}.")
    progress, merchant = shown
    typer.echo("\t".join(_summary(progress, merchant)))
    typer.echo(f"lines\t{progress.total}")
    typer.echo(f"undecided\t{_undecided(progress)}")
    typer.echo(f"refused\t{progress.refused}")
    typer.echo(f"accepted\t{progress.accepted}")
    for status in MessageStatus:
        if number := progress.counts.get(status):
            typer.echo(f"{status}\t{number}")
    typer.echo(f"open messages\t{progress.open_messages}")


def _summary(progress: Progress, merchant: str) -> tuple[str, ...]:
    at = progress.created_at.isoformat(timespec="seconds")
    return str(progress.public_id), progress.status, merchant, progress.channel, at


def _undecided(progress: Progress) -> int:
    return progress.total - progress.accepted - progress.refused
