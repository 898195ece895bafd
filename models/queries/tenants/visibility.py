"""Whose rows a caller may see: every read of a tenant's data on a caller's behalf starts here."""

from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import MerchantNotFound
from models.tables.alert import Alert
from models.tables.base import row_id
from models.tables.consent import Consent, ConsentChange
from models.tables.ledger import CreditAccount, LedgerEntry
from models.tables.merchant import Merchant
from models.tables.message import Message
from models.tables.messaging import Brand, Campaign, MessagingNumber
from models.tables.payment import Payment
from models.tables.voice import VoiceCredential, VoicePresence

Statement = TypeVar("Statement", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerScope:
    """Whose rows may be read: a tenant's; with `merchant_id` only those of that merchant."""

    tenant_id: int
    merchant_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryScope:
    """A merchant that the caller may see, at one registry."""

    tenant_id: int
    merchant_id: int
    provider: str


async def get_merchant(
    db: AsyncSession, scope: CallerScope, external_id: str, *, locked: bool = False
) -> Merchant:
    """Return a merchant, or raise MerchantNotFound: not there, or not the caller's.

    Locked, nobody else changes it until the transaction ends.
    """
    statement = visible_merchants(scope).where(col(Merchant.external_id) == external_id)
    if locked:
        statement = statement.with_for_update(key_share=True)
    merchant = (await db.scalars(statement)).one_or_none()
    if merchant is None:
        raise MerchantNotFound
    return merchant


async def narrow_scope(db: AsyncSession, scope: CallerScope, named: str | None) -> CallerScope:
    """Return the scope, narrowed to the merchant that a request names; raises MerchantNotFound."""
    if named is None:
        return scope
    merchant = await get_merchant(db, scope, named)
    return CallerScope(tenant_id=scope.tenant_id, merchant_id=row_id(merchant.id))


def visible_merchants(scope: CallerScope) -> Select[Merchant]:
    """Merchants; a merchant's key sees itself."""
    return _visible(select(Merchant), scope, Merchant.tenant_id, Merchant.id)


def visible_consents(scope: CallerScope) -> Select[Consent, str]:
    """Consent records, each with its merchant's name in the contract."""
    statement = select(Consent, col(Merchant.external_id)).join(
        Merchant,
        (col(Merchant.tenant_id) == col(Consent.tenant_id))
        & (col(Merchant.id) == col(Consent.merchant_id)),
    )
    return _visible(statement, scope, Consent.tenant_id, Consent.merchant_id)


def visible_consent_changes(scope: CallerScope) -> Select[ConsentChange]:
    """Everything recipients said."""
    return _visible(
        select(ConsentChange), scope, ConsentChange.tenant_id, ConsentChange.merchant_id
    )


def visible_messages(scope: CallerScope) -> Select[Message, str | None]:
    """Messages, each with its merchant's name in the contract.

    Direct e-mail of the tenant itself has no merchant, and no merchant's key sees it.
    """
    statement = select(Message, col(Merchant.external_id)).outerjoin(
        Merchant,
        (col(Merchant.tenant_id) == col(Message.tenant_id))
        & (col(Merchant.id) == col(Message.merchant_id)),
    )
    return _visible(statement, scope, Message.tenant_id, Message.merchant_id)


def visible_voice_users(scope: CallerScope) -> Select[VoiceCredential, VoicePresence | None, str]:
    """SIP users, each with what was posted of it and its merchant's name in the contract."""
    statement = (
        select(VoiceCredential, VoicePresence, col(Merchant.external_id))
        .join(
            Merchant,
            (col(Merchant.tenant_id) == col(VoiceCredential.tenant_id))
            & (col(Merchant.id) == col(VoiceCredential.merchant_id)),
        )
        .outerjoin(
            VoicePresence,
            (col(VoicePresence.tenant_id) == col(VoiceCredential.tenant_id))
            & (col(VoicePresence.credential_id) == col(VoiceCredential.id)),
        )
    )
    return _visible(statement, scope, VoiceCredential.tenant_id, VoiceCredential.merchant_id)


def visible_alerts(scope: CallerScope) -> Select[Alert, str | None]:
    """Alerts, each with its merchant's name in the contract.

    Those about the tenant itself have no merchant, and no merchant's key sees them.
    """
    statement = select(Alert, col(Merchant.external_id)).outerjoin(
        Merchant,
        (col(Merchant.tenant_id) == col(Alert.tenant_id))
        & (col(Merchant.id) == col(Alert.merchant_id)),
    )
    return _visible(statement, scope, Alert.tenant_id, Alert.merchant_id)


def visible_payments(scope: CallerScope) -> Select[Payment, str, int]:
    """Payments, each with its merchant's name in the contract and its channel's credits now."""
    statement = (
        select(
            Payment,
            col(Merchant.external_id),
            func.coalesce(col(CreditAccount.available), 0),
        )
        .join(
            Merchant,
            (col(Merchant.tenant_id) == col(Payment.tenant_id))
            & (col(Merchant.id) == col(Payment.merchant_id)),
        )
        .outerjoin(
            CreditAccount,
            (col(CreditAccount.tenant_id) == col(Payment.tenant_id))
            & (col(CreditAccount.merchant_id) == col(Payment.merchant_id))
            & (col(CreditAccount.channel) == col(Payment.channel)),
        )
    )
    return _visible(statement, scope, Payment.tenant_id, Payment.merchant_id)


def visible_ledger(scope: CallerScope) -> Select[LedgerEntry, int | None, int | None]:
    """Movements of units, each with the public id of the message or payment that caused it."""
    statement = (
        select(LedgerEntry, col(Message.public_id), col(Payment.public_id))
        .outerjoin(
            Message,
            (col(Message.tenant_id) == col(LedgerEntry.tenant_id))
            & (col(Message.id) == col(LedgerEntry.message_id)),
        )
        .outerjoin(
            Payment,
            (col(Payment.tenant_id) == col(LedgerEntry.tenant_id))
            & (col(Payment.id) == col(LedgerEntry.payment_id)),
        )
    )
    return _visible(statement, scope, LedgerEntry.tenant_id, LedgerEntry.merchant_id)


def visible_brands(scope: RegistryScope) -> Select[Brand]:
    """The brand of a merchant at one registry."""
    return select(Brand).where(
        col(Brand.tenant_id) == scope.tenant_id,
        col(Brand.merchant_id) == scope.merchant_id,
        col(Brand.provider) == scope.provider,
    )


def visible_campaigns(scope: RegistryScope) -> Select[Campaign]:
    """The campaigns of a merchant at one registry."""
    return select(Campaign).where(
        col(Campaign.tenant_id) == scope.tenant_id,
        col(Campaign.merchant_id) == scope.merchant_id,
        col(Campaign.provider) == scope.provider,
    )


def visible_numbers(scope: RegistryScope) -> Select[MessagingNumber]:
    """The numbers that a merchant bought at one registry."""
    return select(MessagingNumber).where(
        col(MessagingNumber.tenant_id) == scope.tenant_id,
        col(MessagingNumber.merchant_id) == scope.merchant_id,
        col(MessagingNumber.provider) == scope.provider,
    )


def _visible(
    statement: Statement, scope: CallerScope, tenant_id: int, merchant_id: int | None
) -> Statement:
    """Keep the rows that a scope covers; the columns say whose a row is."""
    statement = statement.where(col(tenant_id) == scope.tenant_id)
    if scope.merchant_id is not None:
        statement = statement.where(col(merchant_id) == scope.merchant_id)
    return statement
