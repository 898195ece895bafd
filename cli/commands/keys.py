"""`hexavox key …`"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from cli.commands.lookups import TenantOption, get_merchant, get_tenant
from cli.commands.operator_session import in_transaction
from models.queries.tenants import api_keys
from models.rules.tenants.credentials import hash_credential, new_credentials
from models.session import WriteSession
from models.tables.tenant import ApiKey

app = typer.Typer(help="API keys: only hashes are kept.", no_args_is_help=True)


@app.command("create")
def create(
    tenant: TenantOption,
    merchant: Annotated[
        str | None, typer.Option(help="Limits the key to one merchant, by its merchantId.")
    ] = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Create a key. Its secret is shown only now."""
    credentials = new_credentials()

    async def action(db: WriteSession) -> int:
        tenant_id = await get_tenant(db, tenant)
        key = ApiKey(
            tenant_id=tenant_id,
            merchant_id=None if merchant is None else await get_merchant(db, tenant_id, merchant),
            name=name,
            key_hash=hash_credential(credentials.key),
            secret_hash=hash_credential(credentials.secret),
            created_at=datetime.now(UTC),
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
    """List a tenant's keys, without secrets."""

    async def action(db: WriteSession) -> Sequence[tuple[ApiKey, str | None]]:
        return await api_keys.list_keys(db, await get_tenant(db, tenant))

    for key, merchant in in_transaction(action):
        state = "revoked" if key.revoked_at else "live"
        created = key.created_at.date().isoformat()
        typer.echo(f"{key.public_id}\t{state}\t{merchant or 'whole tenant'}\t{created}\t{key.name}")
