"""`hexavox key …`"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Console

from cli.commands.lookups import TenantOption, get_merchant, get_tenant
from cli.commands.operator_session import in_transaction
from models.enums import KeyScope
from models.queries.tenants import api_keys
from models.rules.tenants.credentials import new_credentials
from models.rules.tenants.key_grants import LATEST_EXPIRY
from models.session import WriteSession
from models.tables.tenant import ApiKey

_LONGEST_NAME: Final = 100

app = typer.Typer(help="API keys: of secrets only hashes are kept.", no_args_is_help=True)


def _read_scopes(given: str) -> list[KeyScope]:
    """Return the scopes that a comma-separated text names; raises BadParameter."""
    try:
        return [KeyScope(word.strip()) for word in given.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"Scopes are {', '.join(KeyScope)}, separated by commas.", param_hint="--scopes"
        ) from error


def _read_expiry(given: str) -> datetime:
    """Return the time that a text states; raises BadParameter unless it is in the future."""
    try:
        expiry = datetime.fromisoformat(given)
        is_future = expiry > datetime.now(UTC)  # raises TypeError without a time zone
        is_too_late = expiry >= LATEST_EXPIRY
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(
            "Write a time with its zone, such as 2027-04-16T00:00:00Z.", param_hint="--expires"
        ) from error
    if not is_future:
        raise typer.BadParameter("The time is not in the future.", param_hint="--expires")
    if is_too_late:
        raise typer.BadParameter(
            f"The time is not before the year {LATEST_EXPIRY.year}.", param_hint="--expires"
        )
    return expiry


@app.command("create")
def create(
    tenant: TenantOption,
    merchant: Annotated[
        str | None, typer.Option(help="Limits the key to one merchant, by its merchantId.")
    ] = None,
    name: Annotated[str, typer.Option(help="What it is for, up to 100 characters.")] = "",
    scopes: Annotated[
        str, typer.Option(help="What it may do: some of send,read,billing,admin. Default: all.")
    ] = ",".join(KeyScope),
    expires: Annotated[
        str | None, typer.Option(help="When it stops working, such as 2027-04-16T00:00:00Z.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Create a key. Its secret is shown only now."""
    if len(name) > _LONGEST_NAME:
        raise typer.BadParameter(f"At most {_LONGEST_NAME} characters.", param_hint="--name")
    credentials = new_credentials()
    allowed = _read_scopes(scopes)
    expiry = None if expires is None else _read_expiry(expires)

    async def action(db: WriteSession) -> int:
        tenant_id = await get_tenant(db, tenant)
        key = api_keys.new_key(
            credentials,
            tenant_id=tenant_id,
            merchant_id=None if merchant is None else await get_merchant(db, tenant_id, merchant),
            name=name,
            scopes=allowed,
            expires_at=expiry,
            now=datetime.now(UTC),
        )
        return await api_keys.add_key(db, key)

    key_id = in_transaction(action)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "keyId": str(key_id),
                    "apiKey": credentials.key,
                    "apiSecret": credentials.secret,
                }
            )
        )
        return
    console = Console(highlight=False)
    console.print(f"Key {key_id} of {tenant}. The secret is not shown again.")
    console.print(f"X-API-KEY:    {credentials.key}", soft_wrap=True)
    console.print(f"X-API-SECRET: {credentials.secret}", soft_wrap=True)


@app.command("revoke")
def revoke(tenant: TenantOption, key_id: Annotated[int, typer.Argument()]) -> None:
    """Revoke a key; it stops working within five seconds."""

    async def action(db: WriteSession) -> bool:
        tenant_id = await get_tenant(db, tenant)
        return await api_keys.revoke_key(db, tenant_id, key_id, now=datetime.now(UTC))

    if not in_transaction(action):
        raise typer.BadParameter(f"{tenant} has no live key {key_id}.")
    typer.echo(f"Key {key_id} of {tenant} is revoked.")


@app.command("list")
def list_keys(tenant: TenantOption) -> None:
    """List a tenant's keys with scopes, expiry and last use, without secrets."""

    async def action(db: WriteSession) -> Sequence[tuple[ApiKey, str | None]]:
        return await api_keys.list_keys(db, await get_tenant(db, tenant))

    now = datetime.now(UTC)
    for key, merchant in in_transaction(action):
        parts = (
            str(key.public_id),
            _state(key, now),
            merchant or "whole tenant",
            key.created_at.date().isoformat(),
            ",".join(key.scopes),
            f"expires {_moment(key.expires_at)}",
            f"used {_moment(key.last_used_at)}",
            key.name,
        )
        typer.echo("\t".join(parts))


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if api_keys.is_expired(key, now) else "live"


def _moment(at: datetime | None) -> str:
    return "never" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
