"""`hexavox number …`"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from cli.commands.lookups import TenantOption, get_merchant, get_tenant
from cli.commands.operator_session import in_transaction
from models.enums import Channel
from models.errors import InvalidPhoneNumber
from models.queries.senders import number_limits, sender_numbers
from models.rules.consent.contacts import e164
from models.session import WriteSession
from models.tables.tenant import SenderNumber

app = typer.Typer(help="Numbers to send from, and how fast.", no_args_is_help=True)

_HIGHEST = Decimal(100_000)
_FINEST = Decimal("0.001")
_NONE = "none"


def _rate(given: str) -> Decimal | None:
    if given.strip().lower() == _NONE:
        return None
    try:
        rate = Decimal(given).quantize(_FINEST)
    except InvalidOperation as error:
        raise typer.BadParameter("A limit is a number, or none.") from error
    if not rate.is_finite() or not 0 < rate <= _HIGHEST:
        raise typer.BadParameter(f"A limit lies between {_FINEST} and {_HIGHEST} a second.")
    return rate


def _number(given: str) -> str:
    try:
        return e164(given)
    except InvalidPhoneNumber as error:
        raise typer.BadParameter(error.detail) from error


NumberArgument = Annotated[str, typer.Argument(help="In E.164: +12015550123.")]
SegmentsOption = Annotated[
    str | None,
    typer.Option("--segments-per-second", help="Of SMS, all workers together; or none."),
]
CallsOption = Annotated[
    str | None,
    typer.Option("--calls-per-second", help="All workers together; or none."),
]


@app.command("list")
def list_numbers(tenant: TenantOption) -> None:
    """List a tenant's numbers with their limits."""

    async def action(db: WriteSession) -> Sequence[tuple[SenderNumber, str | None]]:
        return await sender_numbers.list_sender_numbers(db, await get_tenant(db, tenant))

    for number, merchant in in_transaction(action):
        paces = f"{_shown(number.segments_per_second)}\t{_shown(number.calls_per_second)}"
        known = "\tregistered" if number.registered_at else ""
        known += "\tbeing bought" if number.claimed_at else ""
        typer.echo(f"{number.number}\t{merchant or 'whole tenant'}\t{paces}{known}")


@app.command("add")
def add(
    tenant: TenantOption,
    number: NumberArgument,
    merchant: Annotated[
        str | None, typer.Option(help="Keeps it for one merchant, by its merchantId.")
    ] = None,
    segments_per_second: SegmentsOption = None,
    calls_per_second: CallsOption = None,
    registered: Annotated[
        bool, typer.Option("--registered", help="It is registered for 10DLC elsewhere.")
    ] = False,
) -> None:
    """Add a sender number to a tenant, or to one of its merchants."""
    wanted = _number(number)
    rates = _rates(segments_per_second, calls_per_second)

    async def action(db: WriteSession) -> bool:
        tenant_id = await get_tenant(db, tenant)
        now = datetime.now(UTC)
        return await sender_numbers.add_sender_number(
            db,
            number=wanted,
            tenant_id=tenant_id,
            merchant_id=await get_merchant(db, tenant_id, merchant) if merchant else None,
            segments_per_second=rates.get(Channel.SMS),
            calls_per_second=rates.get(Channel.VOICE),
            registered_at=now if registered else None,
            now=now,
        )

    if not in_transaction(action):
        raise typer.BadParameter(f"{wanted} is somebody's already.")
    typer.echo(f"{wanted} is a number of {merchant or tenant}.")


@app.command("limit")
def limit(
    number: NumberArgument,
    segments_per_second: SegmentsOption = None,
    calls_per_second: CallsOption = None,
) -> None:
    """Set the rate limits of a number; takes effect within seconds, also for queued messages."""
    wanted = _number(number)
    rates = _rates(segments_per_second, calls_per_second)
    if not rates:
        raise typer.BadParameter("Say --segments-per-second or --calls-per-second.")

    async def action(db: WriteSession) -> bool:
        return await number_limits.limit(db, wanted, rates)

    if not in_transaction(action):
        raise typer.BadParameter(f"{wanted} is nobody's.")
    typer.echo(f"{wanted} is limited as given.")


def _rates(segments: str | None, calls: str | None) -> dict[Channel, Decimal | None]:
    """Return the given limits by channel."""
    given = {Channel.SMS: segments, Channel.VOICE: calls}
    return {channel: _rate(rate) for channel, rate in given.items() if rate is not None}


def _shown(rate: Decimal | None) -> str:
    return "no limit" if rate is None else f"{rate.normalize():f}/s"
