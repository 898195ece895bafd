"""What operators set for provider accounts: a switch and a limit of spending."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.session import ReadSession, WriteSession
from models.tables.provider_account import ProviderAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What is set for an account; without a row the defaults hold."""

    enabled: bool = True
    daily_limit: Decimal | None = None
    """USD."""


async def list_account_settings(db: ReadSession | WriteSession) -> Mapping[str, AccountSettings]:
    """Return the settings by account, of accounts that have any."""
    rows = await db.scalars(select(ProviderAccount))
    return {
        row.account: AccountSettings(enabled=row.enabled, daily_limit=row.daily_limit)
        for row in rows
    }


async def set_enabled(db: WriteSession, account: str, *, enabled: bool, now: datetime) -> None:
    """Switch an account on or off. Idempotent."""
    await _write(db, account, {"enabled": enabled}, now)


async def set_daily_limit(
    db: WriteSession, account: str, *, daily_limit: Decimal | None, now: datetime
) -> None:
    """Set what may be spent with an account in a day, in USD; None: no limit. Idempotent."""
    await _write(db, account, {"daily_limit": daily_limit}, now)


async def _write(
    db: WriteSession, account: str, changed: Mapping[str, object], now: datetime
) -> None:
    values = {**changed, "changed_at": now}
    await db.execute(
        insert(ProviderAccount)
        .values(account=account, **values)
        .on_conflict_do_update(index_elements=[col(ProviderAccount.account)], set_=values)
    )
