"""`hexavox tenant …`"""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.commands import spending_options
from cli.commands.lookups import get_tenant
from cli.commands.operator_session import in_transaction
from cli.commands.spending_options import (
    AllowCountryOption,
    CountriesOption,
    CountryOption,
    NoUsdPerDayOption,
    UsdPerDayOption,
    spending_guard,
)
from models.enums import DeliveryMode
from models.queries.alerts.spending_alerts import spending_limit_changed
from models.queries.tenants import tenants
from models.queries.tenants.tenants import SpendingGuard
from models.rules.billing.price_file import EVERY_TENANT
from models.rules.messages.destination_limits import LARGEST_LIMIT, DestinationLimits
from models.rules.tenants.allowed_countries import HOME
from models.session import WriteSession

app = typer.Typer(help="Integrators.", no_args_is_help=True)

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def _limit(what: str) -> Any:
    """Declare an option that is a limit of destinations."""
    return typer.Option(min=0, max=LARGEST_LIMIT, help=f"{what} 0: no limit.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Lower case letters, digits and dashes.")],
    mode: Annotated[
        DeliveryMode, typer.Option(help="Where its messages go.", case_sensitive=False)
    ] = DeliveryMode.SIMULATOR,
    country: CountryOption = HOME,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Create a tenant with a sender number in its pool; an existing one is unchanged."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter("A name has lower case letters, digits and dashes, 64 at most.")
    if name == EVERY_TENANT:
        raise typer.BadParameter(f"{name} stands for every tenant in price lists.")

    home = spending_options.country(country)

    async def action(db: WriteSession) -> int:
        now = datetime.now(UTC)
        return await tenants.create_tenant(db, name, mode, now=now, country=home)

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
    resend_after_window: Annotated[
        bool | None,
        typer.Option(
            "--resend-after-window/--no-resend-after-window",
            help="Whether a message whose answer was lost is sent again when the list of a"
            " provider without look-ups by reference does not show it; it might arrive twice.",
        ),
    ] = None,
    otps_per_10_minutes: Annotated[int | None, _limit("OTPs to one contact in 10 minutes.")] = None,
    otps_per_day: Annotated[int | None, _limit("OTPs to one contact in a day.")] = None,
    new_recipients_per_hour: Annotated[
        int | None,
        _limit(
            "New recipients of a merchant in an hour whose numbers differ in the last 4 digits."
        ),
    ] = None,
    usd_per_day: UsdPerDayOption = None,
    no_usd_per_day: NoUsdPerDayOption = False,
    allow_country: AllowCountryOption = None,
    countries: CountriesOption = None,
) -> None:
    """Change settings of a tenant; options that are not given are unchanged."""
    limits = DestinationLimits(
        otps_per_10_minutes=otps_per_10_minutes,
        otps_per_day=otps_per_day,
        new_recipients_per_hour=new_recipients_per_hour,
    )
    guard = spending_guard(usd_per_day, no_usd_per_day, allow_country, countries)
    unchanged = limits == DestinationLimits() and guard == SpendingGuard()
    if custom_prices is resend_after_window is None and unchanged:
        raise typer.BadParameter("Say what is to be changed: --custom-prices, for example.")

    async def action(db: WriteSession) -> None:
        tenant_id = await get_tenant(db, name)
        await tenants.change_settings(
            db,
            tenant_id,
            custom_prices=custom_prices,
            limits=limits,
            resend_after_window=resend_after_window,
        )
        await tenants.change_spending_guard(db, tenant_id, guard)
        if guard.set_limit:
            await spending_limit_changed(db, tenant_id=tenant_id, now=datetime.now(UTC))

    in_transaction(action)
    if custom_prices is not None:
        told = "may order credits at any price" if custom_prices else "is held to the price list"
        Console().print(f"Tenant [bold]{name}[/] {told}.")
    if resend_after_window is not None:
        told = "sends again" if resend_after_window else "never sends again"
        Console().print(f"Tenant [bold]{name}[/] {told} what a provider's list does not show.")
    for setting, most in asdict(limits).items():
        if most is not None:
            Console().print(f"Tenant [bold]{name}[/]: {setting} {most or 'without limit'}.")
    if guard.set_limit:
        told = "no spending limit" if guard.limit is None else f"{guard.limit} USD a day at most"
        Console().print(f"Tenant [bold]{name}[/]: {told}.")
    if guard.countries is not None:
        told = "may also send to" if guard.more else "may send to"
        Console().print(f"Tenant [bold]{name}[/] {told} {', '.join(guard.countries)}.")


@app.command("list")
def list_tenants() -> None:
    """List all tenants."""

    for tenant in in_transaction(tenants.list_tenants):
        prices = "\tcustom prices" if tenant.custom_prices else ""
        resends = "\tresends after window" if tenant.resend_after_window else ""
        limits = "".join(
            f"\t{setting} {most or 'without limit'}"
            for setting in ("otps_per_10_minutes", "otps_per_day", "new_recipients_per_hour")
            if (most := getattr(tenant, setting)) is not None
        )
        if tenant.daily_spending_limit is not None:
            limits += f"\t{tenant.daily_spending_limit} USD a day"
        if tenant.allowed_countries is not None:
            limits += f"\tto {','.join(tenant.allowed_countries)}"
        typer.echo(f"{tenant.id}\t{tenant.name}\t{tenant.delivery_mode}{prices}{resends}{limits}")
